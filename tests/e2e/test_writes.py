"""Every write: what it answers, what it is conditional on, what it leaves in the history."""

import concurrent.futures

import pytest

from until import until

pytestmark = pytest.mark.threads

GOOD = {"server": "192.0.2.1", "username": "u", "enabled": False}


@pytest.fixture
def name(request):
    """A registration name of the test's own, in the shared lab."""
    return "t-" + request.node.name.split("[")[0][-50:]


def test_a_write_answers_with_revision_diff_and_resource(api, name):
    answer = api.post("/registrations", name=name, note="first", **GOOD).expect(201)
    assert answer.headers["Location"].endswith(f"/api/v1/registrations/{name}")
    body = answer.json
    assert body["changed"] is True and body["warnings"] == [] and body["published_generation"] > 0
    assert answer.etag == f'"r{body["revision"]}"' and body["applied"] in ("yes", "pending")
    assert body["resource"]["name"] == name and body["resource"]["revision"] == body["revision"]
    (entry,) = body["diff"]
    assert (entry["kind"], entry["name"], entry["op"]) == ("registrations", name, "create")
    changed = api.patch(f"/registrations/{name}", note="second").expect(200)
    (entry,) = changed["diff"]
    assert entry["op"] == "update" and entry["fields"] == [{"pointer": "/note", "from": "first", "to": "second"}]
    gone = api.delete(f"/registrations/{name}").expect(200)
    assert gone["resource"] is None and gone["diff"][0]["op"] == "delete"
    api.get(f"/registrations/{name}").expect(404)


def test_what_changes_nothing_makes_no_revision(api, name):
    api.post("/registrations", name=name, **GOOD).expect(201)
    before = api.get("/status")["mgmtd"]["stored_revision"]
    for answer in (api.patch(f"/registrations/{name}", enabled=False).expect(200),
                   api.put(f"/registrations/{name}", **GOOD).expect(200),
                   api.patch("/sip-parameters", {}).expect(200)):
        assert answer["changed"] is False and answer["diff"] == [] and answer["revision"] <= before
    assert api.get("/status")["mgmtd"]["stored_revision"] == before


def test_get_then_put_round_trips(api, name):
    api.post("/registrations", name=name, password="secret", **GOOD).expect(201)
    answer = api.get(f"/registrations/{name}").expect(200)
    assert api.put(f"/registrations/{name}", answer.json).expect(200)["changed"] is False
    parameter = api.get("/sip-parameters/SS_SIP_USER_AGENT_RETRY_DELAY")
    assert api.put("/sip-parameters/SS_SIP_USER_AGENT_RETRY_DELAY", value=parameter["value"]).expect(200)


def test_a_patch_is_a_merge_and_null_goes_back_to_the_default(api, name):
    api.post("/registrations", name=name, note="n", port=5070, keep_alive=30, **GOOD).expect(201)
    api.patch(f"/registrations/{name}", note=None, keep_alive=None).expect(200)
    now = api.get(f"/registrations/{name}").json
    assert (now["note"], now["keep_alive"], now["port"]) == ("", 0, 5070)
    api.put(f"/registrations/{name}", **GOOD).expect(200)
    assert api.get(f"/registrations/{name}")["port"] == 0, "PUT replaces"


def test_a_duplicate_post_is_409(api, name):
    api.post("/registrations", name=name, **GOOD).expect(201)
    api.post("/registrations", name=name, **GOOD).expect(409, "exists")


def test_if_match_protects_from_overwriting_what_has_moved(api, name):
    first = api.post("/registrations", name=name, **GOOD).expect(201)
    second = api.patch(f"/registrations/{name}", {"note": "a"}, headers={"If-Match": first.etag}).expect(200)
    refused = api.patch(f"/registrations/{name}", {"note": "b"}, headers={"If-Match": first.etag}).expect(412)
    assert refused.etag == second.etag == api.get(f"/registrations/{name}").etag
    assert api.get(f"/registrations/{name}")["note"] == "a"
    api.delete(f"/registrations/{name}", headers={"If-Match": first.etag}).expect(412)
    api.patch(f"/registrations/{name}", {"note": "c"}, headers={"If-Match": '"x", ' + second.etag}).expect(200)
    api.patch(f"/registrations/{name}", {"note": "d"}, headers={"If-Match": "*"}).expect(200)


def test_if_none_match_star_creates_only(api, name):
    api.put(f"/registrations/{name}", GOOD, headers={"If-None-Match": "*"}).expect(201)
    api.put(f"/registrations/{name}", GOOD, headers={"If-None-Match": "*"}).expect(412)


