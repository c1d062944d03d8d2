"""Routing and mapping gateways as configuration: every field, what refers to what, what no two may have."""

import json
import sqlite3

import pytest

from until import until

TRUNK = {"server": "192.0.2.1", "username": "u", "enabled": False}
RULES = [{"match": "880", "replace": "99880"}, {"match": "", "replace": "+"}]
ROUTING = {"host": "gw.example.net"}
SIP_DEFAULTS = {
    "reply_address": "socket", "request_address": "socket", "peer_number_information": "from", "invite_use_contact": "inherit",
    "privacy": "inherit", "p_asserted_identity": "absent", "p_preferred_identity": "absent", "remote_party_id": False,
    "display": "inherit", "timeout_invite": "inherit", "timeout_trying": "inherit", "timeout_session_progress": "inherit",
    "timeout_session_progress_sdp": "inherit", "timeout_ringing": "inherit", "session_timer": "on"}


@pytest.fixture
def name(request):
    """A name of the test's own, in the shared lab."""
    return "g-" + request.node.name.split("[")[0][-50:]


def address(name):
    """An address of the test's own: sources must be unique."""
    number = sum(ord(letter) * (place + 1) for place, letter in enumerate(name))
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


# ---- one gateway

def test_a_routing_gateway_lives_from_post_to_delete(api, name):
    answer = api.post("/routing-gateways", name=name, **ROUTING).expect(201)
    assert answer.headers["Location"].endswith(f"/api/v1/routing-gateways/{name}")
    made = answer["resource"]
    assert made["host"] == "gw.example.net" and made["registration"] is None and made["prefixes"] == [] and made["stop_codes"] == [486, 487]
    assert made["sip"] == SIP_DEFAULTS and made["password"] == {"set": False} and "reply_address" not in made
    assert answer["diff"][0]["op"] == "create" and {"pointer": "/sip/privacy", "from": None, "to": "inherit"} in answer["diff"][0]["fields"]
    api.patch(f"/routing-gateways/{name}", priority=5, prefixes=["49", "+49", "*#"], callee_rewrite=RULES, stop_codes=[404]).expect(200)
    now = api.get(f"/routing-gateways/{name}").expect(200)
    assert (now["priority"], now["prefixes"], now["callee_rewrite"], now["stop_codes"]) == (5, ["49", "+49", "*#"], RULES, [404])
    assert now.etag == f'"r{now["revision"]}"'
    assert name in [item["name"] for item in api.pages("/routing-gateways")]
    api.post("/routing-gateways", name=name, **ROUTING).expect(409, "exists")
    api.delete(f"/routing-gateways/{name}").expect(200)
    api.get(f"/routing-gateways/{name}").expect(404)
    api.patch(f"/routing-gateways/{name}", priority=5).expect(404)


def test_a_mapping_gateway_lives_from_put_to_delete(api, name):
    source = address(name)
    answer = api.put(f"/mapping-gateways/{name}", sources=[f"{source}/32"], trusted=True, sip={"callee": "request_line"}).expect(201)
    made = answer["resource"]
    assert made["sources"] == [source] and made["trusted"] is True
    assert made["sip"] == {"callee": "request_line", "caller": "from", "reply_address": "socket", "request_address": "socket",
                           "session_timer": "on"}
    assert api.put(f"/mapping-gateways/{name}", sources=[source], trusted=True, sip={"callee": "request_line"}).expect(200)["changed"] is False
    api.put(f"/mapping-gateways/{name}", sources=[source]).expect(200)
    now = api.get(f"/mapping-gateways/{name}")
    assert now["trusted"] is False and now["sip"]["callee"] == "to", "PUT replaces"
    api.delete(f"/mapping-gateways/{name}").expect(200)


