"""Requests inside a call: re-INVITE, UPDATE, INFO, PRACK, and those that have no place there."""

import re

import pytest

import sip
from dialog import ANSWER, OFFER
from exchange import NUMBER

HOLD = OFFER.replace("sendrecv", "sendonly").replace("2890844526 IN", "2890844527 IN")
HELD = ANSWER.replace("sendrecv", "recvonly").replace("2808844564 IN", "2808844565 IN")
SIDES = pytest.mark.parametrize("who", ["caller", "callee"])


def up(exchange, who="caller"):
    """(the end that acts, the other end) of a call that is up."""
    call, leg = exchange.talking(exchange.caller(), exchange.gateway())
    return (call, leg) if who == "caller" else (leg, call)


@SIDES
def test_a_reinvite_passes_with_its_answer_and_its_ack(exchange, who):
    one, other = up(exchange, who)
    again = one.reinvite(HOLD)
    offer = other.expect("INVITE")
    assert offer.body == HOLD and offer.to_tag and offer["content-type"] == "application/sdp"
    again.expect(100)
    offer.reply(200, body=HELD)
    assert again.expect(200).body == HELD
    other.hears_nothing("ACK")
    one.ack(again)
    assert other.expect("ACK").cseq == offer.cseq
    one.request("BYE")
    other.hung_up()


@SIDES
def test_a_reinvite_without_sdp_passes_the_answer_in_its_ack(exchange, who):
    one, other = up(exchange, who)
    again = one.reinvite(None)
    offer = other.expect("INVITE")
    assert offer.content == b""
    offer.reply(200, body=HOLD)
    assert again.expect(200).body == HOLD
    one.ack(again, HELD)
    assert other.expect("ACK").body == HELD


@SIDES
@pytest.mark.parametrize("code", [488, 500])
def test_a_refused_reinvite_leaves_the_call_as_it_was(exchange, who, code):
    one, other = up(exchange, who)
    again = one.reinvite(HOLD)
    other.expect("INVITE").reply(code)
    other.expect("ACK")
    again.expect(code)
    info = one.request("INFO", "x", content_type="text/plain")
    other.expect("INFO").reply(200)
    info.expect(200)
    one.request("BYE")
    other.hung_up()


def test_a_reinvite_answered_481_ends_the_call_for_both(exchange):
    """RFC 3261 12.2.1.2: the dialog is gone."""
    one, other = up(exchange)
    again = one.reinvite(HOLD)
    other.expect("INVITE").reply(481)
    again.expect(481)
    one.phone.polite()
    exchange.is_over(one)


@SIDES
def test_update_passes_both_ways(exchange, who):
    one, other = up(exchange, who)
    update = one.request("UPDATE", HOLD)
    offer = other.expect("UPDATE")
    assert offer.body == HOLD
    offer.reply(200, body=HELD)
    assert update.expect(200).body == HELD


@SIDES
@pytest.mark.parametrize("kind, body", [("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"), ("application/dtmf", "5")])
def test_info_passes_both_ways_with_its_body_and_answer(exchange, who, kind, body):
    one, other = up(exchange, who)
    info = one.request("INFO", body, content_type=kind)
    received = other.expect("INFO")
    assert received.body == body and received["content-type"] == kind
    received.reply(200)
    info.expect(200)
    refused = one.request("INFO", body, content_type=kind)
    other.expect("INFO").reply(415)
    refused.expect(415)


def test_requests_in_a_dialog_count_their_cseq_up_from_the_invites(exchange):
    one, other = up(exchange)
    for _ in range(3):
        info = one.request("INFO", "x", content_type="text/plain")
        other.expect("INFO").reply(200)
        info.expect(200)
    one.request("BYE")
    bye = other.hung_up()
    numbers = [m.cseq for m in other.phone.requests(call_id=other.call_id) if m.method != "ACK"]
    assert numbers == sorted(set(numbers)) and bye.cseq == numbers[-1]


def test_a_request_with_a_cseq_that_was_used_gets_500(exchange):
    """RFC 3261 12.2.2."""
    one, other = up(exchange)
    info = one.request("INFO", "x", content_type="text/plain")
    other.expect("INFO").reply(200)
    info.expect(200)
    one.request("INFO", "y", content_type="text/plain", cseq=one.cseq - 1).expect(500)
    other.hears_nothing("INFO")


@SIDES
def test_a_new_contact_in_a_reinvite_is_where_later_requests_are_addressed(exchange, who):
    one, other = up(exchange, who)
    one.phone.contact_uri = f"sip:moved@{one.phone.host}:{one.phone.port}"
    again = one.reinvite(HOLD)
    other.expect("INVITE").reply(200, body=HELD)
    again.expect(200)
    one.ack(again)
    other.expect("ACK")
    other.request("BYE")
    assert one.hung_up().uri == one.phone.contact_uri


