"""What can be read: schema, API description, history with its hash chain, status, health."""

import hashlib
import json
import re
import sqlite3

import jsonschema
import pytest

from until import until

STATES = {"disabled", "queued", "registering", "registered", "waiting", "unregistering", "unregistered"}
STATUS_FIELDS = {
    "name", "state", "reason", "detail", "since", "stale", "refreshing", "last_code", "last_phrase", "remote_address", "contact",
    "call_id", "listener", "requested_expiry", "granted_expiry", "raised_to", "registered_at", "binding_expires_at", "next_attempt_at",
    "retry_after", "attempts", "failures", "consecutive_failures", "attempts_last_hour", "rtt_ms", "nat", "incarnation"}
ATTEMPT_FIELDS = {"at", "kind", "target", "code", "phrase", "rtt_ms", "requested_expiry", "granted_expiry", "since_previous_s", "planned_s"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_the_schema_describes_every_parameter_and_field(api):
    schema = json.dumps(api.get("/schema").expect(200).json)
    for word in ("SS_SIP_USER_AGENT_EXPIRE", "SS_SIP_USER_AGENT_RETRY_DELAY", "SS_SIP_USER_AGENT_SEND_UNREGISTER",
                 "SS_SIP_USER_AGENT_PRIVACY", "outbound_proxy", "Auto negotiation", "recommended", "secret", "reregister"):
        assert word in schema


def test_a_parameters_item_has_all_its_columns(api):
    items = api.get("/sip-parameters").expect(200)
    assert items.etag and {"items", "next", "revision"} <= set(items.json)
    for item in items["items"]:
        assert {"name", "value", "default", "source", "type", "unit", "applies", "group", "title", "direction", "see_also", "help",
                "revision", "changed_at", "changed_by"} <= set(item), item
    expire = api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE").json
    assert (expire["type"], expire["min"], expire["max"], expire["default"], expire["applies"]) == ("int_or_keyword", 20, 7200, "auto",
                                                                                                   "reregister")
    assert {"value": "auto", "label": "Auto negotiation"}.items() <= expire["options"][0].items()
    assert set(expire["see_also"]) == {"SS_SIP_USER_AGENT_RETRY_DELAY", "SS_SIP_USER_AGENT_SEND_UNREGISTER", "SS_SIP_USER_AGENT_PRIVACY"}
    assert api.get("/sip-parameters", q="privacy")["items"][0]["name"] == "SS_SIP_USER_AGENT_PRIVACY"
    inbound = api.get("/sip-parameters", direction="inbound")["items"]
    assert "SS_REPLY_UNAUTHORIZED" in [item["name"] for item in inbound]
    assert {item["direction"] for item in inbound} == {"inbound", "both"}


# ---- the API description

@pytest.fixture
def description(api):
    return api.get("/openapi.json").expect(200).json


def references(node):
    """Every $ref in it."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolved(document, reference):
    assert reference.startswith("#/"), reference
    node = document
    for part in reference[2:].split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def schemas(node, inside=None):
    """Every schema of the description: under a `schema` member, and components/schemas."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "schema" and isinstance(value, (dict, bool)):
                yield value
            elif key == "schemas" and inside == "components":
                yield from value.values()
            else:
                yield from schemas(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from schemas(value)


def operations(document):
    for path, item in document["paths"].items():
        for method in ("get", "put", "post", "patch", "delete"):
            if method in item:
                yield path, method, item, item[method]


def test_the_description_is_openapi_3_1(description):
    assert re.fullmatch(r"3\.1\.\d+", description["openapi"])
    assert description["info"]["title"] and description["info"]["version"]
    assert set(description) <= {"openapi", "info", "jsonSchemaDialect", "servers", "paths", "webhooks", "components", "security", "tags",
                                "externalDocs"}
    for reference in references(description):
        resolved(description, reference)
    count = 0
    for schema in schemas(description):
        jsonschema.Draft202012Validator.check_schema(schema)
        count += 1
    assert count > 20
    identifiers = []
    for path, method, item, operation in operations(description):
        where = f"{method} {path}"
        assert path.startswith("/") and operation["responses"], where
        identifiers.append(operation.get("operationId"))
        parameters = [resolved(description, p["$ref"]) if "$ref" in p else p
                      for p in item.get("parameters", []) + operation.get("parameters", [])]
        declared = {p["name"] for p in parameters if p["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path)), where
        assert all(p["required"] is True for p in parameters if p["in"] == "path"), where
        assert all("schema" in p or "content" in p for p in parameters), where
        assert len({(p["name"], p["in"]) for p in parameters}) == len(parameters), where
        for code, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5](\d\d|XX)|default", code), where
            response = resolved(description, response["$ref"]) if "$ref" in response else response
            assert response["description"], where
            assert all("/" in media for media in response.get("content", {})), where
        if method in ("get", "delete"):
            assert "requestBody" not in operation, where
    assert len(set(identifiers)) == len(identifiers), "operationIds are unique"
    for scheme in [s for requirement in description.get("security", []) for s in requirement]:
        assert scheme in description["components"]["securitySchemes"]


def test_every_path_of_the_description_answers_and_as_described(lab):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered")
    rules = [{"match": "", "replace": "+"}, {"match": "00", "replace": "+"}]
    api.post("/mapping-gateways", name="carrier-a", sources=["192.0.2.0/24", "[2001:db8::1]:5060"], callee_rewrite=rules).expect(201)
    api.post("/routing-gateways", name="carrier-a", host="192.0.2.1", registration="carrier-a", inbound_mapping="carrier-a",
             prefixes=["", "49"], caller_rewrite=rules, sip={"timeout_invite": 5}).expect(201)
    api.post("/tokens", name="carrier-a", role="viewer").expect(201)
    api.post("/tokens", name="carrier-a", role="viewer").expect(409)
    description = api.get("/openapi.json").json
    prefix = description.get("servers", [{"url": ""}])[0]["url"].removeprefix("http://").rstrip("/")
    values = {"name": "carrier-a", "username": "admin", "NAME": "SS_SIP_USER_AGENT_EXPIRE", "n": "1", "revision": "1", "number": "1",
              "which": "gateway-headers"}
    resolver = jsonschema.RefResolver.from_schema(description)
    seen = 0
    for path, method, item, operation in operations(description):
        if method != "get" or "events" in path or "{id}" in path:  # there is no call here
            continue
        words = dict(values, name="SS_SIP_USER_AGENT_EXPIRE") if "sip-parameters" in path else values
        address = re.sub(r"\{(\w+)\}", lambda m: words[m.group(1)], path)
        full = (prefix if prefix.startswith("/") else "") + address
        answer = api.request("GET", full.removeprefix("/api/v1") if full.startswith("/api/v1") else full)
        assert answer.status == 200, f"{path}: {answer!r}"
        response = operation["responses"]["200"]
        response = resolved(description, response["$ref"]) if "$ref" in response else response
        media = answer.headers["Content-Type"].split(";")[0]
        assert media in response["content"], path
        if media == "application/json":
            jsonschema.Draft202012Validator(response["content"][media]["schema"], resolver=resolver).validate(answer.json)
        seen += 1
    assert seen >= 12


def test_the_description_needs_no_secret_knowledge(quiet):
    """It names the errors: a client generated from it knows the problem document."""
    description = quiet.api().get("/openapi.json").json
    for path, method, item, operation in operations(description):
        if "/api/v1" in path or path.startswith("/registrations"):
            assert any(code.startswith(("4", "5", "default")) for code in operation["responses"]), f"{method} {path}"


# ---- history

def test_the_history_tells_who_when_from_where_and_what(lab):
    api = lab.start("mgmtd", "switchcore").api()
    api.post("/registrations", {"name": "a", "server": "192.0.2.1", "username": "u", "password": "hush-hush"},
             query={"comment": "new carrier"}).expect(201)
    answer = api.patch("/registrations/a", {"port": 5070}, query={"comment": "other port"}).expect(200)
    newest = api.get("/revisions", limit=1).expect(200)
    (item,) = newest["items"]
    assert (item["revision"], item["actor"], item["address"], item["token"], item["comment"]) == (answer["revision"], "admin", "127.0.0.1",
                                                                                                 None, "other port")
    assert TIME.fullmatch(item["at"]) and item["request_id"]
    assert item["changes"] == [{"kind": "registrations", "name": "a", "op": "update"}] and newest["next"]
    one = api.get(f"/revisions/{answer['revision']}").expect(200)
    (change,) = one["changes"]
    assert change["before"]["port"] == 0 and change["after"]["port"] == 5070
    assert change["fields"] == [{"pointer": "/port", "from": 0, "to": 5070}]
    first = api.get(f"/revisions/{answer['revision'] - 1}").expect(200)
    assert first["changes"][0]["before"] is None and first["comment"] == "new carrier"
    assert "hush-hush" not in first.text
    every = api.pages("/revisions", limit=1)
    assert [r["revision"] for r in every] == sorted((r["revision"] for r in every), reverse=True)
    for item in every:
        api.get(f"/revisions/{item['revision']}").expect(200)


def chain(path):
    """The stored records, oldest first, each with both its hashes."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return database.execute("SELECT revision, record, prev_hash, hash FROM revisions ORDER BY revision").fetchall()


def verified(path):
    previous, number = bytes(32), 0
    for revision, record, prev_hash, stored in chain(path):
        text = record.encode() if isinstance(record, str) else record
        assert revision == number + 1 and bytes(prev_hash) == previous, f"revision {revision}"
        assert hashlib.sha256(previous + text).digest() == bytes(stored), f"hash of revision {revision}"
        assert json.loads(text)["revision"] == revision
        previous, number = bytes(stored), revision
    return number


def test_the_hash_chain_verifies_from_the_first_revision_over_restarts(lab):
    api = lab.start("mgmtd").api()
    for number in range(20):
        api.put(f"/registrations/c{number}", server="192.0.2.1", username="ü", note=f"n\"{number}").expect(201)
    lab.kill("mgmtd")
    lab.start("mgmtd")
    for number in range(20):
        api.delete(f"/registrations/c{number}").expect(200)
    assert verified(lab.state / "tandem.db") >= 40


def test_the_hash_of_a_record_covers_every_byte(lab):
    """The check above can fail: one letter changed in an old record is found."""
    api = lab.start("mgmtd").api()
    for value in (60, 61, 62):
        api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=value).expect(200)
    lab.stop("mgmtd")
    path = lab.state / "tandem.db"
    verified(path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE revisions SET record = replace(record, '60', '66') WHERE revision = 2 OR record LIKE '%60%'")
    with pytest.raises(AssertionError):
        verified(path)


# ---- status

def test_the_status_of_a_registration_has_every_field_and_unknown_is_null(lab):
    registrar, silent = lab.kamailio(), lab.peer(lambda request, peer: None)
    registrar.account("carrier-a", "secret")
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.registration("carrier-b", silent)
    good, asking = api.wait_for_state("carrier-a", "registered"), api.wait_for_state("carrier-b", "registering")
    for status in (good, asking):
        assert set(status) == STATUS_FIELDS, set(status) ^ STATUS_FIELDS
        assert set(status["nat"]) == {"detected", "local", "public"}
    assert good["remote_address"] == f"udp:{registrar.host}:{registrar.port}"
    assert good["contact"].startswith("sip:carrier-a@") and good["call_id"] == registrar.registers("carrier-a")[0].call_id
    assert (good["last_code"], good["last_phrase"], good["reason"], good["stale"]) == (200, "OK", None, False)
    assert good["attempts"] == 1 and good["failures"] == 0 and good["attempts_last_hour"] == 1 and good["rtt_ms"] > 0
    assert TIME.fullmatch(good["since"]) and TIME.fullmatch(good["registered_at"]) and TIME.fullmatch(good["next_attempt_at"])
    assert asking["last_code"] is None and asking["granted_expiry"] is None and asking["registered_at"] is None and asking["rtt_ms"] is None
    (attempt,) = api.attempts("carrier-a")
    assert set(attempt) == ATTEMPT_FIELDS, set(attempt) ^ ATTEMPT_FIELDS
    assert (attempt["kind"], attempt["code"], attempt["phrase"], attempt["requested_expiry"], attempt["granted_expiry"]) == \
        ("initial", 200, "OK", 3600, 3600)
    assert attempt["target"] == good["remote_address"] and attempt["since_previous_s"] is None


LIVE = ("registrations", "routing-gateways", "mapping-gateways")


def with_status(api, kind):
    """What a list with `status` tells of each, beside what each tells itself."""
    listed = {item["name"]: item["status"] for item in api.get(f"/{kind}", status="true").expect(200)["items"]}
    return listed, {name: api.get(f"/{kind}/{name}/status").expect(200).json for name in listed}


def test_a_list_with_status_tells_of_each_what_its_own_status_does(lab):
    registrar, silent = lab.peer(), lab.peer(lambda request, peer: None)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.registration("carrier-b", silent)
    api.registration("carrier-c", registrar, enabled=False)
    api.post("/mapping-gateways", name="pbx", sources=["192.0.2.7"], capacity=7).expect(201)
    for name in ("out-a", "out-b"):
        api.post("/routing-gateways", query={"wait": "applied"}, name=name, host="192.0.2.1", enabled=name == "out-a").expect(201)
    api.wait_for_state("carrier-a", "registered")
    api.wait_for_state("carrier-b", "registering")
    api.wait_for_state("carrier-c", "disabled")
    for kind in LIVE:
        listed, single = until(lambda: (both := with_status(api, kind)) and both[0] == both[1] and both, 3,
                               lambda: f"the same of both: {with_status(api, kind)}")
        assert listed and all(status["stale"] is False for status in listed.values())
        assert all("status" not in item for item in api.get(f"/{kind}")["items"])
    assert {name: status["state"] for name, status in with_status(api, "registrations")[0].items()} == {
        "carrier-a": "registered", "carrier-b": "registering", "carrier-c": "disabled"}
    gateways = with_status(api, "routing-gateways")[0]
    assert gateways["out-a"]["routable"] is True and gateways["out-b"]["routable"] is False and gateways["out-b"]["why"]
    assert with_status(api, "mapping-gateways")[0]["pbx"]["capacity"] == 7


def test_a_list_with_status_has_no_etag_and_the_same_pages(lab):
    api = lab.start("mgmtd", "switchcore").api()
    for name in "abc":
        api.post("/registrations", name=name, server="192.0.2.1", username="u", enabled=False).expect(201)
    plain = api.get("/registrations").expect(200)
    answer = api.request("GET", "/registrations", query={"status": "true"}, headers={"If-None-Match": plain.etag}).expect(200)
    assert plain.etag and answer.etag is None, "what the switch does moves without a revision"
    assert api.get("/registrations", status="false").etag == plain.etag
    assert [{**item, "status": None} for item in answer["items"]] == [{**item, "status": None} for item in plain["items"]]
    first = api.get("/registrations", status="true", limit=2).expect(200)
    second = api.get("/registrations", status="true", limit=2, cursor=first["next"]).expect(200)
    assert [item["status"]["name"] for item in first["items"] + second["items"]] == ["a", "b", "c"] and second["next"] is None
    api.get("/registrations", status="1").expect(422).violation("", "wrong_type")
    api.get("/sip-parameters", status="true").expect(422).violation("", "unknown_field")


def test_a_list_with_status_is_as_described_also_of_what_the_switch_never_told(lab):
    api = lab.start("mgmtd").api()
    api.post("/registrations", name="carrier-a", server="192.0.2.1", username="u").expect(201)
    api.post("/routing-gateways", name="out", host="192.0.2.1").expect(201)
    api.post("/mapping-gateways", name="in", sources=["192.0.2.7"]).expect(201)
    description = api.get("/openapi.json").json
    for kind in LIVE:
        listed, single = with_status(api, kind)
        assert listed == single and all(status["stale"] is True and status["incarnation"] for status in listed.values())
        schema = description["paths"][f"/api/v1/{kind}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        resolver = jsonschema.RefResolver.from_schema(description)
        jsonschema.Draft202012Validator(schema, resolver=resolver).validate(api.get(f"/{kind}", status="true").json)
        item = description["components"]["schemas"][resolved(description, schema["$ref"])["properties"]["items"]["items"]["$ref"].split("/")[-1]]
        assert item["properties"]["status"] and "status" not in item["required"]


def test_the_attempts_are_the_last_twenty_and_each_is_one_log_line(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered")
    for _ in range(24):
        api.post("/registrations/carrier-a/refresh", query={"wait": "outcome"}).expect(200)
    attempts = api.attempts("carrier-a")
    assert len(attempts) == 20 and api.status("carrier-a")["attempts"] == 25
    assert all(a["kind"] == "manual" and a["code"] == 200 for a in attempts)
    lines = [line for line in lab.switchcore.log().splitlines() if "registration carrier-a" in line and "200" in line]
    assert len(lines) >= 24


def test_the_overall_status_counts_every_state(quiet):
    status = quiet.api().get("/status").expect(200).json
    assert set(status["registrations"]["by_state"]) == STATES
    assert status["mgmtd"]["version"] and status["mgmtd"]["uptime_s"] >= 0
    api = quiet.api()
    until(lambda: api.get("/status")["switchcore"]["applied_revision"] == status["mgmtd"]["stored_revision"], 2, "applied revision")
    core = api.get("/status")["switchcore"]
    assert core["state"] == "up" and core["pid"] == quiet.switchcore.pid and core["heartbeat_age_ms"] < 2000
    assert 0 < status["segment"]["pages_used"] < status["segment"]["pages_total"]


def test_health_and_readiness(lab):
    lab.start("mgmtd")
    api = lab.api()
    anonymous = lab.api(token=None)
    assert anonymous.get("/healthz").status == 200
    assert anonymous.get("/readyz").status == 200
    assert api.get("/status")["switchcore"]["state"] == "down"
    lab.start("switchcore")
    until(lambda: api.get("/status")["switchcore"]["state"] == "up", 3, "switchcore up")