def test_a_patch_merges_inside_sip_and_null_is_the_default(api, name):
    api.post("/routing-gateways", name=name, **ROUTING, sip={"privacy": "id", "timeout_invite": 7}).expect(201)
    answer = api.patch(f"/routing-gateways/{name}", sip={"reply_address": "via", "timeout_invite": None}).expect(200)
    assert answer["diff"][0]["fields"] == [{"pointer": "/sip/reply_address", "from": "socket", "to": "via"},
                                           {"pointer": "/sip/timeout_invite", "from": 7, "to": "inherit"}]
    assert answer["resource"]["sip"] == {**SIP_DEFAULTS, "privacy": "id", "reply_address": "via"}
    assert api.patch(f"/routing-gateways/{name}", sip={}).expect(200)["changed"] is False
    assert api.patch(f"/routing-gateways/{name}", sip=None).expect(200)["resource"]["sip"] == SIP_DEFAULTS


@pytest.mark.parametrize("timeout", ["timeout_invite", "timeout_trying", "timeout_session_progress", "timeout_session_progress_sdp",
                                     "timeout_ringing"])
def test_a_timeout_of_0_inherits(api, name, timeout):
    api.put(f"/routing-gateways/{name}", **ROUTING, sip={timeout: 20}).expect(201)
    assert api.patch(f"/routing-gateways/{name}", sip={timeout: 0}).expect(200)["resource"]["sip"][timeout] == "inherit"
    assert api.patch(f"/routing-gateways/{name}", sip={timeout: "inherit"}).expect(200)["changed"] is False
    api.delete(f"/routing-gateways/{name}").expect(200)


@pytest.mark.parametrize("path", ["/routing-gateways", "/mapping-gateways"])
def test_get_then_put_round_trips(api, name, path):
    body = {"name": name, "username": name, "password": "hush-hush", "callee_rewrite": RULES, "note": "\u00fc \"quoted\" {,}",
            "sip": {"reply_address": "via_port"}}
    body.update({"host": "[2001:db8::1]", "prefixes": ["", "0049"]} if path == "/routing-gateways"
                else {"authentication": "digest", "allowed_prefixes": ["0", "+"], "sources": [address(name + path)]})
    created = api.post(path, body).expect(201)
    answer = api.get(f"{path}/{name}").expect(200)
    assert answer["password"] == {"set": True} and "hush-hush" not in created.text + answer.text
    assert api.put(f"{path}/{name}", answer.json).expect(200)["changed"] is False
    api.delete(f"{path}/{name}").expect(200)
    again = {**answer.json, "password": "hush-hush"}
    shown = api.put(f"{path}/{name}", again).expect(201)["resource"]
    assert {k: v for k, v in shown.items() if k not in ("revision", "changed_at")} == \
        {k: v for k, v in answer.json.items() if k not in ("revision", "changed_at")}
    api.patch(f"{path}/{name}", password=None).expect(200)
    assert api.get(f"{path}/{name}")["password"] == {"set": False}


# ---- what is wrong

