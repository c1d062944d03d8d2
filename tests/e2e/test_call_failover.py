"""Which gateway a call goes to, and to which one next."""

import datetime

import pytest

from dialog import ANSWER
from exchange import NUMBER
from sip import Challenge
from times import parsed
from until import until


def two(exchange, first=None, **second):
    """(caller, the gateway that is tried first, the one after it)."""
    return (exchange.caller(), exchange.gateway("first", priority=1, **(first or {})), exchange.gateway("second", priority=2, **second))


def reaches_second(exchange, caller, second, within=3):
    """A call of the caller is answered by the second gateway; the call."""
    call = caller.invite(NUMBER)
    leg = second.incoming(within)
    leg.reply(200, body=ANSWER)
    call.answered()
    return call


def tried(exchange, call):
    """What the record says; an answered call is hung up for it."""
    answered = any(m.code == 200 for m in call.invite.responses)
    record = exchange.cdr_after(call) if answered else exchange.cdr(call)
    return [(item["gateway"], item["code"]) for item in record["tried"]]


# Order.

def test_the_longest_prefix_wins_over_priority(exchange):
    caller = exchange.caller()
    short, long = exchange.gateway("short", prefixes=["880"], priority=1), exchange.gateway("long", prefixes=["8801"], priority=9)
    any_number = exchange.gateway("any", prefixes=[], priority=0)
    caller.invite(NUMBER)
    long.incoming()
    caller.invite("8809")
    short.incoming()
    caller.invite("12345")
    any_number.incoming()


def test_a_failed_longest_prefix_falls_back_to_the_shorter(exchange):
    caller = exchange.caller()
    short, long = exchange.gateway("short", prefixes=["880"]), exchange.gateway("long", prefixes=["8801"]).always(503)
    reaches_second(exchange, caller, short)
    assert len(long.requests("INVITE")) == 1


def test_of_equals_the_one_with_most_free_capacity_comes_first(exchange):
    caller = exchange.caller()
    small, large = exchange.gateway("small", capacity=2).always(180), exchange.gateway("large", capacity=4).always(180)
    for count in range(1, 7):
        caller.invite(NUMBER).expect(180)
        if count <= 2:
            assert len(large.requests("INVITE")) == count
    assert (len(small.requests("INVITE")), len(large.requests("INVITE"))) == (2, 4)
    caller.invite(NUMBER).refused(503)


def test_a_gateways_calls_are_those_it_has_room_for(exchange):
    caller, first, second = two(exchange, {"capacity": 1})
    exchange.talking(caller, first)
    call = reaches_second(exchange, caller, second)
    assert [(item["gateway"], "capacity" in item["why"]) for item in exchange.cdr_after(call)["skipped"]] == [("first", True)]


def test_a_gateways_calls_per_second_are_held(exchange):
    caller, first, second = two(exchange, {"max_cps": 2})
    first.always(486)
    second.always(486)
    for call in [caller.invite(NUMBER) for _ in range(6)]:
        call.refused(486)
    assert len(first.requests("INVITE")) in (2, 3, 4) and len(first.requests("INVITE")) + len(second.requests("INVITE")) == 6


def test_a_locked_gateway_is_skipped(exchange):
    caller, first, second = two(exchange, {"locked": True})
    call = reaches_second(exchange, caller, second)
    first.hears_nothing()
    assert exchange.cdr_after(call)["skipped"] == [{"gateway": "first", "why": "locked"}]


def test_a_gateway_whose_registration_has_no_binding_is_skipped(exchange):
    exchange.registration("trunk", code=403)
    caller, first, second = two(exchange, {"registration": "trunk"})
    call = reaches_second(exchange, caller, second)
    assert "registration trunk" in exchange.cdr_after(call)["skipped"][0]["why"]
    first.hears_nothing()


# Codes.

