"""The history as a tool: searching it, what differed, the configuration as it was, going back."""

import json
import pathlib
import re
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest

from by_hand import add_user, database
from lab import ADMIN_PASSWORD
from until import until

ROOT = pathlib.Path(__file__).parents[2]
TRUNK = {"server": "192.0.2.1", "username": "u", "enabled": False}
OWN = ("revision", "changed_at", "changed_by")


def numbers(api, **query):
    return [item["revision"] for item in api.pages("/revisions", **query)]


@pytest.fixture
def past(lab):
    """A history of eight revisions by two users; gives both and the answers."""
    lab.start("mgmtd")
    api = lab.api()
    lab.stop("mgmtd")
    add_user(lab, "alice", "operator")
    lab.start("mgmtd")
    alice = lab.api(username="alice", password=ADMIN_PASSWORD)
    api.post("/registrations", {"name": "carrier-a", **TRUNK, "password": "first secret"}, query={"comment": "a new Carrier"}).expect(201)
    api.post("/registrations", name="carrier-b", **TRUNK).expect(201)
    alice.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=120).expect(200)
    alice.patch("/registrations/carrier-a", port=5070, password="second secret").expect(200)
    api.post("/routing-gateways", name="carrier-a", host="gw.example.net").expect(201)
    alice.post("/changes", comment="two at once", changes=[
        {"op": "patch", "kind": "registrations", "name": "carrier-a", "value": {"note": "x"}},
        {"op": "delete", "kind": "registrations", "name": "carrier-b"}]).expect(200)
    alice.delete("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE").expect(200)
    api.patch("/registrations/carrier-a", port=5071).expect(200)
    return api, alice


def test_the_history_is_searched_by_who_what_and_words(past):
    api, alice = past
    assert numbers(api) == [8, 7, 6, 5, 4, 3, 2, 1]
    assert numbers(api, actor="alice") == [7, 6, 4, 3] and numbers(api, actor="nobody") == []
    assert numbers(api, kind="registrations") == [8, 6, 4, 2, 1] and numbers(api, kind="mapping-gateways") == []
    assert numbers(api, kind="routing-gateways") == [5]
    assert numbers(api, kind="registrations", name="carrier-a") == [8, 6, 4, 1]
    assert numbers(api, name="carrier-a") == [8, 6, 5, 4, 1], "of any kind"
    assert numbers(api, actor="alice", name="carrier-a") == [6, 4]
    assert numbers(api, actor="admin", kind="registrations") == [8, 2, 1]
    assert numbers(api, q="CARRIER-B") == [6, 2] and numbers(api, q="new carrier") == [1] and numbers(api, q="no such words") == []
    assert numbers(api, q="secret") == numbers(api, q="5071") == [], "values are not searched"
    assert numbers(api, q='"') == [] and numbers(api, q="\\") == []
    for query in ({"actor": "alice"}, {"kind": "registrations"}, {"name": "carrier-a"}, {"q": "carrier"}, {}):
        whole = numbers(api, **query)
        assert numbers(api, limit=1, **query) == numbers(api, limit=2, **query) == whole, query


def test_the_history_is_searched_by_time(past):
    api, _ = past
    at = {item["revision"]: item["at"] for item in api.pages("/revisions")}
    for revision in at:
        later = [n for n in sorted(at, reverse=True) if at[n] >= at[revision]]
        assert numbers(api, since=at[revision]) == later
        assert numbers(api, until=at[revision]) == [n for n in sorted(at, reverse=True) if n not in later]
    assert numbers(api, since=at[3], until=at[6], actor="alice") == [n for n in (4, 3) if at[n] < at[6]]
    assert numbers(api, since="2999-01-01T00:00:00Z") == numbers(api, until="2001-01-01T00:00:00Z") == []
    assert numbers(api, since=at[5].replace("Z", "+00:00"))[-1:] == numbers(api, since=at[5])[-1:]


def test_a_search_that_cannot_be_is_refused(past):
    api, _ = past
    assert "registrations" in api.get("/revisions", kind="registration").expect(422)["errors"][0]["options"]
    for query in ({"actor": ""}, {"since": "yesterday"}, {"q": "x" * 129}, {"cursor": "8"}, {"cursor": "r-1"}, {"name": "x" * 64}):
        api.get("/revisions", **query).expect(422)


