"""Advice: each known trouble is made for real, recognised, and gone once its fix was sent."""

import re

import pytest

import peer as peers
import sip
from dialog import ANSWER
from exchange import APPLIED, NUMBER
from lab import loopback_address
from until import stays, until

UNREGISTER = "SS_SIP_USER_AGENT_SEND_UNREGISTER"
REWRITE = [{"match": "880", "replace": "99880"}]


def advice(api, name, **query):
    """What is advised about the subjects of this name, by trouble."""
    return {item["trouble"]: item for item in api.pages("/advice", name=name, **query)}


def advised(api, name, trouble, within=5):
    """The advice, once it is there; complete, and its evidence can be read."""
    item = until(lambda: advice(api, name).get(trouble), within, lambda: f"{trouble} of {name}; there is {advice(api, name)}")
    assert item["severity"] in ("info", "warning", "critical") and item["subject"]["name"] == name
    assert item["id"] == f"{trouble}:{item['subject']['kind']}:{name}" and re.fullmatch(r"\d{4}-.*Z", item["since"])
    assert item["symptom"] and item["cause"] and item["steps"] and item["evidence"], item
    for path in item["evidence"]:
        assert path.startswith("/api/v1/")
        api.get(path.removeprefix("/api/v1")).expect(200)
    return item


def mended(api, item):
    """Sends the fix as it is, and waits until the advice is gone."""
    assert item["fix"], item
    api.post("/changes", body=item["fix"], query=APPLIED).expect(200)
    name = item["subject"]["name"]
    until(lambda: item["trouble"] not in advice(api, name), 5, lambda: f"end of {item['trouble']}; there is {advice(api, name)}")


def registered(exchange, name, answer, state="registered", **fields):
    """A registration at a scripted registrar."""
    registrar = exchange.lab.peer(answer)
    exchange.make("registrations", name, **{"server": registrar.host, "port": registrar.port, "username": name, "password": "x", **fields})
    exchange.api.wait_for_state(name, state)
    return registrar


def refresh(api, name, times=1):
    for _ in range(times):
        api.post(f"/registrations/{name}/refresh", query={"wait": "outcome"}).expect(200)


def behind_nat(request, peer):
    answer = sip.response(request, 200)
    return answer.replace(b"received=" + request.source[0].encode(), b"received=198.51.100.7")


# ------------------------------------------------------------------ registrations

def test_nat_with_a_long_expiry_and_no_keep_alive(exchange):
    registrar = registered(exchange, "nat", behind_nat)
    item = advised(exchange.api, "nat", "nat_binding")
    assert item["severity"] == "warning" and "198.51.100.7" in item["cause"] and "3600 s" in item["cause"] and "300 s" in item["cause"]
    (change,) = item["fix"]["changes"]
    assert change == {"op": "patch", "kind": "registrations", "name": "nat", "value": {"register_period": 180, "keep_alive": 30}}
    mended(exchange.api, item)
    assert registrar.registers()[-1].contact_expires == 180


def test_nat_with_a_short_expiry_lacks_only_the_keep_alive(exchange):
    registered(exchange, "nat", behind_nat, register_period=240)
    item = advised(exchange.api, "nat", "nat_binding")
    assert item["fix"]["changes"][0]["value"] == {"keep_alive": 30}
    mended(exchange.api, item)


def test_nat_before_a_server_that_insists_on_a_long_expiry(exchange):
    def answer(request, peer):
        brief = (request.contact_expires or 0) < 900
        return sip.response(request, 423, headers=[("Min-Expires", "900")]) if brief else behind_nat(request, peer)
    registered(exchange, "nat", answer, register_period=180)
    item = advised(exchange.api, "nat", "nat_binding")
    assert item["fix"]["changes"][0]["value"] == {"keep_alive": 30} and "900 s (423)" in item["steps"][0]
    mended(exchange.api, item)


def test_nothing_is_advised_about_a_registration_that_is_well(exchange):
    registered(exchange, "well", peers.accept)
    stays(lambda: not advice(exchange.api, "well"), 0.3, lambda: f"no advice expected: {advice(exchange.api, 'well')}")