@pytest.mark.parametrize("body, pointer, code", [
    ({"host": "gw", "prefixes": ["49", "4a"]}, "/prefixes/1", "bad_format"),
    ({"host": "gw", "prefixes": ["1" * 21]}, "/prefixes/0", "too_long"),
    ({"host": "gw", "prefixes": ["1", "2", "1"]}, "/prefixes/2", "not_unique"),
    ({"host": "gw", "prefixes": [str(n) for n in range(65)]}, "/prefixes", "too_long"),
    ({"host": "gw", "prefixes": "49"}, "/prefixes", "wrong_type"), ({"host": "gw", "prefixes": [49]}, "/prefixes/0", "wrong_type"),
    ({"host": "gw", "stop_codes": [299]}, "/stop_codes/0", "out_of_range"), ({"host": "gw", "stop_codes": [600]}, "/stop_codes/0", "out_of_range"),
    ({"host": "gw", "stop_codes": [404, 404]}, "/stop_codes/1", "not_unique"), ({"host": "gw", "stop_codes": [404.0]}, "/stop_codes/0", "wrong_type"),
    ({"host": "gw", "callee_rewrite": [{"match": "1", "replace": "2"}, {"match": "x", "replace": ""}]}, "/callee_rewrite/1/match", "bad_format"),
    ({"host": "gw", "callee_rewrite": [{"match": "1"}]}, "/callee_rewrite/0/replace", "required"),
    ({"host": "gw", "callee_rewrite": [{"match": "1", "replace": "2", "comment": "x"}]}, "/callee_rewrite/0/comment", "unknown_field"),
    ({"host": "gw", "caller_rewrite": [{"match": "1", "replace": "2"}, {"match": "1", "replace": "3"}]}, "/caller_rewrite/1/match", "not_unique"),
    ({"host": "gw", "caller_rewrite": [{"match": str(n), "replace": ""} for n in range(33)]}, "/caller_rewrite", "too_long"),
    ({"host": "gw", "caller_rewrite": ["1=2"]}, "/caller_rewrite/0", "wrong_type"),
    ({"host": "gw", "registration": "nobody"}, "/registration", "unknown_reference"),
    ({"host": "gw", "inbound_mapping": "nobody"}, "/inbound_mapping", "unknown_reference"),
    ({"host": "gw", "registration": ""}, "/registration", "bad_format"), ({"host": "gw", "registration": 7}, "/registration", "wrong_type"),
    ({"host": "gw", "sip": {"privacy": "user"}}, "/sip/privacy", "not_an_option"), ({"host": "gw", "sip": {"nothing": 1}}, "/sip/nothing", "unknown_field"),
    ({"host": "gw", "sip": {"host": "gw"}}, "/sip/host", "unknown_field"), ({"host": "gw", "privacy": "id"}, "/privacy", "unknown_field"),
    ({"host": "gw", "sip": 7}, "/sip", "wrong_type"), ({"host": "gw", "sip": {"timeout_invite": 121}}, "/sip/timeout_invite", "out_of_range"),
    ({"host": "gw", "sip": {"timeout_invite": -1}}, "/sip/timeout_invite", "out_of_range"), ({}, "/host", "required"),
    ({"host": "gw", "listener": "nowhere"}, "/listener", "unknown_reference")])
def test_a_routing_gateways_bad_field_is_named(api, name, body, pointer, code):
    before = api.get("/status")["mgmtd"]["stored_revision"]
    violation = api.post("/routing-gateways", {"name": name, **body}).expect(422).violation(pointer, code)
    assert violation["detail"]
    if code in ("out_of_range", "too_long"):
        assert violation["max"] is not None and "got" in violation
    assert api.get("/status")["mgmtd"]["stored_revision"] == before


@pytest.mark.parametrize("source, code", [
    ("10.0.0.256", "bad_format"), ("10.0.0.1/24", "bad_format"), ("10.0.0.0/33", "bad_format"), ("10.0.0.1:0", "bad_format"),
    ("10.0.0.1:65536", "bad_format"), ("2001:db8::1/64", "bad_format"), ("[2001:db8::1]", "bad_format"), ("::ffff:10.0.0.1", "bad_format"),
    ("gw.example.net", "bad_format"), ("", "bad_format"), ("10.0.0.0:5060/24", "bad_format"), ("1" * 48, "too_long"), (7, "wrong_type")])
def test_a_bad_source_is_named(api, name, source, code):
    api.post("/mapping-gateways", name=name, sources=["198.51.100.7", source]).expect(422).violation("/sources/1", code)


def test_sources_take_one_form(api, name):
    given = ["10.200.0.0/16", "10.200.0.1/32", "10.200.0.1:05060", "2001:DB8:0:0::/32", "2001:db8:0::1/128", "[2001:db8::0001]:5060"]
    kept = ["10.200.0.0/16", "10.200.0.1", "10.200.0.1:5060", "2001:db8::/32", "2001:db8::1", "[2001:db8::1]:5060"]
    assert api.post("/mapping-gateways", name=name, sources=given).expect(201)["resource"]["sources"] == kept
    api.patch(f"/mapping-gateways/{name}", sources=["10.200.0.1", "10.200.0.1/32"]).expect(422).violation("/sources/1", "not_unique")
    api.delete(f"/mapping-gateways/{name}").expect(200)