@pytest.mark.parametrize("code", [400, 401, 403, 404, 408, 480, 484, 488, 500, 502, 503, 504, 302, 420])
def test_other_codes_take_the_call_to_the_next_gateway(exchange, code):
    caller, first, second = two(exchange)
    first.always(code)
    call = reaches_second(exchange, caller, second)
    assert tried(exchange, call)[0] == ("first", code)
    assert all(m.code != code for m in call.invite.responses)


@pytest.mark.parametrize("code", [486, 487, 600, 603, 606])
def test_stop_codes_and_every_6xx_end_the_attempt(exchange, code):
    caller, first, second = two(exchange)
    first.always(code)
    call = caller.invite(NUMBER)
    call.refused(code)
    second.hears_nothing()
    assert tried(exchange, call) == [("first", code)]


def test_the_stop_codes_of_a_gateway_are_its_own(exchange):
    caller, first, second = two(exchange, {"stop_codes": [404]})
    first.always(404)
    caller.invite(NUMBER).refused(404)
    second.hears_nothing()
    first.always(486)
    reaches_second(exchange, caller, second)


def test_a_6xx_stops_whatever_the_stop_codes_are(exchange):
    caller, first, second = two(exchange, {"stop_codes": []})
    first.always(603)
    caller.invite(NUMBER).refused(603)
    second.hears_nothing()


def test_when_all_fail_the_caller_gets_the_last_code(exchange):
    caller, first, second = two(exchange)
    first.always(500)
    second.always(480)
    call = caller.invite(NUMBER)
    call.refused(480)
    record = exchange.cdr(call)
    assert [(t["gateway"], t["code"]) for t in record["tried"]] == [("first", 500), ("second", 480)]
    assert (record["code"], record["routing_gateway"]) == (480, "second")


@pytest.mark.parametrize("code", [300, 302, 305, 401, 407])
def test_redirects_and_challenges_we_cannot_answer_become_503(exchange, code):
    caller, gateway = exchange.caller(), exchange.gateway()
    gateway.always(code, headers=[("Contact", "<sip:elsewhere@192.0.2.1>"),
                                  ("WWW-Authenticate" if code == 401 else "Proxy-Authenticate", str(Challenge()))])
    call = caller.invite(NUMBER)
    call.refused(503)
    assert tried(exchange, call) == [("gateway", code)]


def test_every_gateway_is_tried_once(exchange):
    caller = exchange.caller()
    gateways = [exchange.gateway(f"gateway-{n}", priority=n).always(503) for n in range(6)]
    call = caller.invite(NUMBER)
    call.refused(503)
    assert [len(g.requests("INVITE")) for g in gateways] == [1] * 6
    assert tried(exchange, call) == [(f"gateway-{n}", 503) for n in range(6)]


def test_each_attempt_is_a_call_of_its_own(exchange):
    caller, first, second = two(exchange)
    first.always(503)
    call = reaches_second(exchange, caller, second)
    one, other = first.requests("INVITE")[0], second.requests("INVITE")[0]
    assert one.branch != other.branch and (one.call_id, one.from_tag) != (other.call_id, other.from_tag)
    assert one.body == other.body == call.invite.message.body


def test_the_tag_at_the_caller_after_a_switch_is_not_that_of_the_failed_gateway(exchange):
    caller, first, second = two(exchange)
    call = caller.invite(NUMBER)
    leg = first.incoming()
    leg.reply(180)
    one = call.expect(180)
    leg.reply(503)
    other_leg = second.incoming()
    other_leg.reply(180)
    other = call.expect(180)
    assert one.to_tag != other.to_tag
    other_leg.reply(200, body=ANSWER)
    assert call.answered().to_tag == other.to_tag


# Silence and refusals of the transport.

def test_a_silent_gateway_is_left_after_timeout_invite(exchange):
    exchange.set(SS_SIP_TIMEOUT_INVITE=1)
    caller, silent, second = two(exchange)
    call = reaches_second(exchange, caller, second)
    apart = second.requests("INVITE")[0].at - silent.requests("INVITE")[0].at
    assert 0.9 <= apart <= 2.0
    assert tried(exchange, call)[0] == ("first", 408)
    assert not silent.requests("CANCEL")