def test_an_expiry_of_ours_that_floods_the_server(exchange):
    registrar = registered(exchange, "flood", peers.accept, register_period=30)
    item = advised(exchange.api, "flood", "short_expiry")
    assert "Our setting" in item["cause"] and "30 s" in item["cause"] and "register_period" in item["cause"]
    mended(exchange.api, item)
    assert registrar.registers()[-1].contact_expires == 120


def test_a_short_grant_of_the_servers_is_the_providers_to_mend(exchange):
    registered(exchange, "flood", peers.granting(40))
    item = advised(exchange.api, "flood", "short_expiry")
    assert item["fix"] is None and "server" in item["cause"] and "40 s" in item["cause"] and "provider" in item["steps"][0]


def test_a_value_raised_by_423_shows_both(exchange):
    def answer(request, peer):
        brief = (request.contact_expires or 0) < 600
        return sip.response(request, 423, headers=[("Min-Expires", "600")]) if brief else sip.response(request, 200)
    registrar = registered(exchange, "picky", answer, register_period=150)
    item = advised(exchange.api, "picky", "expiry_raised")
    assert item["severity"] == "info" and "150 s" in item["cause"] and "600 s" in item["cause"]
    mended(exchange.api, item)
    until(lambda: registrar.registers()[-1].contact_expires == 600, 3, "REGISTER with 600")


def test_a_fixed_value_cut_by_the_server_shows_both(exchange):
    registered(exchange, "cut", peers.granting(200), register_period=900)
    item = advised(exchange.api, "cut", "expiry_cut")
    assert item["severity"] == "info" and "900 s" in item["cause"] and "200 s" in item["cause"]
    mended(exchange.api, item)


def test_a_value_cut_to_a_flood_is_not_made_a_setting_of_ours(exchange):
    registered(exchange, "cut", peers.granting(40), register_period=900)
    item = advised(exchange.api, "cut", "expiry_cut")
    assert item["fix"]["changes"][0]["value"] == {"register_period": "auto"}
    mended(exchange.api, item)
    assert "The server's choice" in advised(exchange.api, "cut", "short_expiry")["cause"]


def test_a_retry_delay_above_half_of_what_is_granted(exchange):
    registered(exchange, "late", peers.granting(100))
    item = advised(exchange.api, "late", "late_retry")
    assert "60 s" in item["cause"] and "100 s" in item["cause"]
    assert item["fix"]["changes"][0]["value"] == {"retry_delay": 50}
    mended(exchange.api, item)


def test_a_grant_that_no_retry_delay_fits_is_the_providers_to_mend(exchange):
    registered(exchange, "late", peers.granting(50))
    item = advised(exchange.api, "late", "late_retry")
    assert item["fix"] is None and "60 s" in item["steps"][0]


def test_ten_failures_running_at_a_short_delay(exchange):
    registered(exchange, "failing", peers.refusing(503), state="waiting", retry_delay=30)
    refresh(exchange.api, "failing", 8)
    assert exchange.api.status("failing")["consecutive_failures"] == 9
    assert "many_failures" not in advice(exchange.api, "failing")
    refresh(exchange.api, "failing")
    item = advised(exchange.api, "failing", "many_failures")
    assert "10 times" in item["symptom"] and "30 s" in item["symptom"] and "server_error" in item["cause"]
    mended(exchange.api, item)
    assert exchange.api.get("/registrations/failing", effective="true")["retry_delay"] == 60


def test_credentials_that_are_refused(exchange):
    registered(exchange, "wrong", peers.challenging(sip.Challenge(), "wrong", "another"), state="waiting")
    item = advised(exchange.api, "wrong", "credentials")
    assert item["severity"] == "critical" and "401" in item["cause"] and item["fix"] is None
    exchange.change("registrations", "wrong", password="another")
    until(lambda: "credentials" not in advice(exchange.api, "wrong"), 5, "end of credentials")