def test_the_spans_go_on_over_restarts_and_kills(past, lab):
    api, alice = past
    lab.kill("mgmtd")
    lab.start("mgmtd")
    alice.patch("/registrations/carrier-a", port=5072).expect(200)
    api.patch("/registrations/carrier-a", port=5073).expect(200)
    lab.restart("mgmtd")
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=99).expect(200)
    assert numbers(api, actor="alice") == [9, 7, 6, 4, 3] and numbers(api, actor="admin") == [11, 10, 8, 5, 2, 1]
    assert numbers(api, kind="registrations") == [10, 9, 8, 6, 4, 2, 1] and numbers(api, kind="sip-parameters") == [11, 7, 3]


def test_a_database_from_before_the_spans_is_searched_all_the_same(past, lab):
    """The migration finds the runs that the revisions so far make."""
    api, alice = past
    asked = ({"actor": "alice"}, {"actor": "admin"}, {"kind": "registrations"}, {"kind": "sip-parameters"}, {"kind": "routing-gateways"})
    expected = [numbers(api, **query) for query in asked]
    lab.stop("mgmtd")
    with database(lab) as tandem:
        tandem.execute("DROP TABLE spans")
        tandem.execute("DROP TABLE confirmations")
        (migration,) = (ROOT / "mgmtd/migrations").glob("*-history.sql")
        tandem.executescript(migration.read_text())
        spans = tandem.execute("SELECT since, until FROM spans WHERE value = 'alice' ORDER BY since").fetchall()
        assert spans == [(3, 4), (6, 7)]
    lab.start("mgmtd")
    assert [numbers(api, **query) for query in asked] == expected
    alice.patch("/registrations/carrier-a", port=5072).expect(200)
    assert numbers(api, actor="alice")[0] == 9


# ---- what differs

def fields(diff, kind, name):
    (one,) = [change for change in diff if (change["kind"], change["name"]) == (kind, name)]
    return one["op"], {field["pointer"]: (field["from"], field["to"]) for field in one["fields"]}


def test_a_diff_tells_what_differs_between_two_revisions_either_way(past):
    api, _ = past
    there = api.get("/diff", **{"from": 1, "to": 8}).expect(200)
    back = api.get("/diff", **{"from": 8, "to": 1}).expect(200)
    assert (there["from"], there["to"]) == (1, 8)
    assert {(c["kind"], c["name"]) for c in there["diff"]} == {("registrations", "carrier-a"), ("routing-gateways", "carrier-a")}, \
        "what came and went in between is no difference"
    op, changed = fields(there["diff"], "registrations", "carrier-a")
    assert op == "update" and changed == {"/port": (0, 5071), "/note": ("", "x"), "/password": ({"set": True}, {"set": True})}
    assert fields(back["diff"], "registrations", "carrier-a")[1] == {pointer: (b, a) for pointer, (a, b) in changed.items()}
    assert fields(there["diff"], "routing-gateways", "carrier-a")[0] == "create" and fields(back["diff"], "routing-gateways", "carrier-a")[0] == "delete"
    assert fields(api.get("/diff", **{"from": 2, "to": 3})["diff"], "sip-parameters", "SS_SIP_USER_AGENT_EXPIRE")[1]["/value"][1] == 120
    assert api.get("/diff", **{"from": 4, "to": 4}).expect(200)["diff"] == []
    assert "secret" not in there.text + back.text


def test_a_diff_without_numbers_is_of_the_newest_revision(past):
    api, _ = past
    newest = api.get("/diff").expect(200).json
    assert (newest["from"], newest["to"]) == (7, 8) and fields(newest["diff"], "registrations", "carrier-a")[1] == {"/port": (5070, 5071)}
    assert api.get("/diff", **{"from": 0, "to": 1})["diff"][0]["op"] == "create", "0 is before the first"
    api.get("/diff", **{"from": 1, "to": 9}).expect(404)
    api.get("/diff", **{"from": 999, "to": 1}).expect(404)
    api.get("/diff", **{"from": -1}).expect(422)


# ---- the configuration as it was

def as_read(api):
    """What GET of every list makes of the configuration as it is."""
    config = {"sip-parameters": {item["name"]: item["value"] for item in api.pages("/sip-parameters", limit=1000) if item["source"] == "set"}}
    for kind in ("registrations", "routing-gateways", "mapping-gateways"):
        config[kind] = [{field: value for field, value in item.items() if field not in OWN} for item in api.pages(f"/{kind}")]
    return config


