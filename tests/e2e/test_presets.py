"""Presets: the scenarios of the book as change-sets that can be sent as they are."""

import pytest

import sip
from exchange import APPLIED, NUMBER

MODE = "SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT"
TRUNKS = {"unknown-provider": ("auto", 60), "behind-nat": (180, 45), "same-lan": (1800, 60), "wholesale-trunk": ("auto", 60),
          "unstable-link": (90, 30), "several-trunks": (450, 60), "primary-trunk": (180, 30), "backup-trunk": ("auto", 180)}
GATEWAYS = {"standard-carrier": ("off", "to", "socket", "socket"), "legacy-request-line": ("on", "request_line", "socket", "socket"),
            "pstn-prefix-conversion": ("on", "request_line", "socket", "contact"), "gateway-behind-nat": ("off", "to", "socket", "socket"),
            "wholesale-prefixes": ("on", "request_line", "socket", "contact")}


def presets(api, **query):
    return {item["id"]: item for item in api.get("/presets", **query).expect(200)["items"]}


def test_without_a_subject_all_are_listed_and_none_can_be_sent(exchange):
    answer = exchange.api.get("/presets").expect(200)
    assert {item["id"] for item in answer["items"]} == set(TRUNKS) | set(GATEWAYS)
    assert all(item["changes"] is None and item["why"] and item["title"] and item["scenario"] for item in answer["items"])
    assert [(row["retry_delay"], row["first_retry_s"], row["five_retries_s"]) for row in answer["retry_delays"]] == [
        (30, 30, 150), (60, 60, 300), (120, 120, 600), (300, 300, 1500)]
    assert "32 s" in answer["note"]


def test_each_registration_preset_takes_effect_and_reaches_the_registrar(exchange):
    registrar = exchange.registration("trunk", register_period=777, retry_delay=599)
    found = presets(exchange.api, registration="trunk")
    assert set(found) == set(TRUNKS)
    for name, (period, delay) in TRUNKS.items():
        assert found[name]["kind"] == "registrations" and found[name]["values"] == {"register_period": period, "retry_delay": delay}
        exchange.api.post("/changes", body=found[name]["changes"], query=APPLIED).expect(200)
        effective = exchange.api.get("/registrations/trunk", effective="true")["effective"]
        assert effective["register_period"] == {"value": period, "from": "own"} and effective["retry_delay"] == {"value": delay, "from": "own"}
        asked = 3600 if period == "auto" else period
        registrar.take(lambda m: not m.is_response and m.method == "REGISTER" and m.contact_expires == asked, 3, f"REGISTER with {asked}")


def test_several_trunks_are_set_by_one_change_set(exchange):
    exchange.registration("trunk-a")
    exchange.registration("trunk-b")
    preset = presets(exchange.api, registration="trunk-a,trunk-b")["several-trunks"]
    answer = exchange.api.post("/changes", body=preset["changes"], query=APPLIED).expect(200)
    assert sorted(change["name"] for change in answer["diff"]) == ["trunk-a", "trunk-b"]


@pytest.mark.parametrize("preset", GATEWAYS)
def test_each_gateway_preset_takes_effect_and_nothing_global(exchange, preset):
    mode, callee, reply, request = GATEWAYS[preset]
    caller = exchange.caller()
    exchange.caller("other")
    gateway = exchange.gateway(callee_rewrite=[{"match": "880", "replace": "99880"}],
                               sip={"reply_address": "via", "request_address": "contact_port"})
    found = presets(exchange.api, routing_gateway="gateway", mapping_gateway="caller")
    assert set(found) == set(GATEWAYS)
    item = found[preset]
    assert item["kind"] == "routing-gateways"
    assert item["values"] == {"invite_use_contact": mode, "callee": callee, "reply_address": reply, "request_address": request}
    exchange.api.post("/changes", body=item["changes"], query=APPLIED).expect(200)
    sip_of = lambda kind, name: exchange.api.get(f"/{kind}/{name}").expect(200)["sip"]
    own = sip_of("routing-gateways", "gateway")
    assert (own["invite_use_contact"], own["reply_address"], own["request_address"]) == (mode, reply, request)
    assert sip_of("mapping-gateways", "caller")["callee"] == callee and sip_of("mapping-gateways", "other")["callee"] == "to"
    assert exchange.api.get(f"/sip-parameters/{MODE}")["source"] == "default"

    host, port = caller.switch
    call = caller.invite("", uri=f"sip:{NUMBER}@{host}:{port}", to=f"<sip:8807777@{host}>")
    leg = gateway.incoming()
    expected = {"off": ("998807777", "998807777"), "on": ("99" + NUMBER, "8807777")}[mode]
    assert (sip.user_of(leg.invite.uri), sip.user_of(leg.invite["to"])) == expected
    leg.reply(486)
    call.invite.expect(486)


def test_a_gateway_preset_without_mapping_gateways_touches_none(exchange):
    exchange.gateway()
    preset = presets(exchange.api, routing_gateway="gateway")["legacy-request-line"]
    assert [change["kind"] for change in preset["changes"]["changes"]] == ["routing-gateways"]


@pytest.mark.parametrize("query", [{"registration": "nobody"}, {"routing_gateway": "gateway,nobody"}, {"mapping_gateway": "a,,b"},
                                   {"routing_gateway": "x" * 64}, {"registration": ","}])
def test_an_unknown_subject_is_refused_by_name(exchange, query):
    exchange.gateway()
    problem = exchange.api.get("/presets", **query).expect(422)
    (violation,) = problem["errors"]
    assert violation["code"] == "unknown_reference" and violation["parameter"] in query


def test_there_is_a_limit_to_the_subjects_of_one_change_set(exchange):
    exchange.gateway()
    assert "64" in exchange.api.get("/presets", routing_gateway=",".join(["gateway"] * 65)).expect(422)["detail"]
    exchange.api.get("/presets", routing_gateway=",".join(["gateway"] * 64)).expect(200)