def test_silence_after_refusals_may_be_a_block(exchange):
    exchange.set(SS_SIP_RESEND_INTERVAL=[0.1, 0.1])
    registered(exchange, "blocked", peers.in_turn(peers.refusing(403), peers.silent), state="waiting")
    refresh(exchange.api, "blocked", 4)
    assert exchange.api.status("blocked")["reason"] == "timeout"
    assert "address_blocked" not in advice(exchange.api, "blocked")
    refresh(exchange.api, "blocked")
    item = advised(exchange.api, "blocked", "address_blocked")
    assert item["severity"] == "critical" and "403" in item["cause"] and "5 attempts" in item["cause"]


def test_silence_alone_is_no_block(exchange):
    exchange.set(SS_SIP_RESEND_INTERVAL=[0.1, 0.1])
    registered(exchange, "silent", peers.in_turn(peers.accept, peers.silent))
    refresh(exchange.api, "silent", 6)
    assert exchange.api.status("silent")["consecutive_failures"] == 6
    assert "address_blocked" not in advice(exchange.api, "silent")


def test_silence_is_told_from_a_block_also_when_the_refusal_is_long_past(exchange):
    exchange.set(SS_SIP_RESEND_INTERVAL=[0.1, 0.1])
    registered(exchange, "blocked", peers.in_turn(peers.refusing(401), peers.silent), state="waiting")
    advised(exchange.api, "blocked", "credentials")
    refresh(exchange.api, "blocked", 21)
    assert 401 not in [attempt["code"] for attempt in exchange.api.attempts("blocked")]
    advised(exchange.api, "blocked", "address_blocked")


# ------------------------------------------------------------------ the trunk and its gateways

def test_a_slow_retry_on_the_only_route_and_no_backup(exchange):
    registered(exchange, "trunk", peers.accept, retry_delay=240)
    exchange.gateway("through-trunk", prefixes=["8801"], registration="trunk")
    item = advised(exchange.api, "trunk", "slow_retry")
    assert "8801" in item["symptom"] and "240 s" in item["cause"] and "only" in item["cause"]
    lone = advised(exchange.api, "through-trunk", "no_backup")
    assert lone["severity"] == "info" and lone["fix"] is None and "8801" in lone["symptom"]
    exchange.gateway("second", prefixes=["880"])
    until(lambda: "no_backup" not in advice(exchange.api, "through-trunk"), 5, "end of no_backup")
    item = advised(exchange.api, "trunk", "slow_retry")
    assert "first" in item["cause"]
    mended(exchange.api, item)


def test_a_gateway_that_takes_the_place_of_a_deleted_one_is_judged_for_itself(exchange):
    registered(exchange, "trunk", peers.accept)
    exchange.make("routing-gateways", "before", host=loopback_address(), registration="trunk")
    advised(exchange.api, "before", "no_backup")
    exchange.api.delete("/routing-gateways/before", query=APPLIED).expect(200)
    exchange.make("routing-gateways", "after", host=loopback_address(), registration="trunk", prefixes=["881"])
    assert not advice(exchange.api, "before")
    assert '"881"' in advised(exchange.api, "after", "no_backup")["symptom"]


def test_a_slow_retry_on_a_backup_trunk_is_well(exchange):
    registered(exchange, "trunk", peers.accept, retry_delay=240)
    exchange.gateway("through-trunk", registration="trunk", priority=200)
    exchange.gateway("first", priority=100)
    stays(lambda: not advice(exchange.api, "trunk"), 0.3, lambda: f"no advice expected: {advice(exchange.api, 'trunk')}")


def test_a_gateway_in_routing_whose_registration_is_down(exchange):
    registrar = registered(exchange, "trunk", peers.refusing(503), state="waiting")
    exchange.gateway("through-trunk", registration="trunk")
    item = advised(exchange.api, "through-trunk", "registration_down")
    assert item["severity"] == "critical" and "waiting" in item["cause"] and "trunk" in item["cause"]
    registrar.answer = peers.accept
    refresh(exchange.api, "trunk")
    until(lambda: "registration_down" not in advice(exchange.api, "through-trunk"), 5, "end of registration_down")


