"""Gateways that ask for credentials (RFC 3261 22): those of the gateway, else of its registration."""

import pytest

from dialog import ANSWER
from exchange import NUMBER
from sip import Challenge

ALGORITHMS = [("MD5", 401), ("MD5", 407), ("SHA-256", 401), ("SHA-256", 407)]


def challenging(gateway, challenge, code, username, password):
    """It asks each INVITE for credentials and rings when they are right."""
    header = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"

    def answer(request):
        if request.method == "INVITE":
            right = challenge.accepts(request, username, password)
            request.reply(180) if right else request.reply(code, headers=[(header, str(challenge))])
    gateway.automatic = answer


@pytest.mark.parametrize("algorithm, code", ALGORITHMS)
def test_a_challenged_invite_is_answered_with_the_gateways_account(exchange, algorithm, code):
    caller, gateway = exchange.caller(), exchange.gateway(username="me", password="secret")
    challenging(gateway, Challenge(realm="carrier", algorithm=algorithm), code, "me", "secret")
    call = caller.invite(NUMBER)
    call.expect(180)
    one, other = gateway.requests("INVITE")
    assert other.call_id == one.call_id and other.from_tag == one.from_tag and other.cseq == one.cseq + 1 and other.body == one.body
    assert other["authorization" if code == 401 else "proxy-authorization"] and one.credentials == {}
    assert [m.code for m in call.invite.responses] == [100, 180]


def test_a_challenged_invite_is_answered_with_the_registrations_account(exchange):
    exchange.registration("trunk", auth_username="me", password="secret")
    caller, gateway = exchange.caller(), exchange.gateway(registration="trunk")
    challenging(gateway, Challenge(realm="carrier"), 407, "me", "secret")
    caller.invite(NUMBER).expect(180)


def test_a_refused_password_takes_the_call_to_the_next_gateway(exchange):
    caller, first = exchange.caller(), exchange.gateway("first", priority=1, username="me", password="wrong")
    second = exchange.gateway("second", priority=2)
    challenging(first, Challenge(), 401, "me", "secret")
    caller.invite(NUMBER)
    second.incoming()
    assert len(first.requests("INVITE")) == 2, "asked once, answered once, and no more"


def test_a_refused_password_at_the_only_gateway_gives_503(exchange):
    caller, gateway = exchange.caller(), exchange.gateway(username="me", password="wrong")
    challenging(gateway, Challenge(), 407, "me", "secret")
    caller.invite(NUMBER).refused(503)


def test_a_gateway_that_calls_every_nonce_stale_is_answered_twice_and_no_more(exchange):
    caller, first = exchange.caller(), exchange.gateway("first", priority=1, username="me", password="secret")
    second = exchange.gateway("second", priority=2)
    challenging(first, Challenge(stale=True), 401, "me", "another")
    caller.invite(NUMBER)
    second.incoming()
    assert len(first.requests("INVITE")) == 3, "asked, answered, renewed once"


def test_a_challenged_bye_and_reinvite_are_answered_too(exchange):
    caller, gateway = exchange.caller(), exchange.gateway(username="me", password="secret")
    call, leg = exchange.talking(caller, gateway)
    challenge = Challenge()
    for method in ("INVITE", "BYE"):
        request = call.reinvite() if method == "INVITE" else call.request("BYE")
        leg.expect(method).reply(407, headers=[("Proxy-Authenticate", str(challenge))])
        if method == "INVITE":
            leg.expect("ACK")
        answered = leg.expect(method)
        assert challenge.accepts(answered, "me", "secret")
        answered.reply(200, body=ANSWER if method == "INVITE" else None)
        request.expect(200)
        if method == "INVITE":
            call.ack(request)
            leg.expect("ACK")
