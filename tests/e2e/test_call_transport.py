"""Calls over UDP, TCP and TLS, and from one to the other."""

import pytest

import sip
from dialog import ANSWER, OFFER
from exchange import NUMBER
from until import until

TRANSPORTS = ["udp", "tcp", "tls"]


def ends(exchange, authority, inbound, outbound, **fields):
    caller = exchange.caller(transport=inbound)
    callee = exchange.phone(outbound, user="callee")
    if outbound == "tls":
        callee.tls = authority.context(callee.host)
    exchange.make("routing-gateways", "gateway", host=callee.host, port=callee.port, transport=outbound, prefixes=["880"], **fields)
    return caller, callee




@pytest.mark.parametrize("inbound", TRANSPORTS)
@pytest.mark.parametrize("outbound", TRANSPORTS)
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_passes_from_every_transport_to_every_other(exchange, authority, inbound, outbound, who):
    caller, callee = ends(exchange, authority, inbound, outbound)
    call, leg = exchange.talking(caller, callee)
    host, port = exchange.lab.sip_port(outbound)
    assert leg.invite["via"].startswith(f"SIP/2.0/{outbound.upper()} {host}:{port}")
    contact = leg.invite.contact_uri
    assert sip.address_of(contact) == (host, port)
    assert (f"transport={outbound}" in contact) == (outbound != "udp")
    answer = [m for m in call.invite.responses if m.code == 200][0]
    assert sip.address_of(answer.contact_uri) == exchange.lab.sip_port(inbound)
    one, other = (call, leg) if who == "caller" else (leg, call)
    again = one.reinvite(OFFER)
    other.expect("INVITE").reply(200, body=ANSWER)
    again.expect(200)
    one.ack(again)
    other.expect("ACK")
    one.request("BYE")
    other.hung_up()
    exchange.is_over(call)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_calls_share_one_connection(exchange, authority, transport):
    caller, callee = ends(exchange, authority, transport, transport)
    for _ in range(3):
        call, leg = exchange.talking(caller, callee)
        call.request("BYE")
        leg.hung_up()
    assert len({m.source for m in callee.arrivals}) == 1 and len(callee.connections) == 1


def test_a_gateway_with_a_wrong_certificate_gets_no_call(exchange, authority):
    caller = exchange.caller()
    callee = exchange.phone("tls", user="callee")
    callee.tls = authority.context("other.example.net")
    exchange.make("routing-gateways", "first", host=callee.host, port=callee.port, transport="tls", prefixes=["880"], priority=1)
    second = exchange.gateway("second", priority=2)
    caller.invite(NUMBER)
    second.incoming(within=4)
    callee.hears_nothing()


def test_with_verification_off_any_certificate_will_do(exchange, authority):
    caller = exchange.caller()
    callee = exchange.phone("tls", user="callee")
    callee.tls = authority.context("other.example.net")
    exchange.make("routing-gateways", "gateway", host=callee.host, port=callee.port, transport="tls", prefixes=["880"], tls_verify=False)
    exchange.talking(caller, callee)


def drop(phone):
    for connection in list(phone.connections):
        phone.drop(connection)
        phone.connections.remove(connection)


def test_a_closed_connection_of_the_caller_does_not_end_a_call(exchange, authority):
    """RFC 3261 18: a connection is no dialog; the next request comes by another."""
    caller, callee = ends(exchange, authority, "tcp", "udp")
    call, leg = exchange.talking(caller, callee)
    drop(caller)
    leg.hears_nothing("BYE")
    call.how = None
    call.request("BYE").expect(200)
    leg.hung_up()


def test_a_closed_connection_of_the_callee_does_not_end_a_call(exchange, authority):
    """The switch connects again for the next request."""
    caller, callee = ends(exchange, authority, "udp", "tcp", sip={"request_address": "contact"})
    call, leg = exchange.talking(caller, callee)
    drop(callee)
    leg.hears_nothing("BYE")
    call.request("BYE").expect(200)
    leg.hung_up()


def test_a_bye_to_a_caller_whose_connection_is_gone_goes_to_its_contact(exchange, authority):
    caller, callee = ends(exchange, authority, "tcp", "udp")
    call, leg = exchange.talking(caller, callee)
    drop(caller)
    leg.request("BYE").expect(200)
    call.hung_up()


def test_a_bye_with_no_way_to_the_other_side_still_ends_the_call(exchange, authority):
    caller, callee = ends(exchange, authority, "tcp", "udp")
    call, leg = exchange.talking(caller, callee)
    caller.stop()
    leg.request("BYE").expect(200)
    exchange.is_over(call, within=4)
    assert exchange.cdr(call)["hung_up_by"] == "callee"


def test_a_connection_that_closes_while_the_gateway_rings_ends_the_attempt(exchange, authority):
    caller, first = ends(exchange, authority, "udp", "tcp", priority=1)
    call, leg = exchange.ringing(caller, first)
    first.stop()
    final = call.invite.final(within=6)
    assert final.code in (408, 480, 500, 503), final


def test_the_responses_go_by_the_connection_that_the_request_came_by(exchange):
    caller, callee = exchange.caller(transport="tcp"), exchange.gateway()
    call, leg = exchange.ringing(caller, callee)
    assert len({m.source for m in caller.arrivals}) == 1 and len(caller.connections) == 1
    leg.reply(486)
    call.refused(486)
    assert len(caller.connections) == 1


def test_an_invite_in_pieces_is_a_whole_one(exchange):
    caller, callee = exchange.caller(transport="tcp"), exchange.gateway()
    connection = caller.connection(caller.switch)
    pieces = []
    caller.send = lambda raw, to: pieces.append(raw)
    call = caller.invite(NUMBER)
    del caller.send
    for start in range(0, len(pieces[0]), 100):
        connection.sendall(pieces[0][start:start + 100])
    leg = callee.incoming()
    assert leg.invite.body == OFFER
    leg.reply(200, body=ANSWER)
    call.how = lambda raw: connection.sendall(raw)
    call.answered()
    leg.expect("ACK")


def test_an_invite_too_large_for_udp_comes_whole(exchange):
    """RFC 3261 18.1.1 would change to TCP; a gateway that is set to UDP gets UDP, in fragments."""
    body = OFFER + "".join(f"a=x-filler:{n:060d}\r\n" for n in range(40))
    caller, callee = exchange.caller(), exchange.gateway()
    caller.invite(NUMBER, body=body)
    assert callee.incoming().invite.content == body.encode()
    until(lambda: callee.requests("INVITE"), 1, "INVITE")
