"""CANCEL, lost ACKs, retransmissions and forks: what happens when messages cross or get lost."""

import pytest

import sip
from dialog import ANSWER, Outgoing
from exchange import NUMBER
from until import stays, until

# T1 0.1 s, T2 0.4 s, 64 T1 as the sum: 1.9 s.
FAST = [0.1, 0.2, 0.4, 0.4, 0.4, 0.4]


def pair(exchange):
    return exchange.caller(), exchange.gateway()


@pytest.mark.parametrize("code", [None, 100, 180, 183])
def test_a_cancel_reaches_the_callee_and_the_caller_gets_487(exchange, code):
    caller, callee = pair(exchange)
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    if code:
        leg.reply(code)
    if code and code > 100:
        call.expect(code)
    cancel = call.invite.cancel()
    cancel.expect(200)
    if code:
        received = leg.expect("CANCEL")
        assert received.branch == leg.invite.branch and received.uri == leg.invite.uri and received.cseq == leg.invite.cseq
        assert received["to"] == leg.invite["to"]
        received.reply(200)
    else:
        # RFC 3261 9.1: no CANCEL before a provisional response came.
        leg.hears_nothing("CANCEL")
        leg.reply(180)
        leg.expect("CANCEL").reply(200)
    leg.reply(487)
    call.refused(487)
    leg.expect("ACK")
    record = exchange.cdr(call)
    assert (record["code"], record["hung_up_by"], record["answered_at"]) == (487, "caller", None)


def test_a_refusal_that_comes_before_the_cancel_could_go_out_ends_it(exchange):
    caller, callee = pair(exchange)
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    call.invite.cancel().expect(200)
    call.refused(487)
    leg.reply(486)
    leg.expect("ACK")
    leg.hears_nothing("CANCEL")


def test_a_200_that_comes_before_the_cancel_could_go_out_gets_ack_and_bye(exchange):
    caller, callee = pair(exchange)
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    call.invite.cancel().expect(200)
    call.refused(487)
    leg.reply(200, body=ANSWER)
    leg.expect("ACK")
    leg.hung_up()


def test_a_callee_that_never_answers_is_not_cancelled(exchange):
    exchange.set(SS_SIP_RESEND_INTERVAL=FAST)
    caller, callee = pair(exchange)
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    call.invite.cancel().expect(200)
    call.refused(487)
    leg.hears_nothing("CANCEL", seconds=2.5)