def test_all_violations_are_told_at_once_also_those_between_objects(api, name):
    answer = api.post("/changes", changes=[
        {"op": "put", "kind": "routing-gateways", "name": name, "value":
            {"host": "a b", "registration": "nobody", "prefixes": ["x", "1", "1"], "sip": {"display": "no", "what": 1}}},
        {"op": "put", "kind": "sip-parameters", "name": "SS_SIP_RESEND_INTERVAL", "value": [0.5, 1, 3]}]).expect(422)
    prefix = "/changes/0/value"
    assert {(e["pointer"], e["code"]) for e in answer["errors"]} == {
        (f"{prefix}/host", "bad_format"), (f"{prefix}/registration", "unknown_reference"), (f"{prefix}/prefixes/0", "bad_format"),
        (f"{prefix}/prefixes/2", "not_unique"), (f"{prefix}/sip/display", "not_an_option"), (f"{prefix}/sip/what", "unknown_field"),
        ("/changes/1/value", "not_a_doubling_list")}


# ---- parameters of new types

@pytest.mark.parametrize("value, pointer, code", [
    ([0.5], "", "out_of_range"), ([0.5, 1, 2, 4] + [4] * 13, "", "too_long"), ([0.05, 0.1], "/0", "out_of_range"), ([16, 32, 33], "/2", "out_of_range"),
    ([4, 2], "", "not_a_doubling_list"), ([0.5, 1.5, 2], "", "not_a_doubling_list"), ([1, 2, 4, 3], "", "not_a_doubling_list"),
    ([16, 32, 32], "", "out_of_range"), ([0.5, "1"], "/1", "wrong_type"), ({"t1": 0.5}, "", "wrong_type"), ([0.1234, 0.2468], "/0", "bad_format")])
def test_a_bad_list_of_intervals_is_named(api, value, pointer, code):
    api.patch("/sip-parameters", {"SS_SIP_RESEND_INTERVAL": value}).expect(422).violation("/SS_SIP_RESEND_INTERVAL" + pointer, code)
    api.put("/sip-parameters/SS_SIP_RESEND_INTERVAL", {"value": value}).expect(422).violation("/value" + pointer, code)


@pytest.mark.parametrize("value", [[0.5, 1, 2, 4, 4], [0.1, 0.2], [1, 1], [0.3, 0.6, 0.7], [0.123, 0.246], [32, 32]])
def test_a_list_of_intervals_reads_as_it_was_written(api, value):
    answer = api.put("/sip-parameters/SS_SIP_RESEND_INTERVAL", value=value).expect(200)
    assert json.dumps(value).replace(" ", "") in answer.text, "0.1 is not told as 0.10000000000000001"
    item = api.get("/sip-parameters/SS_SIP_RESEND_INTERVAL")
    assert (item["value"], item["type"], item["min"], item["max"], item["min_items"], item["max_items"]) == (value, "number_list", 0.1, 32, 2, 16)
    assert api.delete("/sip-parameters/SS_SIP_RESEND_INTERVAL").expect(200)["resource"]["value"] == [0.5, 1, 2, 4, 4, 4, 4, 4, 4, 4]


def test_the_challenge_code_is_401_or_407(api):
    violation = api.patch("/sip-parameters", SS_SIP_AUTHENTICATION_CODE=402).expect(422).violation("/SS_SIP_AUTHENTICATION_CODE", "not_an_option")
    assert violation["options"] == [401, 407] and violation["got"] == 402 and "401 or 407" in violation["detail"]
    api.patch("/sip-parameters", SS_SIP_AUTHENTICATION_CODE="407").expect(422).violation("/SS_SIP_AUTHENTICATION_CODE", "wrong_type")
    assert api.patch("/sip-parameters", SS_SIP_AUTHENTICATION_CODE=407).expect(200)["changed"]
    assert [o["value"] for o in api.get("/sip-parameters/SS_SIP_AUTHENTICATION_CODE")["options"]] == [401, 407]
    api.delete("/sip-parameters/SS_SIP_AUTHENTICATION_CODE").expect(200)


# ---- references