def test_a_new_contact_in_a_reinvites_answer_counts_too(exchange):
    one, other = up(exchange)
    again = one.reinvite(HOLD)
    offer = other.expect("INVITE")
    other.phone.contact_uri = f"sip:moved@{other.phone.host}:{other.phone.port}"
    offer.reply(200, body=HELD)
    again.expect(200)
    one.ack(again)
    assert other.expect("ACK").uri == other.phone.contact_uri
    one.request("BYE")
    assert other.hung_up().uri == other.phone.contact_uri


# Two at once.

def test_reinvites_that_cross_are_both_answered_491(exchange):
    call, leg = up(exchange)
    mine = call.reinvite(HOLD)
    pending = leg.expect("INVITE")
    theirs = leg.reinvite(HOLD)
    theirs.expect(491)
    call.hears_nothing("INVITE")
    pending.reply(491)
    mine.expect(491)
    once_more = call.reinvite(HOLD)
    leg.expect("INVITE").reply(200, body=HELD)
    once_more.expect(200)
    call.ack(once_more)
    leg.expect("ACK")


@SIDES
def test_a_second_reinvite_while_one_is_pending_gets_500_with_retry_after(exchange, who):
    """RFC 3261 14.2."""
    one, other = up(exchange, who)
    first = one.reinvite(HOLD)
    pending = other.expect("INVITE")
    refused = one.reinvite(HOLD).expect(500)
    assert 0 <= int(refused["retry-after"].split(";")[0].split("(")[0]) <= 10
    other.hears_nothing("INVITE")
    pending.reply(200, body=HELD)
    first.expect(200)
    one.ack(first)
    other.expect("ACK")


def test_a_bye_while_a_reinvite_is_pending_ends_both(exchange):
    call, leg = up(exchange)
    again = call.reinvite(HOLD)
    pending = leg.expect("INVITE")
    bye = call.request("BYE")
    leg.phone.polite()
    bye.expect(200)
    leg.expect("BYE")
    pending.reply(487)
    assert again.final().code >= 400
    exchange.is_over(call)


def test_a_bye_of_the_other_side_while_a_reinvite_is_pending_ends_both(exchange):
    call, leg = up(exchange)
    again = call.reinvite(HOLD)
    pending = leg.expect("INVITE")
    call.phone.polite()
    leg.request("BYE").expect(200)
    call.expect("BYE")
    pending.reply(487)
    assert again.final().code >= 400
    exchange.is_over(call)


def test_a_cancelled_reinvite_is_cancelled_at_the_other_side_and_the_call_lives(exchange):
    call, leg = up(exchange)
    again = call.reinvite(HOLD)
    pending = leg.expect("INVITE")
    pending.reply(180)
    again.expect(180)
    again.cancel().expect(200)
    leg.expect("CANCEL").reply(200)
    pending.reply(487)
    again.expect(487)
    leg.hears_nothing("BYE")
    call.request("BYE")
    leg.hung_up()


# 100rel, end to end (RFC 3262).

def reliable(exchange, rseq=7021):
    """A call whose 183 asks for PRACK: (call, leg, the 183)."""
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER, headers=[("Supported", "100rel, timer"), ("CSeq", "314 INVITE")])
    leg = callee.incoming()
    assert "100rel" in leg.invite["supported"]
    leg.reply(183, headers=[("Require", "100rel"), ("RSeq", str(rseq))], body=ANSWER)
    return call, leg, call.expect(183)


def test_prack_passes_with_the_callees_rseq_and_the_cseq_of_each_leg(exchange):
    call, leg, progress = reliable(exchange)
    assert progress["rseq"] == "7021" and progress["require"] == "100rel"
    prack = call.request("PRACK", headers=[("RAck", "7021 314 INVITE")])
    received = leg.expect("PRACK")
    assert received["rack"] == f"7021 {leg.invite.cseq} INVITE"
    received.reply(200)
    prack.expect(200)
    leg.reply(200)
    call.answered()
    leg.expect("ACK")


def test_prack_carries_offers_and_answers(exchange):
    call, leg, _ = reliable(exchange)
    prack = call.request("PRACK", HOLD, headers=[("RAck", "7021 314 INVITE")])
    received = leg.expect("PRACK")
    assert received.body == HOLD
    received.reply(200, body=HELD)
    assert prack.expect(200).body == HELD


def test_update_before_the_answer_passes_both_ways(exchange):
    call, leg, _ = reliable(exchange)
    prack = call.request("PRACK", headers=[("RAck", "7021 314 INVITE")])
    leg.expect("PRACK").reply(200)
    prack.expect(200)
    for one, other in ((call, leg), (leg, call)):
        update = one.request("UPDATE", HOLD)
        received = other.expect("UPDATE")
        assert received.body == HOLD
        received.reply(200, body=HELD)
        assert update.expect(200).body == HELD