def test_the_configuration_as_of_any_revision_is_what_was_read_then(lab):
    api = lab.start("mgmtd").api()
    then = {}

    def keep(answer):
        then[answer["revision"]] = as_read(api)
    keep(api.post("/registrations", name="m", **TRUNK, password="hush").expect(201))
    keep(api.post("/registrations", name="a", **TRUNK).expect(201))
    keep(api.patch("/sip-parameters", SS_SIP_USER_AGENT_EXPIRE=120, SS_SIP_USER_AGENT_RETRY_DELAY=40).expect(200))
    keep(api.post("/mapping-gateways", name="in", sources=["192.0.2.0/24"]).expect(201))
    keep(api.post("/routing-gateways", name="out", host="gw.example.net", sip={"privacy": "id"}).expect(201))
    keep(api.delete("/registrations/m").expect(200))
    keep(api.put("/registrations/z", **TRUNK).expect(201))
    keep(api.delete("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE").expect(200))
    keep(api.post("/registrations", name="m", **{**TRUNK, "server": "192.0.2.9"}).expect(201))
    for revision, config in then.items():
        answer = api.get(f"/revisions/{revision}/config").expect(200)
        assert (answer["revision"], answer["at"]) == (revision, api.get(f"/revisions/{revision}")["at"])
        assert {k: v for k, v in answer.json.items() if k not in ("revision", "at")} == config, revision
        assert answer.etag == f'"r{revision}"' and "hush" not in answer.text
    for number in ("0", "10", "x", "-1", "99999999999999999999"):
        api.get(f"/revisions/{number}/config").expect(404)


# ---- going back

def test_a_restore_makes_an_old_configuration_current_as_one_new_revision(past):
    api, alice = past
    before = api.get("/revisions/8/config").json
    answer = api.post("/revisions/4/restore").expect(200)
    assert (answer["revision"], answer["changed"], answer["resource"]) == (9, True, None) and answer.etag == '"r9"'
    now, then = api.get("/revisions/9/config").json, api.get("/revisions/4/config").json
    assert {k: v for k, v in now.items() if k not in ("revision", "at")} == {k: v for k, v in then.items() if k not in ("revision", "at")}
    assert {(c["kind"], c["name"], c["op"]) for c in answer["diff"]} == {
        ("sip-parameters", "SS_SIP_USER_AGENT_EXPIRE", "update"), ("registrations", "carrier-a", "update"),
        ("registrations", "carrier-b", "create"), ("routing-gateways", "carrier-a", "delete")}, "only what differs"
    assert fields(answer["diff"], "registrations", "carrier-a")[1] == {"/port": (5071, 5070), "/note": ("x", "")}
    assert api.get("/revisions/9")["comment"] == "restores revision 4"
    assert api.post("/revisions/4/restore").expect(200)["changed"] is False
    forward = api.post("/revisions/8/restore", query={"comment": "and forward again"}).expect(200)
    assert {k: v for k, v in api.get("/revisions/10/config").json.items() if k not in ("revision", "at")} == \
        {k: v for k, v in before.items() if k not in ("revision", "at")}
    assert forward["revision"] == 10 and api.get("/revisions/10")["comment"] == "and forward again"
    assert api.get("/audit/verify")["valid"] is True


def test_every_value_tells_where_it_comes_from_also_after_a_restore(past):
    api, _ = past
    api.post("/revisions/4/restore").expect(200)
    at = api.get("/revisions/9")["at"]
    for path in ("/registrations/carrier-a", "/registrations/carrier-b", "/sip-parameters/SS_SIP_USER_AGENT_EXPIRE"):
        item = api.get(path).expect(200).json
        assert (item["revision"], item["changed_at"], item["changed_by"]) == (9, at, "admin"), path
    assert api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE")["source"] == "set"
    api.post("/revisions/1/restore").expect(200)
    item = api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE").json
    assert (item["source"], item["value"], item["revision"], item["changed_by"]) == ("default", item["default"], 10, "admin")
    untouched = api.get("/sip-parameters/SS_SIP_USER_AGENT_RETRY_DELAY").json
    assert (untouched["source"], untouched["revision"], untouched["changed_at"], untouched["changed_by"]) == ("default", 0, None, None)