def test_what_is_referred_to_is_not_deleted(api, name):
    api.post("/mapping-gateways", name=name).expect(201)
    api.post("/registrations", name=name, inbound_mapping=name, **TRUNK).expect(201)
    api.post("/routing-gateways", name=name, registration=name, inbound_mapping=name, **ROUTING).expect(201)
    refused = api.delete(f"/mapping-gateways/{name}").expect(409, "in_use")
    assert sorted(refused.violation("", "in_use")["referrers"], key=str) == [
        {"kind": "registrations", "name": name, "field": "inbound_mapping"},
        {"kind": "routing-gateways", "name": name, "field": "inbound_mapping"}]
    assert f'registration "{name}"' in refused["detail"] and f'routing gateway "{name}"' in refused["detail"]
    assert api.delete(f"/registrations/{name}").expect(409, "in_use").violation("")["referrers"] == [
        {"kind": "routing-gateways", "name": name, "field": "registration"}]
    api.delete(f"/registrations/{name}", query={"dry_run": "true"}).expect(409, "in_use")
    api.patch(f"/routing-gateways/{name}", registration=None, inbound_mapping=None).expect(200)
    api.delete(f"/mapping-gateways/{name}").expect(409, "in_use")
    api.delete(f"/registrations/{name}").expect(200)
    api.delete(f"/mapping-gateways/{name}").expect(200)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_a_change_set_deletes_what_it_also_frees_in_any_order(api, name, order):
    together = [{"op": "delete", "kind": "mapping-gateways", "name": name},
                {"op": "patch", "kind": "registrations", "name": name, "value": {"inbound_mapping": None}},
                {"op": "delete", "kind": "routing-gateways", "name": name}]
    made = [{"op": "put", "kind": "routing-gateways", "name": name, "value": {"host": "gw", "inbound_mapping": name}},
            {"op": "put", "kind": "registrations", "name": name, "value": {"inbound_mapping": name, **TRUNK}},
            {"op": "put", "kind": "mapping-gateways", "name": name, "value": {}}]
    api.post("/changes", changes=[made[n] for n in order]).expect(200)
    partly = api.post("/changes", changes=together[:2]).expect(409, "in_use")
    assert [r["kind"] for r in partly.violation("/changes/0", "in_use")["referrers"]] == ["routing-gateways"]
    api.post("/changes", changes=[together[n] for n in order]).expect(200)
    api.get(f"/mapping-gateways/{name}").expect(404)
    api.delete(f"/registrations/{name}").expect(200)


def test_a_set_that_deletes_and_puts_anew_breaks_no_reference(api, name):
    api.post("/mapping-gateways", name=name).expect(201)
    api.post("/routing-gateways", name=name, inbound_mapping=name, **ROUTING).expect(201)
    api.post("/changes", changes=[{"op": "delete", "kind": "mapping-gateways", "name": name},
                                  {"op": "put", "kind": "mapping-gateways", "name": name, "value": {"trusted": True}}]).expect(200)
    api.post("/changes", changes=[{"op": "delete", "kind": "mapping-gateways", "name": name},
                                  {"op": "put", "kind": "routing-gateways", "name": name + "2", "value": {"host": "x", "inbound_mapping": name}}
                                  ]).expect(409, "in_use")
    api.delete(f"/mapping-gateways/{name}").expect(409, "in_use")


# ---- what no two may have

def test_a_source_belongs_to_one_gateway_in_whatever_form_it_is_written(api, name):
    source = address(name)
    api.post("/mapping-gateways", name=name, enabled=False, sources=["192.0.2.200", source]).expect(201)
    refused = api.post("/mapping-gateways", name=name + "2", sources=["192.0.2.201", f"{source}/32"]).expect(409, "not_unique")
    violation = refused.violation("/sources/1", "not_unique")
    assert violation["conflict"] == {"kind": "mapping-gateways", "name": name} and name in refused["detail"] and violation["got"] == source
    nested = source.rsplit(".", 1)[0] + ".0/24"
    api.post("/mapping-gateways", name=name + "2", sources=[nested, f"{source}:5060"]).expect(201)
    api.patch(f"/mapping-gateways/{name}2", sources=[source]).expect(409, "not_unique")
    swap = [{"op": "patch", "kind": "mapping-gateways", "name": name, "value": {"sources": [nested]}},
            {"op": "patch", "kind": "mapping-gateways", "name": name + "2", "value": {"sources": [source]}}]
    api.post("/changes", changes=swap).expect(200)
    api.post("/mapping-gateways", name=name + "3", sources=[source]).expect(409, "not_unique")
    api.delete(f"/mapping-gateways/{name}2").expect(200)
    api.post("/mapping-gateways", name=name + "3", sources=[source]).expect(201)
    twins = [{"op": "put", "kind": "mapping-gateways", "name": f"{name}{n}", "value": {"sources": ["192.0.2.222"]}} for n in (7, 8)]
    answer = api.post("/changes", changes=twins).expect(409, "not_unique")
    assert answer.violation("/changes/0/value/sources/0") and answer.violation("/changes/1/value/sources/0")