def test_a_creation_is_compared_with_the_entity_tag_of_the_collection(api, name):
    listed = api.get("/registrations", limit=1).expect(200).etag
    api.post("/registrations", {"name": name, **GOOD}, headers={"If-Match": listed}).expect(201)
    moved = api.post("/registrations", {"name": name + "-2", **GOOD}, headers={"If-Match": listed}).expect(412)
    assert moved.etag == api.get("/registrations", limit=1).etag != listed
    api.post("/registrations", {"name": name + "-2", **GOOD}, headers={"If-Match": "*"}).expect(201)


def test_a_parameter_that_was_never_set_has_an_entity_tag_in_every_answer(lab):
    api, path = lab.start("mgmtd").api(), "/sip-parameters/SS_SIP_TIMEOUT_TRYING"
    assert api.get(path).etag == api.put(path, value=None).expect(200).etag == '"r0"'
    assert api.put(path, {"value": 7}, headers={"If-Match": '"r5"'}).expect(412).etag == '"r0"'
    api.put(path, {"value": 7}, headers={"If-Match": '"r0"'}).expect(200)


def test_a_get_of_what_the_client_has_is_304(api, name):
    etag = api.post("/registrations", name=name, **GOOD).expect(201).etag
    answer = api.request("GET", f"/registrations/{name}", headers={"If-None-Match": etag})
    assert answer.status == 304 and not answer.text


def test_a_dry_run_checks_everything_and_stores_nothing(quiet, api, name):
    before = api.get("/status")["mgmtd"]
    answer = api.post("/registrations", {"name": name, **GOOD}, query={"dry_run": "true"}).expect(200)
    assert answer["dry_run"] is True and answer["revision"] is None and answer["diff"][0]["op"] == "create"
    api.get(f"/registrations/{name}").expect(404)
    api.post("/registrations", {"name": name, "server": "x"}, query={"dry_run": "true"}).expect(422)
    after = api.get("/status")["mgmtd"]
    assert (after["stored_revision"], after["published_generation"]) == (before["stored_revision"], before["published_generation"])


def test_a_dry_run_tells_who_would_register_again(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    for number in range(12):
        api.registration(f"c{number:02}", registrar)
    api.registration("fixed", registrar, register_period=300)
    effects = api.patch("/sip-parameters", {"SS_SIP_USER_AGENT_EXPIRE": 500}, query={"dry_run": "true"}).expect(200)["effects"]
    assert effects["reregister"]["count"] == 12 and effects["reregister"]["names"] == [f"c{n:02}" for n in range(10)]
    none = api.patch("/sip-parameters", {"SS_SIP_USER_AGENT_RETRY_DELAY": 90}, query={"dry_run": "true"}).expect(200)["effects"]
    assert none["reregister"]["count"] == 0


def test_wait_applied_answers_when_the_switch_has_acted(quiet, api):
    for seconds in range(300, 310):
        answer = api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", {"value": seconds}, query={"wait": "applied"}).expect(200)
        assert answer["applied"] == "yes"
        assert api.get("/status")["switchcore"]["applied_revision"] >= answer["revision"]
    api.delete("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE").expect(200)


# What must stand beside the greatest value of a parameter.
BESIDE = {"SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP": {"SS_SIP_SESSION_TTL": 7200}}


def test_every_parameter_can_be_set_and_reset(api):
    for item in api.get("/sip-parameters").expect(200)["items"]:
        name = item["name"]
        if name in BESIDE:
            api.patch("/sip-parameters", BESIDE[name]).expect(200)
        value = {"int": item.get("max"), "int_or_keyword": item.get("max"), "bool": not item["default"],
                 "number_list": [0.1, 0.2, 0.3]}.get(item["type"])
        if item["type"] == "enum":
            value = [option["value"] for option in item["options"] if option["value"] != item["default"]][0]
        assert api.put(f"/sip-parameters/{name}", value=value).expect(200)["changed"]
        now = api.get(f"/sip-parameters/{name}").expect(200).json
        assert (now["value"], now["source"], now["changed_by"]) == (value, "set", "admin") and now["revision"] and now["changed_at"]
        api.delete(f"/sip-parameters/{name}").expect(200)
        now = api.get(f"/sip-parameters/{name}").json
        assert (now["value"], now["source"]) == (item["default"], "default")
        api.patch("/sip-parameters", {name: value}).expect(200)
        api.patch("/sip-parameters", {name: None}).expect(200)
        assert api.get(f"/sip-parameters/{name}")["source"] == "default"
        if name in BESIDE:
            api.patch("/sip-parameters", dict.fromkeys(BESIDE[name])).expect(200)


def test_effective_tells_what_inherit_means_now(api, name):
    api.post("/registrations", name=name, retry_delay=99, **GOOD).expect(201)
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=1111).expect(200)
    answer = api.get(f"/registrations/{name}", effective="true").expect(200)
    assert answer["effective"]["register_period"] == {"value": 1111, "from": "SS_SIP_USER_AGENT_EXPIRE"}
    assert answer["effective"]["privacy"]["value"] == "ignore" and answer.etag is None
    api.delete("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE").expect(200)


