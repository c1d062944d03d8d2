"""A call from its INVITE to its BYE, as both ends see it."""

import re

import pytest

import sip
from dialog import ANSWER, OFFER
from exchange import NUMBER


def test_100_comes_before_anything_then_what_the_callee_sends(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER)
    call.expect(100)
    leg = callee.incoming()
    assert [m.code for m in call.invite.responses] == [100]
    leg.reply(180)
    assert call.expect(180).to_tag
    leg.reply(183, body=ANSWER)
    assert call.expect(183).body == ANSWER
    leg.reply(200, body=ANSWER)
    assert call.expect(200).body == ANSWER
    call.ack(call.invite)
    leg.expect("ACK")
    call.request("BYE").expect(200)
    leg.hung_up()


def test_the_phrases_of_the_callee_reach_the_caller(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(180, "Somewhere It Rings")
    assert call.expect(180).start == "SIP/2.0 180 Somewhere It Rings"
    leg.reply(486, "Not Now")
    assert call.refused(486).start == "SIP/2.0 486 Not Now"
    leg.expect("ACK")


def test_a_100_of_the_callee_is_not_passed_on(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(100)
    leg.reply(180)
    call.expect(100)
    call.expect(180)
    assert call.invite.copies(100) == 1


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_bye_ends_both_legs(exchange, who):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    one, other = (call, leg) if who == "caller" else (leg, call)
    bye = one.request("BYE")
    other.hung_up()
    bye.expect(200)
    exchange.is_over(call)
    assert exchange.cdr(call)["hung_up_by"] == who


def test_a_bye_is_answered_though_the_other_side_is_silent(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    bye = call.request("BYE")
    leg.expect("BYE")
    bye.expect(200, within=2)


def test_both_hang_up_at_once_and_each_gets_its_200(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    one, other = call.request("BYE"), leg.request("BYE")
    caller.polite()
    callee.polite()
    for bye in (one, other):
        assert bye.final().code in (200, 481)
    exchange.is_over(call)


def test_the_reason_of_a_bye_passes(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    call.request("BYE", headers=[("Reason", 'Q.850;cause=16;text="Normal"')])
    assert leg.hung_up()["reason"] == 'Q.850;cause=16;text="Normal"'


def test_the_legs_share_no_identifier(exchange):
    """A back-to-back user agent: dialogs, Call-IDs, tags, branches and Contacts of its own on each side."""
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    inner, outer = call.invite.message, leg.invite
    host, port = exchange.lab.sip_port()
    assert inner.call_id != outer.call_id and inner.from_tag != outer.from_tag and inner.branch != outer.branch
    assert caller.host not in outer.raw.replace(OFFER.encode(), b"").decode().replace(outer["from"], "")
    assert sip.address_of(outer["contact"]) == (host, port) and len(outer.all("via")) == 1
    answer = [m for m in call.invite.responses if m.code == 200][0]
    assert sip.address_of(answer["contact"]) == (host, port)
    assert answer.to_tag != leg.tag and callee.host not in answer["contact"] and answer["from"] == inner["from"]
    assert answer["to"].partition(";tag=")[0] == inner["to"]


def test_every_response_of_a_call_has_the_same_to_tag(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    assert len({m.to_tag for m in call.invite.responses if m.code != 100}) == 1


def test_the_invite_is_complete(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    caller.invite(NUMBER)
    message = callee.incoming().invite
    host, port = exchange.lab.sip_port()
    assert message.source == (host, port)
    assert message.uri == f"sip:{NUMBER}@{callee.host}:{callee.port}"
    assert re.fullmatch(rf"SIP/2.0/UDP {host}:{port};(?=.*branch=z9hG4bK)(?=.*\brport\b).*", message["via"]), message["via"]
    assert message["cseq"] == f"{message.cseq} INVITE" and int(message["content-length"]) == len(OFFER)
    assert message["content-type"] == "application/sdp"
    assert message["user-agent"].startswith("Tandem")
    assert {"INVITE", "ACK", "BYE", "CANCEL"} <= set(re.split(r"\s*,\s*", message["allow"]))


@pytest.mark.parametrize("kind, body", [
    ("application/sdp", OFFER),
    ("application/sdp", "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=bare line ends, no final one"),
    ("multipart/mixed;boundary=x", f"--x\r\nContent-Type: application/sdp\r\n\r\n{OFFER}\r\n"
                                   "--x\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n--x--\r\n"),
    ("application/sdp", OFFER + "".join(f"a=candidate:{n} 1 UDP {n} 192.0.2.9 {n}\r\n" for n in range(1, 25))),
])
def test_bodies_pass_byte_for_byte_both_ways(exchange, kind, body):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER, body=body, content_type=kind)
    leg = callee.incoming()
    assert leg.invite.content == body.encode() and leg.invite["content-type"] == kind
    leg.reply(200, body=body, content_type=kind)
    answer = call.answered()
    assert answer.content == body.encode() and answer["content-type"] == kind
    leg.expect("ACK")


def test_bodies_of_any_bytes_pass(exchange):
    body = bytes(range(256)) * 2
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER, body=body, content_type="application/octet-stream")
    leg = callee.incoming()
    assert leg.invite.content == body
    leg.reply(200, body=body[::-1], content_type="application/octet-stream")
    assert call.answered().content == body[::-1]


def test_a_body_of_ten_kilobytes_passes_over_tcp(exchange):
    body = OFFER + "".join(f"a=x-filler:{n:060d}\r\n" for n in range(140))
    assert len(body) > 10000
    caller, callee = exchange.caller(transport="tcp"), exchange.gateway(transport="tcp")
    call = caller.invite(NUMBER, body=body)
    leg = callee.incoming()
    assert leg.invite.content == body.encode()
    leg.reply(200, body=body)
    assert call.answered().content == body.encode()
    leg.expect("ACK")


def test_a_late_offer_passes_in_200_and_ack(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER, body=None)
    leg = callee.incoming()
    assert leg.invite.content == b"" and leg.invite["content-type"] is None
    leg.reply(200, body=OFFER)
    assert call.expect(200).body == OFFER
    call.ack(call.invite, ANSWER)
    ack = leg.expect("ACK")
    assert ack.body == ANSWER and ack["content-type"] == "application/sdp"


def test_the_ack_to_a_200_goes_to_the_callees_contact_target_with_the_invites_cseq(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    callee.contact_uri = f"sip:the-callee@{callee.host}:{callee.port};x=y"
    call, leg = exchange.talking(caller, callee)
    ack = [m for m in callee.requests("ACK") if m.call_id == leg.call_id][0]
    assert ack.uri == callee.contact_uri and ack.cseq == leg.invite.cseq and ack.to_tag == leg.tag
    assert ack.from_tag == leg.invite.from_tag and ack.branch != leg.invite.branch


def test_in_dialog_requests_name_the_contact_of_each_end(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    caller.contact_uri = f"sip:me@{caller.host}:{caller.port};line=7"
    call, leg = exchange.talking(caller, callee)
    leg.request("BYE")
    assert call.hung_up().uri == caller.contact_uri


def test_a_call_that_never_rings_is_answered_all_the_same(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(200, body=ANSWER)
    call.answered()
    leg.expect("ACK")
    call.request("BYE").expect(200)


@pytest.mark.parametrize("code", [404, 480, 486, 500, 503, 600, 603])
def test_a_refusal_of_the_only_gateway_reaches_the_caller_with_its_code(exchange, code):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(code)
    leg.expect("ACK")
    call.refused(code)
    assert exchange.cdr(call)["code"] == code


def test_two_calls_between_the_same_ends_do_not_mix(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    first, first_leg = exchange.talking(caller, callee, NUMBER + "1")
    second, second_leg = exchange.talking(caller, callee, NUMBER + "2")
    first.request("BYE").expect(200)
    first_leg.hung_up()
    second_leg.hears_nothing("BYE")
    second_leg.request("BYE").expect(200)
    second.hung_up()


def test_a_call_may_come_from_a_gateway_to_itself(exchange):
    """The address of a carrier may be a source and a destination."""
    phone = exchange.caller()
    exchange.make("routing-gateways", "back", host=phone.host, port=phone.port, prefixes=["880"])
    call, leg = exchange.talking(phone, phone)
    call.request("BYE").expect(200)
    leg.hung_up()