def test_a_digest_user_name_belongs_to_one_gateway_also_when_it_is_the_name(api, name):
    digest = {"authentication": "digest", "password": "hush-hush"}
    api.post("/mapping-gateways", name=name, **digest).expect(201)
    refused = api.post("/mapping-gateways", name=name + "2", username=name, **digest).expect(409, "not_unique")
    assert refused.violation("/username", "not_unique")["conflict"]["name"] == name
    api.post("/mapping-gateways", name=name + "2", username=name, authentication="ip").expect(201)
    api.patch(f"/mapping-gateways/{name}2", authentication="digest").expect(409, "not_unique")
    api.patch(f"/mapping-gateways/{name}", username="another-" + name[-20:]).expect(200)
    api.patch(f"/mapping-gateways/{name}2", authentication="digest").expect(200)


# ---- warnings

def codes(answer):
    return {(w["pointer"], w["code"]) for w in answer["warnings"]}


def test_what_is_probably_not_meant_is_a_warning(api, name):
    assert codes(api.post("/mapping-gateways", name=name).expect(201)) == {("/sources", "no_sources")}
    assert codes(api.patch(f"/mapping-gateways/{name}", authentication="digest").expect(200)) == {("/password", "no_password")}
    assert codes(api.patch(f"/mapping-gateways/{name}", password="hush-hush").expect(200)) == set()
    api.post("/registrations", name=name, **TRUNK).expect(201)
    made = api.post("/routing-gateways", name=name, registration=name, sip={"timeout_invite": 100}, **ROUTING).expect(201)
    assert codes(made) == {("/registration", "registration_disabled"), ("/sip/timeout_invite", "cross_field")}
    api.patch(f"/registrations/{name}", enabled=True).expect(200)
    assert codes(api.patch(f"/routing-gateways/{name}", sip={"timeout_trying": 100}).expect(200)) == set()
    gone = api.patch(f"/registrations/{name}", enabled=False).expect(200)
    assert ("/enabled", "registration_disabled") in codes(gone) and name in gone.text
    slow = api.patch("/sip-parameters", {"SS_SIP_TIMEOUT_INVITE": 21}, query={"dry_run": "true"}).expect(200)
    assert codes(slow) == {("/SS_SIP_TIMEOUT_INVITE", "cross_field")}