def test_a_fixed_expiry_below_twice_the_retry_delay_is_a_warning(api, name):
    answer = api.post("/registrations", name=name, register_period=60, retry_delay=60, **GOOD).expect(201)
    assert any(w["pointer"] in ("/retry_delay", "/register_period") for w in answer["warnings"])
    assert api.post("/registrations", name=name + "2", register_period=600, retry_delay=60, **GOOD).expect(201)["warnings"] == []


def test_a_change_set_is_one_revision(api, name):
    changes = [{"op": "put", "kind": "registrations", "name": f"{name}{n}", "value": GOOD} for n in range(3)]
    changes.append({"op": "put", "kind": "sip-parameters", "name": "SS_SIP_USER_AGENT_RETRY_DELAY", "value": 77})
    answer = api.post("/changes", comment="four at once", changes=changes).expect(200)
    assert len(answer["diff"]) == 4 and answer["resource"] is None
    revision = api.get(f"/revisions/{answer['revision']}").expect(200)
    assert revision["comment"] == "four at once" and len(revision["changes"]) == 4
    assert {api.get(f"/registrations/{name}{n}")["revision"] for n in range(3)} == {answer["revision"]}
    later = [{"op": "patch", "kind": "registrations", "name": f"{name}0", "value": {"note": "x"}},
             {"op": "delete", "kind": "registrations", "name": f"{name}1"},
             {"op": "delete", "kind": "sip-parameters", "name": "SS_SIP_USER_AGENT_RETRY_DELAY"}]
    assert len(api.post("/changes", changes=later).expect(200)["diff"]) == 3
    api.get(f"/registrations/{name}1").expect(404)


def test_two_operations_on_one_object_in_a_set_end_as_the_last(api, name):
    changes = [{"op": "put", "kind": "registrations", "name": name, "value": {**GOOD, "note": "a"}},
               {"op": "patch", "kind": "registrations", "name": name, "value": {"note": "b"}}]
    answer = api.post("/changes", changes=changes)
    if answer.status == 200:
        assert api.get(f"/registrations/{name}")["note"] == "b"
    else:
        answer.expect(422).violation("/changes/1")


def test_lists_are_paged_in_order_of_name_and_a_cursor_survives_changes(api, name):
    names = [f"{name[:30]}{n:03}" for n in range(25)]
    api.post("/changes", changes=[{"op": "put", "kind": "registrations", "name": n, "value": GOOD} for n in names]).expect(200)
    first = api.get("/registrations", limit=10).expect(200)
    assert len(first["items"]) == 10 and first["next"]
    everything = [item["name"] for item in api.pages("/registrations", limit=7)]
    assert everything == sorted(everything) and set(names) <= set(everything) and len(everything) == len(set(everything))
    api.delete(f"/registrations/{first['items'][9]['name']}").expect(200)
    second = api.get("/registrations", limit=10, cursor=first["next"]).expect(200)
    assert second["items"][0]["name"] == everything[10]


def test_concurrent_writers_lose_nothing(api, quiet):
    """Group commit: each has its own revision, all are there."""
    names = [f"w{n:04}" for n in range(400)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: quiet.api().put(f"/registrations/{n}", **GOOD).expect(201).json, names))
    revisions = [answer["revision"] for answer in answers]
    assert len(set(revisions)) == len(names)
    assert {item["name"] for item in api.pages("/registrations", limit=1000)} >= set(names)
    until(lambda: (api.get("/status")["switchcore"]["applied_revision"] or 0) >= max(revisions), 3, "applied")


def test_require_if_match_refuses_unconditional_writes(lab):
    api = lab.start("mgmtd", mgmtd=["--require-if-match"]).api()
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(428)
    etag = api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE").expect(200).etag
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", {"value": 60}, headers={"If-Match": etag}).expect(200)
