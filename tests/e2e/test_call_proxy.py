"""Calls through a real record-routing proxy: route sets are kept and followed (RFC 3261 12.1, 16.12)."""

import pytest

import sip
from dialog import ANSWER, OFFER
from exchange import NUMBER

HOLD = OFFER.replace("sendrecv", "sendonly")


def requests_at(proxy, method, **having):
    return [m for m in proxy.messages if not m.is_response and m.method == method and all(getattr(m, k) == v for k, v in having.items())]


def callee_side(exchange, request_address):
    """(caller, callee, proxy): the callee sits behind a proxy, which is the gateway.  All have the same port, for contact_port."""
    caller, callee = exchange.caller(), exchange.phone(user="callee", port=5060)
    proxy = exchange.proxy(callee)
    exchange.make("routing-gateways", "proxy", host=proxy.host, port=proxy.port, prefixes=["880"], sip={"request_address": request_address})
    return caller, callee, proxy


def caller_side(exchange, request_address):
    """The same with the caller behind the proxy."""
    caller, callee = exchange.phone(user="caller", port=5060), exchange.gateway()
    proxy = exchange.proxy(exchange.lab.sip_port())
    exchange.make("mapping-gateways", "proxy", sources=[proxy.host], sip={"request_address": request_address})
    caller.switch = (proxy.host, proxy.port)
    return caller, callee, proxy


MODES = pytest.mark.parametrize("request_address", ["socket", "contact_port", "contact"])


@MODES
@pytest.mark.parametrize("side", [callee_side, caller_side])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_lives_and_ends_through_the_proxy(exchange, side, who, request_address):
    caller, callee, proxy = side(exchange, request_address)
    call, leg = exchange.talking(caller, callee)
    one, other = (call, leg) if who == "caller" else (leg, call)
    again = one.reinvite(HOLD)
    other.expect("INVITE").reply(200, body=ANSWER)
    again.expect(200)
    one.ack(again)
    other.expect("ACK")
    one.request("BYE")
    other.hung_up()
    exchange.is_over(call)
    call_id = leg.call_id if side is callee_side else call.call_id
    seen = [m.method for m in proxy.messages if not m.is_response and m.call_id == call_id]
    assert [seen.count(method) for method in ("INVITE", "ACK", "BYE")] == [2, 2, 1], "every request of the leg goes through the proxy"


@pytest.mark.parametrize("request_address", ["socket", "contact"])
def test_requests_to_the_callee_carry_the_route_set_and_the_callees_contact(exchange, request_address):
    caller, callee, proxy = callee_side(exchange, request_address)
    callee.contact_uri = f"sip:deep@{callee.host}:{callee.port}"
    call, leg = exchange.talking(caller, callee)
    call.request("BYE")
    leg.hung_up()
    for method in ("ACK", "BYE"):
        request = requests_at(proxy, method, call_id=leg.call_id)[0]
        assert request.uri == callee.contact_uri
        assert sip.address_of(request["route"])[0] == proxy.host
        assert ";lr" in request["route"]


def test_routes_of_several_hops_are_kept_in_their_order(exchange):
    """Two proxies before the callee: the answer's Record-Route is reversed for the caller of that leg."""
    caller, callee = exchange.caller(), exchange.phone(user="callee", port=5060)
    inner = exchange.proxy(callee)
    outer = exchange.proxy(inner)
    exchange.make("routing-gateways", "proxy", host=outer.host, port=outer.port, prefixes=["880"], sip={"request_address": "contact"})
    call, leg = exchange.talking(caller, callee)
    call.request("BYE")
    leg.hung_up()
    bye = requests_at(outer, "BYE", call_id=leg.call_id)[0]
    assert [sip.address_of(uri)[0] for uri in sip.uris(bye.all("route"))] == [outer.host, inner.host]
    assert requests_at(inner, "BYE", call_id=leg.call_id)


def test_a_caller_behind_a_proxy_sees_its_record_route_again(exchange):
    caller, callee, proxy = caller_side(exchange, "socket")
    call, leg = exchange.talking(caller, callee)
    answer = [m for m in call.invite.responses if m.code == 200][0]
    assert sip.address_of(answer["record-route"])[0] == proxy.host
    assert leg.invite["record-route"] is None, "the route set of one leg is no business of the other"


@pytest.mark.parametrize("side", [callee_side, caller_side])
def test_a_cancel_passes_the_proxy(exchange, side):
    caller, callee, proxy = side(exchange, "socket")
    call, leg = exchange.ringing(caller, callee)
    call.invite.cancel().expect(200)
    leg.expect("CANCEL").reply(200)
    leg.reply(487)
    call.refused(487)


@pytest.mark.parametrize("side", [callee_side, caller_side])
def test_prack_passes_the_proxy(exchange, side):
    caller, callee, proxy = side(exchange, "contact")
    call = caller.invite(NUMBER, headers=[("Supported", "100rel")])
    leg = callee.incoming()
    leg.reply(183, headers=[("Require", "100rel"), ("RSeq", "1")], body=ANSWER)
    call.expect(183)
    prack = call.request("PRACK", headers=[("RAck", "1 1 INVITE")])
    leg.expect("PRACK").reply(200)
    prack.expect(200)


def test_a_strict_router_gets_what_it_expects(exchange):
    """RFC 3261 12.2.1.1: without ;lr the first route is the Request-URI, and the target the last route."""
    caller, callee = exchange.caller(), exchange.gateway(sip={"request_address": "socket"})
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    strict = f"sip:strict@{callee.host}:{callee.port}"
    leg.reply(200, body=ANSWER, headers=[("Record-Route", f"<{strict}>")])
    call.answered()
    ack = leg.expect("ACK")
    assert ack.uri == strict and ack["route"] == f"<{callee.contact}>"


def test_what_a_sender_puts_into_record_route_cannot_bring_the_switch_down(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER, headers=[("Record-Route", [f"<sip:192.0.2.{n};lr>" for n in range(1, 30)])])
    leg = callee.incoming()
    leg.reply(200, body=ANSWER)
    assert len(sip.uris(call.expect(200).all("record-route"))) == 29
    call.routes = []
    call.how = lambda raw: caller.send(raw, caller.switch)
    call.ack(call.invite)
    leg.expect("ACK")
    call.request("BYE").expect(200)