def test_an_answer_of_a_gateway_that_was_left_gets_ack_and_bye(exchange):
    exchange.set(SS_SIP_TIMEOUT_INVITE=1)
    caller, slow, second = two(exchange)
    call = caller.invite(NUMBER)
    late = slow.incoming()
    leg = second.incoming()
    late.reply(200, body=ANSWER)
    late.expect("ACK")
    late.hung_up()
    leg.reply(200, body=ANSWER)
    call.answered()
    leg.expect("ACK")


def test_a_gateway_that_refuses_is_left_at_once(exchange):
    caller, refusing, second = two(exchange)
    refusing.stop()
    exchange.phones.remove(refusing)
    call = reaches_second(exchange, caller, second, within=2)
    assert tried(exchange, call)[0][0] == "first"


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_gateway_whose_connection_is_refused_is_left_at_once(exchange, transport):
    caller = exchange.caller()
    nobody = exchange.phone(transport="tcp")
    nobody.stop()
    exchange.phones.remove(nobody)
    exchange.make("routing-gateways", "first", priority=1, host=nobody.host, port=nobody.port, transport=transport, prefixes=["880"])
    second = exchange.gateway("second", priority=2)
    reaches_second(exchange, caller, second, within=2)


def test_a_name_that_is_not_known_is_left_for_the_next(exchange):
    caller = exchange.caller()
    exchange.make("routing-gateways", "first", priority=1, host="nowhere.invalid", port=5060, prefixes=["880"])
    second = exchange.gateway("second", priority=2)
    reaches_second(exchange, caller, second, within=12)


# After SDP.

def test_once_a_gateway_sent_sdp_no_other_is_tried(exchange):
    caller, first, second = two(exchange)
    call = caller.invite(NUMBER)
    leg = first.incoming()
    leg.reply(183, body=ANSWER)
    call.expect(183)
    leg.reply(503)
    call.refused(503)
    second.hears_nothing()


def test_with_stop_switch_after_sdp_off_another_is_tried(exchange):
    exchange.set(SS_SIP_STOP_SWITCH_AFTER_SDP=False)
    caller, first, second = two(exchange)
    call = caller.invite(NUMBER)
    leg = first.incoming()
    leg.reply(183, body=ANSWER)
    call.expect(183)
    leg.reply(503)
    other = second.incoming()
    other.reply(200, body=ANSWER)
    call.answered()


def test_183_without_sdp_does_not_stop_the_search(exchange):
    caller, first, second = two(exchange)
    call = caller.invite(NUMBER)
    leg = first.incoming()
    leg.reply(183)
    call.expect(183)
    leg.reply(503)
    second.incoming()


# Retry-After.

def test_a_503_with_retry_after_takes_the_gateway_out_of_routing_for_so_long(exchange):
    caller, first, second = two(exchange)
    first.always(503, headers=[("Retry-After", "2 (soon)")])
    reaches_second(exchange, caller, second)
    status = exchange.wait_status("first", routable=False)
    assert status["held_until"] and "Retry-After" in status["why"] or "503" in status["why"]
    left = parsed(status["held_until"]) - datetime.datetime.now(datetime.timezone.utc).timestamp()
    assert 0 < left <= 2.1
    call = reaches_second(exchange, caller, second)
    assert len(first.requests("INVITE")) == 1
    assert [item["gateway"] for item in exchange.cdr_after(call)["skipped"]] == ["first"]
    exchange.wait_status("first", within=4, routable=True)
    first.polite()
    caller.invite(NUMBER)
    first.incoming()


def test_a_503_without_retry_after_holds_nothing(exchange):
    caller, first, second = two(exchange)
    first.always(503)
    reaches_second(exchange, caller, second)
    reaches_second(exchange, caller, second)
    assert len(first.requests("INVITE")) == 2 and exchange.status("first")["routable"]