def test_a_restored_password_is_the_one_of_then(lab):
    registrar = lab.kamailio()
    registrar.account("carrier-a", "the old password")
    api = lab.start("mgmtd", "switchcore").api()
    good = api.registration("carrier-a", registrar, password="the old password")
    api.wait_for_state("carrier-a", "registered")
    api.patch("/registrations/carrier-a", password="a wrong one", user_agent="x").expect(200)
    until(lambda: api.status("carrier-a")["state"] != "registered", 10, "the wrong password to fail")
    api.post(f"/revisions/{good['revision']}/restore").expect(200)
    api.wait_for_state("carrier-a", "registered", within=10)
    lab.restart("mgmtd")
    api.patch("/registrations/carrier-a", user_agent="y").expect(200)
    api.wait_for_state("carrier-a", "registered", within=10, last_code=200)
    assert "password" not in json.dumps(api.get("/revisions", limit=1000).json)


def test_one_object_is_restored_and_all_others_stay(past):
    api, _ = past
    answer = api.post("/revisions/2/restore", kind="registrations", name="carrier-b").expect(200)
    assert [(c["kind"], c["name"], c["op"]) for c in answer["diff"]] == [("registrations", "carrier-b", "create")]
    assert api.get("/registrations/carrier-a")["port"] == 5071
    assert api.get(f"/revisions/{answer['revision']}")["comment"] == "restores registrations/carrier-b of revision 2"
    api.post("/revisions/3/restore", kind="sip-parameters", name="SS_SIP_USER_AGENT_EXPIRE").expect(200)
    assert api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE")["value"] == 120
    api.post("/revisions/2/restore", kind="sip-parameters", name="SS_SIP_USER_AGENT_EXPIRE").expect(200)
    assert api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE")["source"] == "default"
    api.post("/revisions/2/restore", kind="routing-gateways", name="carrier-a").expect(422).violation("/name", "unknown_reference")


def test_a_restore_is_a_write_as_any_other(past):
    api, alice = past
    alice.post("/revisions/1/restore").expect(403)
    dry = api.post("/revisions/4/restore", query={"dry_run": "true"}).expect(200)
    assert dry["dry_run"] is True and dry["revision"] is None and len(dry["diff"]) == 4 and "effects" in dry.json
    assert api.get("/status")["mgmtd"]["stored_revision"] == 8
    assert api.post("/revisions/4/restore", headers={"If-Match": '"r7"'}).expect(412).etag == '"r8"'
    api.post("/revisions/4/restore", headers={"If-Match": '"r8"'}).expect(200)
    for body, pointer in (({"kind": "registrations"}, "/name"), ({"name": "a"}, "/kind"), ({"kind": "x", "name": "a"}, "/kind"),
                          ({"kind": "registrations", "name": "../x"}, "/name"), ({"revision": 3}, "/revision"), ([], ""), ("text", "")):
        api.post("/revisions/4/restore", json.dumps(body)).expect(422).violation(pointer)
    api.post("/revisions/4/restore", "{").expect(400, "not_json")
    for number in ("0", "10", "99", "x"):
        api.post(f"/revisions/{number}/restore").expect(404)
    api.post("/revisions/8/restore", {}).expect(200)


def test_a_restore_that_breaks_a_rule_of_today_is_refused_with_all_that_it_breaks(lab):
    api = lab.start("mgmtd").api()
    api.post("/registrations", name="trunk", **TRUNK).expect(201)
    api.post("/mapping-gateways", name="one", sources=["192.0.2.0/24"]).expect(201)
    api.delete("/mapping-gateways/one").expect(200)
    api.post("/mapping-gateways", name="two", sources=["192.0.2.0/24"]).expect(201)
    api.post("/routing-gateways", name="out", host="gw.example.net", registration="trunk").expect(201)
    answer = api.post("/revisions/2/restore", kind="mapping-gateways", name="one").expect(409)
    assert answer["errors"][0]["pointer"].startswith("/mapping-gateways/one/sources")
    assert api.post("/revisions/2/restore").expect(200)["changed"], "as a whole it fits: the other goes"
    assert api.get("/status")["mgmtd"]["stored_revision"] == 6