def test_the_caller_gets_its_487_though_the_callee_never_answers_the_cancel(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.ringing(caller, callee)
    call.invite.cancel().expect(200)
    leg.expect("CANCEL")
    call.refused(487, within=2)


def test_the_reason_of_a_cancel_passes(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.ringing(caller, callee)
    reason = 'SIP;cause=200;text="Call completed elsewhere"'
    call.invite.cancel(headers=[("Reason", reason)]).expect(200)
    assert leg.expect("CANCEL")["reason"] == reason


def test_no_gateway_is_tried_after_a_cancel(exchange):
    caller, first, second = exchange.caller(), exchange.gateway("first", priority=1), exchange.gateway("second", priority=2)
    call, leg = exchange.ringing(caller, first)
    call.invite.cancel().expect(200)
    leg.expect("CANCEL").reply(200)
    leg.reply(503)
    call.refused(487)
    second.hears_nothing()


def test_a_200_that_crosses_the_cancel_gets_ack_and_bye(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.ringing(caller, callee)
    call.invite.cancel().expect(200)
    cancel = leg.expect("CANCEL")
    leg.reply(200, body=ANSWER)
    cancel.reply(200)
    leg.expect("ACK")
    leg.hung_up()
    call.refused(487)
    assert exchange.cdr(call)["code"] == 487


def test_a_cancel_after_the_200_changes_nothing(exchange):
    """RFC 3261 9.2: the answer stands.  481 where the transaction counts as gone with its 2xx, 200 by RFC 6026."""
    caller, callee = pair(exchange)
    call, leg = exchange.ringing(caller, callee)
    leg.reply(200, body=ANSWER)
    call.expect(200)
    assert call.invite.cancel().final().code in (200, 481)
    call.ack(call.invite)
    leg.expect("ACK")
    leg.hears_nothing("CANCEL")
    call.request("BYE")
    leg.hung_up()


def test_a_cancel_for_no_transaction_gets_481(exchange):
    exchange.gateway()
    caller = exchange.caller()
    stray = caller.request("OPTIONS", NUMBER)
    stray.expect(200)
    caller.request("CANCEL", NUMBER).expect(481)


def test_a_cancel_from_a_stranger_does_not_end_a_call(exchange):
    caller, callee = pair(exchange)
    stranger = exchange.phone()
    call, leg = exchange.ringing(caller, callee)
    forged = call.invite.raw.replace(b"INVITE sip:", b"CANCEL sip:", 1).replace(b" INVITE\r\n", b" CANCEL\r\n")
    forged = forged.partition(b"Content-Type")[0] + b"Content-Length: 0\r\n\r\n"
    forged = forged.replace(call.invite.branch.encode(), b"z9hG4bKguess")
    stranger.send(forged, stranger.switch)
    leg.hears_nothing("CANCEL")
    leg.reply(200, body=ANSWER)
    call.answered()


# ACK.

def test_a_late_ack_reaches_the_callee_late(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.ringing(caller, callee)
    leg.reply(200, body=ANSWER)
    call.expect(200)
    until(lambda: call.invite.copies(200) >= 2, 2, "a retransmitted 200")
    call.ack(call.invite)
    leg.expect("ACK")
    copies = call.invite.copies(200)
    stays(lambda: call.invite.copies(200) <= copies + 1, 1.2, "no 200 after the ACK")


def test_the_200_is_repeated_until_the_ack_and_without_one_both_sides_are_hung_up(exchange):
    exchange.set(SS_SIP_RESEND_INTERVAL=FAST)
    caller, callee = pair(exchange)
    call, leg = exchange.ringing(caller, callee)
    leg.reply(200, body=ANSWER)
    first = call.expect(200)
    bye = call.expect("BYE", within=4)
    assert call.invite.copies(200) >= 4
    assert bye.at - first.at >= 1.4
    bye.reply(200)
    leg.phone.polite()
    leg.expect("BYE")
    exchange.is_over(call)
    assert exchange.cdr(call)["hung_up_by"] == "switch"


@pytest.mark.slow
def test_with_the_default_intervals_an_unacknowledged_call_ends_after_64_t1(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.ringing(caller, callee)
    leg.reply(200, body=ANSWER)
    first = call.expect(200)
    bye = call.expect("BYE", within=40)
    assert 31 <= bye.at - first.at <= 34
    assert 9 <= call.invite.copies(200) <= 12
    leg.expect("BYE")


def test_a_repeated_ack_changes_nothing(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.talking(caller, callee)
    again = call.build("ACK", call.invite.cseq)
    again.send()
    again.send()
    info = call.request("INFO", "x", content_type="text/plain")
    leg.expect("INFO").reply(200)
    info.expect(200)


def test_a_repeated_200_of_the_callee_gets_its_ack_again(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.talking(caller, callee)
    acks = lambda: [m for m in list(callee.arrivals) if not m.is_response and m.method == "ACK"]
    before = len(acks())
    leg.invite.reply_again()
    until(lambda: len(acks()) == before + 1, 2, "another ACK")
    assert acks()[-1].cseq == leg.invite.cseq and acks()[-1].to_tag == leg.tag
    copies = call.invite.copies(200)
    stays(lambda: call.invite.copies(200) == copies, 0.3, "no 200 to a caller who had it")


def test_a_repeated_200_before_the_callers_ack_is_acknowledged_once_the_caller_did(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.ringing(caller, callee)
    leg.reply(200, body=ANSWER)
    call.expect(200)
    leg.invite.reply_again()
    call.ack(call.invite, "the answer of a late offer")
    leg.invite.reply_again()
    until(lambda: [m for m in callee.requests("ACK") if m.body == "the answer of a late offer"], 2, "the caller's ACK")
    assert all(m.body in ("the answer of a late offer", "") for m in callee.arrivals if not m.is_response and m.method == "ACK")


def test_the_ack_to_a_refusal_is_made_by_the_switch(exchange):
    caller, callee = pair(exchange)
    caller.acks = False
    call, leg = exchange.ringing(caller, callee)
    leg.reply(486)
    ack = leg.expect("ACK")
    assert ack.branch == leg.invite.branch and ack.to_tag == leg.tag
    call.refused(486)
    until(lambda: call.invite.copies(486) >= 2, 2, "a retransmitted 486")


# Retransmissions.

def test_a_repeated_invite_gets_the_last_answer_again_and_makes_no_second_call(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.ringing(caller, callee)
    before = call.invite.copies(180)
    call.invite.again()
    until(lambda: call.invite.copies(180) == before + 1, 2, "the 180 again")
    assert len(callee.requests("INVITE")) == 1 and len(exchange.calls()) == 1
    leg.reply(486)
    call.refused(486)
    until(lambda: caller.outgoing, 1, "transaction")
    before = call.invite.copies(486)
    call.invite.again()
    stays(lambda: len(callee.requests("INVITE")) == 1, 0.3, "no second call")


def test_an_invite_repeated_after_its_200_makes_no_second_call(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.talking(caller, callee)
    call.invite.again()
    stays(lambda: len(callee.requests("INVITE")) == 1, 0.4, "no second call")
    assert exchange.call(call)["phase"] == "answered"


def test_a_merged_invite_gets_482(exchange):
    """RFC 3261 8.2.2.2: the same request by another way."""
    caller, callee = pair(exchange)
    call, leg = exchange.ringing(caller, callee)
    twin = call.invite.raw.replace(call.invite.branch.encode(), call.invite.branch.encode() + b"2")
    Outgoing(caller, twin, caller.switch).send().expect(482)
    assert len(callee.requests("INVITE")) == 1


def test_a_repeated_bye_gets_its_200_again(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.talking(caller, callee)
    bye = call.request("BYE")
    leg.hung_up()
    bye.expect(200)
    bye.again()
    until(lambda: bye.copies(200) == 2, 2, "the 200 again")
    leg.hears_nothing("BYE")


def test_a_repeated_request_in_a_call_reaches_the_other_side_once(exchange):
    caller, callee = pair(exchange)
    call, leg = exchange.talking(caller, callee)
    info = call.request("INFO", "x", content_type="text/plain")
    received = leg.expect("INFO")
    info.again()
    received.reply(200)
    info.expect(200)
    info.again()
    until(lambda: info.copies(200) >= 2, 2, "the 200 again")
    assert len(callee.requests("INFO")) == 1


def test_an_unanswered_invite_is_repeated_to_the_callee(exchange):
    exchange.set(SS_SIP_RESEND_INTERVAL=FAST)
    caller, callee = pair(exchange)
    caller.invite(NUMBER)
    leg = callee.incoming()
    copies = lambda: [m for m in list(callee.arrivals) if m.branch == leg.invite.branch]
    until(lambda: len(copies()) >= 3, 2, "two retransmissions")
    first, second, third = [m.at for m in copies()[:3]]
    assert 0.05 <= second - first <= 0.3 and 0.1 <= third - second <= 0.5
    leg.reply(180)
    count = len(copies())
    stays(lambda: len(copies()) <= count + 1, 1, "none after the 180")


def test_an_unanswered_bye_is_repeated_and_then_given_up(exchange):
    exchange.set(SS_SIP_RESEND_INTERVAL=FAST)
    caller, callee = pair(exchange)
    call, leg = exchange.talking(caller, callee)
    call.request("BYE").expect(200)
    bye = leg.expect("BYE")
    copies = lambda: [m for m in list(callee.arrivals) if m.branch == bye.branch]
    until(lambda: len(copies()) >= 3, 2, "retransmissions")
    exchange.is_over(call, within=4)
    assert exchange.cdr(call)["hung_up_by"] == "caller"


# Forks.

def test_two_early_dialogs_of_the_callee_have_two_tags_at_the_caller(exchange):
    caller, callee = pair(exchange)
    call = caller.invite(NUMBER)
    one = callee.incoming()
    other = one.fork()
    one.reply(180)
    other.reply(183, body=ANSWER)
    first, second = call.expect(180), call.expect(183)
    assert first.to_tag and second.to_tag and first.to_tag != second.to_tag
    one.reply(183, body=ANSWER)
    assert call.expect(183).to_tag == first.to_tag
    other.reply(200, body=ANSWER)
    assert call.answered().to_tag == second.to_tag
    ack = other.expect("ACK")
    assert ack.to_tag == other.tag
    call.request("BYE")
    assert other.hung_up().to_tag == other.tag


def test_requests_in_each_early_dialog_reach_its_own_end(exchange):
    caller, callee = pair(exchange)
    call = caller.invite(NUMBER, headers=[("Supported", "100rel")])
    one = callee.incoming()
    other = one.fork()
    for rseq, leg in ((10, one), (20, other)):
        leg.reply(183, headers=[("Require", "100rel"), ("RSeq", str(rseq))], body=ANSWER)
        call.expect(183)
        call.request("PRACK", headers=[("RAck", f"{rseq} {call.invite.cseq} INVITE")])
        received = leg.expect("PRACK")
        assert received.to_tag == leg.tag and received["rack"].startswith(f"{rseq} ")
        received.reply(200)


def test_a_second_200_gets_ack_and_bye_and_the_call_stays_with_the_first(exchange):
    caller, callee = pair(exchange)
    call, one = exchange.ringing(caller, callee)
    other = one.fork()
    one.reply(200, body=ANSWER)
    call.answered()
    one.expect("ACK")
    other.reply(200, body=ANSWER)
    ack = callee.take(lambda m: not m.is_response and m.method == "ACK" and m.to_tag == other.tag, 2, "ACK of the second")
    bye = callee.take(lambda m: not m.is_response and m.method == "BYE" and m.to_tag == other.tag, 2, "BYE of the second")
    bye.reply(200)
    assert ack.cseq == one.invite.cseq
    assert len([m for m in call.invite.responses if m.code == 200]) == 1
    call.request("BYE")
    assert one.hung_up().to_tag == one.tag


def test_a_response_without_a_to_tag_does_no_harm(exchange):
    caller, callee = pair(exchange)
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.invite.send(sip.response(leg.invite, 180, contact=False, to_tag="gone").replace(b";tag=gone", b""))
    leg.reply(200, body=ANSWER)
    until(lambda: [m for m in call.invite.responses if m.code == 200], 3, "200")
    call.learn([m for m in call.invite.responses if m.code == 200][0])
    call.ack(call.invite)
    leg.expect("ACK")