def test_a_gateway_in_routing_whose_registration_is_disabled(exchange):
    registered(exchange, "trunk", peers.accept)
    exchange.gateway("through-trunk", registration="trunk")
    exchange.change("registrations", "trunk", enabled=False)
    item = advised(exchange.api, "through-trunk", "registration_down")
    mended(exchange.api, item)
    assert exchange.api.wait_for_state("trunk", "registered")
    exchange.change("registrations", "trunk", enabled=False)
    advised(exchange.api, "through-trunk", "registration_down")
    exchange.change("routing-gateways", "through-trunk", locked=True)
    assert "registration_down" not in advice(exchange.api, "through-trunk")


def test_unregister_is_off(exchange):
    assert not advice(exchange.api, UNREGISTER)
    exchange.set(**{UNREGISTER: False})
    item = advised(exchange.api, UNREGISTER, "unregister_off")
    assert item["subject"] == {"kind": "sip-parameters", "name": UNREGISTER}
    mended(exchange.api, item)


# ------------------------------------------------------------------ numbers

def answering(gateway, refuses):
    """404 to what it refuses, busy to all else."""
    def answer(request):
        if request.method == "INVITE":
            request.reply(404 if refuses(request) else 486)
        elif request.method != "ACK":
            request.reply(200)
    gateway.automatic = answer


def users(request):
    return sip.user_of(request.uri), sip.user_of(request["to"])


def call(exchange, caller, code, number=NUMBER, times=1):
    """Calls that end so, one after the other, and the record of the last."""
    for _ in range(times):
        attempt = caller.invite(number)
        attempt.invite.expect(code)
    return exchange.cdr(attempt)


def test_a_gateway_that_reads_to_while_the_dialled_number_stands_there(exchange):
    caller = exchange.caller()
    gateway = exchange.gateway(callee_rewrite=REWRITE, prefixes=["880", "770"], sip={"invite_use_contact": "on"})
    answering(gateway, lambda request: users(request)[0] != users(request)[1])
    caller.invite("7701234").invite.expect(486)
    call(exchange, caller, 404, times=2)
    assert not advice(exchange.api, "gateway")
    record = call(exchange, caller, 404)
    item = advised(exchange.api, "gateway", "gateway_reads_to")
    assert f"/api/v1/cdrs/{record['id']}" in item["evidence"] and "99880" in item["symptom"] and "3 calls" in item["symptom"]
    assert item["fix"]["changes"] == [{"op": "patch", "kind": "routing-gateways", "name": "gateway", "value": {"sip": {"invite_use_contact": "off"}}}]
    mended(exchange.api, item)
    call(exchange, caller, 486)
    assert users(gateway.requests("INVITE")[-1]) == ("99" + NUMBER, "99" + NUMBER)


def test_a_gateway_that_looks_the_dialled_number_up_in_to(exchange):
    caller, gateway = exchange.caller(), exchange.gateway(callee_rewrite=REWRITE)
    answering(gateway, lambda request: users(request)[1] != NUMBER)
    call(exchange, caller, 404, times=3)
    item = advised(exchange.api, "gateway", "gateway_wants_dialled")
    mended(exchange.api, item)
    call(exchange, caller, 486)
    assert users(gateway.requests("INVITE")[-1]) == ("99" + NUMBER, NUMBER)


def test_a_gateway_is_judged_also_when_another_one_takes_its_calls(exchange):
    caller = exchange.caller()
    gateway = exchange.gateway(callee_rewrite=REWRITE, priority=1)
    answering(gateway, lambda request: users(request)[1] != NUMBER)
    exchange.gateway("second", priority=2).always(486)
    call(exchange, caller, 486, times=3)
    advised(exchange.api, "gateway", "gateway_wants_dialled")
    assert not advice(exchange.api, "second")