def test_a_document_older_than_a_field_is_restored_with_its_default(lab):
    api = lab.start("mgmtd").api()
    api.post("/registrations", name="a", **TRUNK, capacity=7).expect(201)
    api.patch("/registrations/a", capacity=8).expect(200)
    lab.stop("mgmtd")
    with database(lab) as tandem:
        (record,) = tandem.execute("SELECT record FROM revisions WHERE revision = 1").fetchone()
        old = record.replace(',"capacity":7', "").replace('"user_agent":"",', "")
        assert old != record
        tandem.execute("UPDATE revisions SET record = ? WHERE revision = 1", (old,))
        tandem.execute("UPDATE revisions SET record = replace(replace(record, ?, ''), ?, '') WHERE revision = 2",
                       (',"capacity":7', '"user_agent":"",'))
    lab.start("mgmtd")
    api.get("/revisions/1/config").expect(200)
    assert fields(api.get("/diff")["diff"], "registrations", "a")[1] == {"/capacity": (0, 8)}
    answer = api.post("/revisions/1/restore").expect(200)
    assert fields(answer["diff"], "registrations", "a")[1] == {"/capacity": (8, 0)} and api.get("/registrations/a")["user_agent"] == ""


def test_a_secret_that_is_no_longer_there_is_told(lab):
    api = lab.start("mgmtd").api()
    api.post("/registrations", name="a", **TRUNK, password="one").expect(201)
    api.patch("/registrations/a", password="two").expect(200)
    lab.stop("mgmtd")
    with database(lab) as tandem:
        tandem.execute("DELETE FROM secrets")
    lab.start("mgmtd")
    api.post("/revisions/1/restore").expect(422).violation("/registrations/a/password", "unknown_reference")
    assert api.get("/audit/verify")["valid"] is True, "a history without its secrets still verifies"


# ---- who asked

def test_the_client_s_request_id_is_kept_and_answered(lab):
    api = lab.start("mgmtd").api()
    answer = api.post("/registrations", {"name": "a", **TRUNK}, headers={"X-Request-Id": "deploy-42/a:b"}).expect(201)
    assert answer.headers["X-Request-Id"] == "deploy-42/a:b" and api.get("/revisions/1")["request_id"] == "deploy-42/a:b"
    for _ in range(2):
        assert api.request("GET", "/registrations/a", headers={"X-Request-Id": "x1"}).headers["X-Request-Id"] == "x1"
        assert "X-Request-Id" not in api.get("/registrations/a").headers
    assert api.request("GET", "/nothing", headers={"X-Request-Id": "x2"}).expect(404)["request_id"] == "x2"
    for odd in ("x" * 65, "a b", "<script>", "a\"b", ""):
        answer = api.patch("/registrations/a", {"note": str(len(odd))}, headers={"X-Request-Id": odd}).expect(200)
        assert re.fullmatch(r"[0-9a-f]{8}-\d+", answer.headers["X-Request-Id"]), odd
        assert api.get(f"/revisions/{answer['revision']}")["request_id"] == answer.headers["X-Request-Id"]


def test_what_is_told_of_the_history_is_as_the_description_says(past):
    api, _ = past
    api.post("/revisions/4/restore", query={"confirm_within": 60}).expect(200)
    description = api.get("/openapi.json").json
    resolver = jsonschema.RefResolver.from_schema(description)

    def check(answer, path, method="get"):
        schema = description["paths"][f"/api/v1{path}"][method]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator(schema, resolver=resolver).validate(answer.expect(200).json)
    check(api.get("/revisions", actor="alice", limit=1), "/revisions")
    check(api.get("/revisions/9"), "/revisions/{revision}")
    check(api.get("/revisions/9/config"), "/revisions/{revision}/config")
    check(api.get("/diff", **{"from": 1}), "/diff")
    check(api.post("/revisions/9/confirm"), "/revisions/{revision}/confirm", "post")
    check(api.get("/revisions/9"), "/revisions/{revision}")
    check(api.post("/revisions/8/restore", query={"confirm_within": 60}), "/revisions/{revision}/restore", "post")
    check(api.get("/audit/head"), "/audit/head")
    check(api.get("/audit/verify"), "/audit/verify")


def test_a_list_holds_all_up_to_the_revision_that_it_names(lab):
    api = lab.start("mgmtd").api()
    names = [f"r{i}" for i in range(1000)]
    for port in range(5061, 5069):  # large records: what is read of them is of a while before the answer
        api.post("/changes", changes=[{"op": "put", "kind": "registrations", "name": name, "value": {**TRUNK, "port": port}} for name in names]).expect(200)

    def write():
        for i in range(150):
            api.patch("/registrations/r0", note=f"x{i}").expect(200)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        lists = []
        while not writing.done():
            lists.append(api.get("/revisions", limit=1000).expect(200).json)
        writing.result()
    assert len(lists) > 5
    assert [(one["items"][0]["revision"], one["revision"]) for one in lists if one["items"][0]["revision"] < one["revision"]] == []