# Timeouts, as parameters and as settings of the gateway.

TIMEOUTS = [("trying", 100, None), ("session_progress", 183, None), ("session_progress_sdp", 183, ANSWER), ("ringing", 180, None)]


@pytest.mark.parametrize("own", [False, True], ids=["parameter", "gateway"])
@pytest.mark.parametrize("name, code, body", TIMEOUTS, ids=[t[0] for t in TIMEOUTS])
def test_a_gateway_that_stops_talking_is_cancelled_and_left(exchange, name, code, body, own):
    exchange.set(SS_SIP_STOP_SWITCH_AFTER_SDP=False, **{f"SS_SIP_TIMEOUT_{name.upper()}": 60 if own else 1})
    caller, first, second = two(exchange, {"sip": {f"timeout_{name}": 1}} if own else None)
    caller.invite(NUMBER)
    leg = first.incoming()
    leg.reply(code, body=body)
    cancel = leg.expect("CANCEL", within=3)
    assert 0.9 <= cancel.at - leg.invite.at <= 2.2
    cancel.reply(200)
    leg.reply(487)
    leg.expect("ACK")
    second.incoming()


def test_a_gateways_own_timeout_invite_wins(exchange):
    caller, first, second = two(exchange, {"sip": {"timeout_invite": 1}})
    reaches_second(exchange, caller, second)
    assert 0.9 <= second.requests("INVITE")[0].at - first.requests("INVITE")[0].at <= 2.2


def test_after_sdp_a_timeout_ends_the_call(exchange):
    exchange.set(SS_SIP_TIMEOUT_SESSION_PROGRESS_SDP=1)
    caller, first, second = two(exchange)
    call = caller.invite(NUMBER)
    leg = first.incoming()
    leg.reply(183, body=ANSWER)
    call.expect(183)
    leg.expect("CANCEL").reply(200)
    leg.reply(487)
    assert call.invite.final().code in (408, 480, 504)
    second.hears_nothing()


def test_ringing_again_does_not_stretch_the_ringing_timeout_for_ever(exchange):
    """A gateway that repeats its 180 all the time is still left."""
    exchange.set(SS_SIP_TIMEOUT_RINGING=1)
    caller, gateway = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER)
    leg = gateway.incoming()
    leg.reply(180)

    def cancelled():
        if int(len(leg.invite.replies)) < 40:
            leg.reply(180)
        return gateway.requests("CANCEL")
    until(cancelled, 3, "CANCEL")
    leg.reply(487)
    call.invite.final()


# Probes.

@pytest.mark.slow
def test_a_gateway_that_does_not_answer_its_probe_gets_no_calls_until_it_does(exchange):
    exchange.set(SS_SIP_OPTIONS_CHECK_PERIOD=10, SS_SIP_RESEND_INTERVAL=[0.1, 0.2, 0.4, 0.4])
    caller, first, second = two(exchange, {"options_check": True})
    first.expect("OPTIONS", within=12)
    exchange.wait_status("first", within=15, routable=False)
    assert exchange.status("first")["probe"]["state"] == "down" and "probe" in exchange.status("first")["why"]
    call = reaches_second(exchange, caller, second)
    assert exchange.cdr_after(call)["skipped"][0]["gateway"] == "first"
    first.polite()
    exchange.wait_status("first", within=15, routable=True)
    assert exchange.status("first")["probe"]["state"] == "up"
    caller.invite(NUMBER)
    first.incoming()


def test_the_capacity_of_a_registration_counts_its_calls(exchange):
    exchange.registration("trunk", capacity=1)
    caller, first, second = two(exchange, {"registration": "trunk"})
    exchange.talking(caller, first)
    call = reaches_second(exchange, caller, second)
    assert exchange.cdr_after(call)["skipped"][0]["gateway"] == "first"