def test_the_calls_of_a_deleted_gateway_are_not_those_of_a_new_one_of_its_name(exchange):
    caller = exchange.caller()
    exchange.gateway(callee_rewrite=REWRITE).always(404)
    call(exchange, caller, 404, times=3)
    exchange.api.delete("/routing-gateways/gateway", query=APPLIED).expect(200)
    exchange.gateway(callee_rewrite=REWRITE)
    assert not advice(exchange.api, "gateway")


def test_a_gateway_that_refuses_every_number_is_not_told_to_change_its_mode(exchange):
    caller = exchange.caller()
    gateway = exchange.gateway(callee_rewrite=REWRITE, prefixes=["880", "770"])
    answering(gateway, lambda request: True)
    caller.invite("7701234").invite.expect(404)
    call(exchange, caller, 404, times=4)
    assert not advice(exchange.api, "gateway")


def test_a_caller_whose_request_line_has_another_number(exchange):
    caller = exchange.caller()
    host, port = caller.switch
    for index in range(10):
        if index == 9:
            assert not advice(exchange.api, "caller")
        attempt = caller.invite("", uri=f"sip:7001@{host}:{port}", to=f"<sip:{NUMBER}@{host}>")
        attempt.invite.expect(404)
        if index >= 8:
            exchange.cdr(attempt)
    item = advised(exchange.api, "caller", "request_line_differs")
    assert "7001" in item["symptom"] and NUMBER in item["symptom"] and "10 INVITEs" in item["symptom"]
    mended(exchange.api, item)


# ------------------------------------------------------------------ addresses

@pytest.mark.parametrize("contact, lost", [("10.1.2.3:5060", True), ("0.0.0.0", True), ("[fd00::1]:5060", True), ("gw.example.com", False),
                                           (None, False)])
def test_a_gateway_whose_contact_cannot_be_reached(exchange, contact, lost):
    caller, gateway = exchange.caller(), exchange.gateway(sip={"request_address": "contact"})
    gateway.contact_uri = f"sip:gateway@{contact}" if contact else None
    attempt = caller.invite(NUMBER)
    leg = gateway.incoming()
    leg.reply(180)     # no 200: the ACK to it would leave this machine
    leg.reply(486)
    attempt.invite.expect(180)
    attempt.invite.expect(486)
    exchange.cdr(attempt)
    if not lost:
        assert not advice(exchange.api, "gateway")
        return
    item = advised(exchange.api, "gateway", "private_contact")
    assert contact.replace(":5060", "") in item["cause"] and gateway.host in item["cause"]
    mended(exchange.api, item)


def test_a_caller_whose_contact_cannot_be_reached(exchange):
    caller = exchange.caller(sip={"request_address": "contact_port"})
    caller.contact_uri = "sip:caller@192.168.7.7:5062"
    call(exchange, caller, 404)
    item = advised(exchange.api, "caller", "private_contact")
    assert item["subject"]["kind"] == "mapping-gateways" and "192.168.7.7" in item["cause"] and "contact_port" in item["cause"]
    mended(exchange.api, item)


# ------------------------------------------------------------------ the list

def test_the_worst_comes_first_and_pages_hold_each_once(exchange):
    for index in range(3):
        exchange.make("registrations", f"many-{index}", server=loopback_address(), username="x", register_period=20, enabled=True)
    exchange.set(**{UNREGISTER: False})
    registered(exchange, "wrong", peers.challenging(sip.Challenge(), "wrong", "another"), state="waiting")
    advised(exchange.api, "wrong", "credentials")
    whole = exchange.api.get("/advice").expect(200).json
    severities = [item["severity"] for item in whole["items"]]
    assert severities == sorted(severities, key=["critical", "warning", "info"].index) and severities[0] == "critical"
    totals = {word: severities.count(word) for word in ("critical", "warning", "info")}
    assert whole["totals"] == totals and whole["next"] is None and whole["stale"] is False and whole["age_ms"] >= 0
    assert whole["revision"] == exchange.api.get("/status")["mgmtd"]["stored_revision"]
    one_by_one = exchange.api.pages("/advice", limit=1)
    assert [item["id"] for item in one_by_one] == [item["id"] for item in whole["items"]]
    assert [item["id"] for item in exchange.api.pages("/advice", severity="critical")] == [i["id"] for i in whole["items"] if i["severity"] == "critical"]
    assert [item["id"] for item in exchange.api.pages("/advice", kind="sip-parameters")] == [f"unregister_off:sip-parameters:{UNREGISTER}"]
    assert len(exchange.api.pages("/advice", kind="registrations", severity="warning", name="many-1")) == 1
    assert exchange.api.pages("/advice", name="nobody") == []