def test_several_reliable_provisionals_keep_their_order(exchange):
    call, leg, _ = reliable(exchange, 1)
    for rseq in (1, 2, 3):
        if rseq > 1:
            leg.reply(180, headers=[("Require", "100rel"), ("RSeq", str(rseq))])
            assert call.expect(180)["rseq"] == str(rseq)
        prack = call.request("PRACK", headers=[("RAck", f"{rseq} 314 INVITE")])
        received = leg.expect("PRACK")
        assert received["rack"] == f"{rseq} {leg.invite.cseq} INVITE"
        received.reply(200)
        prack.expect(200)


def test_a_callee_that_requires_100rel_of_a_caller_without_it_refuses_for_itself(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    assert "100rel" not in (leg.invite["supported"] or "")
    leg.reply(421, headers=[("Require", "100rel")])
    call.refused(421)


def test_an_invite_that_requires_100rel_passes(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    caller.invite(NUMBER, headers=[("Require", "100rel"), ("Supported", "100rel")])
    assert "100rel" in callee.incoming().invite["require"]


# What has no place in a call.

def test_options_in_a_call_is_answered(exchange):
    call, leg = up(exchange)
    leg.phone.polite()
    call.request("OPTIONS").expect(200)


@pytest.mark.parametrize("method", ["REFER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH"])
def test_requests_that_the_switch_does_not_carry_are_refused_in_a_call_and_change_nothing(exchange, method):
    call, leg = up(exchange)
    headers = [("Refer-To", "<sip:900123@example.net>"), ("Event", "refer"), ("Subscription-State", "active")]
    refused = call.request(method, "x", headers=headers, content_type="text/plain").final()
    assert refused.code in (405, 489, 501), refused
    if refused.code == 405:
        allowed = re.split(r"\s*,\s*", refused["allow"])
        assert method not in allowed and {"INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "INFO", "PRACK"} <= set(allowed)
    leg.hears_nothing()
    call.request("BYE")
    leg.hung_up()


def test_a_method_that_nobody_knows_is_refused_in_a_call(exchange):
    call, leg = up(exchange)
    assert call.request("FROBNICATE").final().code in (405, 501)
    leg.hears_nothing()


@pytest.mark.parametrize("method", ["REFER", "MESSAGE", "SUBSCRIBE", "PUBLISH", "INFO", "FROBNICATE"])
def test_requests_outside_calls_are_refused(exchange, method):
    caller, callee = exchange.caller(), exchange.gateway()
    headers = [("Event", "x"), ("Refer-To", "<sip:x@y>")]
    refused = caller.request(method, NUMBER, body="x", content_type="text/plain", headers=headers).final()
    assert refused.code in (405, 481, 489, 501), refused
    callee.hears_nothing()


def test_options_outside_calls_is_answered_with_what_the_switch_allows(exchange):
    answer = exchange.caller().request("OPTIONS").expect(200)
    assert {"INVITE", "ACK", "BYE", "CANCEL"} <= set(re.split(r"\s*,\s*", answer["allow"]))


@pytest.mark.parametrize("method", ["BYE", "UPDATE", "INFO", "PRACK", "INVITE"])
def test_a_request_for_a_dialog_that_is_not_there_gets_481(exchange, method):
    caller = exchange.caller()
    exchange.gateway()
    headers = [("RAck", "1 1 INVITE")] if method == "PRACK" else []
    caller.request(method, NUMBER, to=f"<sip:{NUMBER}@{caller.switch[0]}>;tag=guess", headers=headers).expect(481)


def test_an_ack_for_a_dialog_that_is_not_there_gets_nothing(exchange):
    caller = exchange.caller()
    caller.request("ACK", NUMBER, to=f"<sip:{NUMBER}@{caller.switch[0]}>;tag=guess").unanswered()


@pytest.mark.parametrize("what", ["call_id", "local", "remote"])
def test_guessed_identifiers_of_a_living_call_get_481_and_do_not_touch_it(exchange, what):
    call, leg = up(exchange)
    true = getattr(call, what)
    setattr(call, what, true + "x" if what == "call_id" else re.sub(r"tag=.*", "tag=guess", true))
    call.request("BYE").expect(481)
    leg.hears_nothing()
    setattr(call, what, true)
    call.request("BYE").expect(200)
    leg.hung_up()


def test_a_dialog_of_one_leg_is_not_reached_with_the_identifiers_of_the_other(exchange):
    call, leg = up(exchange)
    crossed = sip.Message(call.build("BYE", 900, headers=[("Call-ID", leg.call_id)]).send().raw)
    assert crossed.call_id == leg.call_id
    leg.hears_nothing("BYE")
    assert exchange.call(call)["phase"] == "answered"
