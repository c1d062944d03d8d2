"""The settings that are advised for each type of gateway, as a call of that type shows them."""

import pytest

import sip
from dialog import ANSWER
from lab import loopback_address
from scattered import REPLY, REQUEST, Scattered

DIALLED, IN_THE_LINE, PREFIX = "8801234567", "8807001", [{"match": "880", "replace": "99880"}]

# type: (INVITE_USE_CONTACT, mapping callee, reply address, request address), and what the gateway is told
TYPES = {
    "standard SIP carrier": ("off", "to", "socket", "socket", ("998801234567", "998801234567")),
    "legacy, routes on the request line": ("on", "request_line", "socket", "socket", ("998807001", DIALLED)),
    "PSTN gateway with prefix conversion": ("on", "request_line", "socket", "contact", ("998807001", DIALLED)),
    "behind NAT": ("off", "to", "socket", "socket", ("998801234567", "998801234567")),
    "wholesale carrier, several prefixes": ("on", "request_line", "socket", "contact", ("998807001", DIALLED)),
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_gateway_of_this_type_gets_what_it_is_known_to_need(exchange, kind):
    mode, callee, reply, request, (line, to) = TYPES[kind]
    caller, gateway = (Scattered(loopback_address(), exchange.lab.sip_port(), user) for user in ("caller", "gateway"))
    exchange.phones += [caller, gateway]
    addresses = {"reply_address": reply, "request_address": request}
    exchange.make("mapping-gateways", "caller", sources=[caller.host], sip={"callee": callee, **addresses})
    host, port = gateway.address("front")
    exchange.make("routing-gateways", "gateway", host=host, port=port, prefixes=["880"], callee_rewrite=PREFIX,
                  sip={"invite_use_contact": mode, **addresses})

    call = caller.invite(IN_THE_LINE, to=f"<sip:{DIALLED}@switch>")
    leg = gateway.incoming()
    assert (sip.user_of(leg.invite.uri), sip.user_of(leg.invite["to"])) == (line, to)
    leg.reply(200, body=ANSWER)
    answer = call.invite.expect(200)
    assert caller.came_by(answer) == REPLY[reply]
    call.learn(answer)
    call.ack(call.invite)
    ack = leg.expect("ACK")
    assert gateway.came_by(ack) == REQUEST[request] and ack.uri == gateway.contact_uri
    change = leg.reinvite()
    asked = call.expect("INVITE")
    assert caller.came_by(asked) == REQUEST[request] and asked.uri == caller.contact_uri
    asked.reply(200, body=ANSWER)
    response = change.expect(200)
    assert gateway.came_by(response) == REPLY[reply]
    leg.ack(change)
    call.expect("ACK")
    bye = call.request("BYE")
    assert gateway.came_by(leg.hung_up()) == REQUEST[request]
    bye.expect(200)
    record = exchange.cdr(call)
    assert (record["billing_callee"], record["routed"], record["original"], record["invite_use_contact"]) == (to, line, DIALLED, mode)
    assert record["callee_in"] == (DIALLED if callee == "to" else IN_THE_LINE)