@pytest.mark.parametrize("query, parameter, code", [({"severity": "bad"}, "severity", "not_an_option"), ({"kind": "endpoint"}, "kind", "not_an_option"),
                                                    ({"cursor": "x"}, "cursor", "bad_format"), ({"cursor": "a1-"}, "cursor", "bad_format"),
                                                    ({"gateway": "x"}, "gateway", None)])
def test_a_query_that_makes_no_sense_is_refused(exchange, query, parameter, code):
    problem = exchange.api.get("/advice", **query).expect(422 if code else exchange.api.get("/advice", **query).status)
    assert problem.status in (400, 422)
    (violation,) = problem["errors"]
    assert violation["parameter"] == parameter and (code is None or violation["code"] == code)


def test_a_cursor_beyond_the_end_gives_an_empty_page(exchange):
    assert exchange.api.get("/advice", cursor="affffffff-ffffffff").expect(200)["items"] == []


def test_since_stays_while_the_trouble_lasts_and_is_new_when_it_comes_back(exchange):
    registered(exchange, "flood", peers.accept, register_period=30)
    first = advised(exchange.api, "flood", "short_expiry")
    refresh(exchange.api, "flood")
    assert advised(exchange.api, "flood", "short_expiry")["since"] == first["since"]
    exchange.change("registrations", "flood", register_period=120)
    until(lambda: not advice(exchange.api, "flood"), 5, "end of the flood")
    exchange.change("registrations", "flood", register_period=30)
    assert advised(exchange.api, "flood", "short_expiry")["since"] > first["since"]


def test_another_object_of_the_same_name_starts_with_a_clean_sheet(exchange):
    registered(exchange, "wrong", peers.challenging(sip.Challenge(), "wrong", "another"), state="waiting")
    advised(exchange.api, "wrong", "credentials")
    exchange.api.delete("/registrations/wrong", query=APPLIED).expect(200)
    assert not advice(exchange.api, "wrong")
    registered(exchange, "wrong", peers.accept)
    assert not advice(exchange.api, "wrong")


def test_advice_outlives_the_switch_and_says_that_it_is_stale(own_exchange):
    registered(own_exchange, "wrong", peers.challenging(sip.Challenge(), "wrong", "another"), state="waiting")
    advised(own_exchange.api, "wrong", "credentials")
    own_exchange.lab.kill("switchcore")
    own_exchange.lab.wait_switch("down")
    answer = own_exchange.api.get("/advice").expect(200)
    assert answer["stale"] is True and [item["trouble"] for item in answer["items"]] == ["credentials"]
    own_exchange.lab.start("switchcore").wait_switch()
    own_exchange.api.wait_for_state("wrong", "waiting", stale=False)
    advised(own_exchange.api, "wrong", "credentials")
    assert own_exchange.api.get("/advice")["stale"] is False


def test_the_calls_of_the_last_hour_are_known_again_after_a_restart(own_exchange):
    caller = own_exchange.caller()
    gateway = own_exchange.gateway(callee_rewrite=REWRITE)
    answering(gateway, lambda request: users(request)[1] != NUMBER)
    call(own_exchange, caller, 404, times=3)
    own_exchange.lab.restart("mgmtd")
    advised(own_exchange.api, "gateway", "gateway_wants_dialled")
    call(own_exchange, caller, 404)
    until(lambda: "4 calls" in advised(own_exchange.api, "gateway", "gateway_wants_dialled")["symptom"], 5, "each record counted once")