def test_the_inbound_side_of_a_registration_registers_nothing_anew(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.post("/mapping-gateways", name="in").expect(201)
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered")
    body = {"inbound_mapping": "in", "capacity": 30}
    assert api.patch("/registrations/carrier-a", body, query={"dry_run": "true"}).expect(200)["effects"]["reregister"]["count"] == 0
    assert api.patch("/registrations/carrier-a", body, query={"wait": "applied"}).expect(200)["applied"] == "yes"
    api.post("/registrations/carrier-a/refresh", query={"wait": "outcome"}).expect(200)
    assert [a["kind"] for a in api.attempts("carrier-a")] == ["manual", "initial"], "the change itself sent a REGISTER"


# ---- what inherit means

def test_effective_tells_what_inherit_means_now(api, name):
    api.post("/registrations", name=name, privacy="id", **TRUNK).expect(201)
    api.post("/routing-gateways", name=name, registration=name, sip={"timeout_ringing": 30}, **ROUTING).expect(201)
    api.patch("/sip-parameters", SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=True, SS_SIP_TIMEOUT_TRYING=33).expect(200)
    answer = api.get(f"/routing-gateways/{name}", effective="true").expect(200)
    assert answer.etag is None and set(answer["effective"]) == {"sip"}
    sip = answer["effective"]["sip"]
    assert sip["invite_use_contact"] == {"value": "on", "from": "SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT"}
    assert sip["display"] == {"value": "ignore", "from": "SS_SIP_E164_DISPLAY_FROM"}
    assert sip["timeout_trying"] == {"value": 33, "from": "SS_SIP_TIMEOUT_TRYING"}
    assert sip["timeout_ringing"] == {"value": 30, "from": "own"}
    assert sip["privacy"] == {"value": "id", "from": f"registration {name}"}
    api.patch(f"/routing-gateways/{name}", registration=None).expect(200)
    sip = api.get(f"/routing-gateways/{name}", effective="true")["effective"]["sip"]
    assert sip["privacy"] == {"value": "ignore", "from": "default"}
    api.patch("/sip-parameters", SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=None, SS_SIP_TIMEOUT_TRYING=None).expect(200)
    assert api.get(f"/routing-gateways/{name}", effective="true")["effective"]["sip"]["invite_use_contact"]["value"] == "off"
    assert api.get("/mapping-gateways", limit=1).status == 200


# ---- over a restart

def test_a_restart_keeps_everything_and_publishes_it_again(lab):
    api = lab.start("mgmtd", "switchcore").api()
    secret = "a very well known secret"
    api.post("/changes", changes=[
        {"op": "put", "kind": "routing-gateways", "name": "out", "value": {
            "host": "192.0.2.1", "registration": "trunk", "inbound_mapping": "in", "prefixes": ["", "49"], "callee_rewrite": RULES,
            "username": "u", "password": secret, "sip": {"timeout_invite": 5, "privacy": "id"}}},
        {"op": "put", "kind": "registrations", "name": "trunk", "value": {**TRUNK, "inbound_mapping": "in", "capacity": 4}},
        {"op": "put", "kind": "mapping-gateways", "name": "in", "value": {"sources": ["192.0.2.0/24"], "denied_prefixes": ["0190"]}},
        {"op": "put", "kind": "sip-parameters", "name": "SS_SIP_RESEND_INTERVAL", "value": [0.1, 0.2, 0.4]}]).expect(200)
    before = {path: api.get(path).json for path in ("/routing-gateways/out", "/registrations/trunk", "/mapping-gateways/in",
                                                    "/sip-parameters/SS_SIP_RESEND_INTERVAL")}
    lab.mgmtd.stop()
    (lab.run / "config").unlink()
    database = sqlite3.connect(lab.state / "tandem.db")
    assert secret not in "".join(str(row) for table in ("documents", "revisions") for row in database.execute(f"SELECT * FROM {table}"))
    database.close()
    lab.restart("mgmtd")
    api = lab.api()
    for path, shown in before.items():
        assert api.get(path).json == shown
    revision = api.get("/status")["mgmtd"]["stored_revision"]
    until(lambda: api.get("/status")["switchcore"]["applied_revision"] == revision, 5, "the switch to take up the new segment")
    api.delete("/mapping-gateways/in").expect(409, "in_use")
    api.delete("/registrations/trunk").expect(409, "in_use")
    api.post("/mapping-gateways", name="other", sources=["192.0.2.0/24"]).expect(409, "not_unique")


def test_the_history_shows_gateways_as_they_are_read(api, name):
    api.post("/routing-gateways", name=name, password="hush-hush", **ROUTING).expect(201)
    answer = api.patch(f"/routing-gateways/{name}", sip={"display": "caller"}, password="hush-hush-2").expect(200)
    revision = api.get(f"/revisions/{answer['revision']}").expect(200)
    (change,) = revision["changes"]
    assert change["before"]["sip"]["display"] == "inherit" and change["after"]["sip"]["display"] == "caller"
    assert {f["pointer"] for f in change["fields"]} == {"/password", "/sip/display"} and "hush" not in revision.text
