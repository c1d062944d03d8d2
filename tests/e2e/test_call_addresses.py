"""Where messages go: reply_address and request_address of both kinds of gateway, seen by a peer whose source address, Via and Contact
all differ (RFC 3261 18.2.2, 12.2.1.1; RFC 3581)."""

import re
import secrets

import pytest

import sip
from dialog import ANSWER, Outgoing
from exchange import NUMBER
from lab import loopback_address
from scattered import REPLY, REQUEST, Scattered
from until import until

REPLY_MODES = pytest.mark.parametrize("reply", REPLY)
REQUEST_MODES = pytest.mark.parametrize("request_mode", REQUEST)


def scattered(exchange, user="scattered"):
    phone = Scattered(loopback_address(), exchange.lab.sip_port(), user)
    exchange.phones.append(phone)
    return phone


def scattered_caller(exchange, name="caller", **fields):
    """A caller whose calls are let in by its source address."""
    phone = scattered(exchange, name)
    exchange.make("mapping-gateways", name, **{"sources": [phone.host], **fields})
    return phone


def scattered_gateway(exchange, name="gateway", prefixes=("880",), **fields):
    """A gateway that calls go to the front of."""
    phone = scattered(exchange, name)
    host, port = phone.address("front")
    exchange.make("routing-gateways", name, host=host, port=port, prefixes=list(prefixes), **fields)
    return phone


def came(phone, message, name):
    """That message reached that socket, and in all its copies no other."""
    ways = {phone.came_by(m) for m in list(phone.arrivals) if m.key == message.key}
    assert ways == {name}, f"{message.start} should reach {name}: {phone.ways()}"


def marked(message, phone, rport=True):
    """The Via of a response tells the sender where its request came from, whatever way the response went (RFC 3261 18.2.1, RFC 3581 4)."""
    via = message["via"]
    host, port = phone.address("source")
    assert f"received={host}" in via, via
    assert re.search(rf";rport={port}(;|,|$)", via) if rport else ";rport" not in via, via
    assert via.split()[1].startswith(phone.sent_by), via


# ------------------------------------------------------------------ the nine combinations

@REPLY_MODES
@REQUEST_MODES
def test_a_call_from_a_mapping_gateway_goes_the_ways_it_is_told(exchange, reply, request_mode):
    caller = scattered_caller(exchange, sip={"reply_address": reply, "request_address": request_mode})
    callee = exchange.gateway()
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(180)
    leg.reply(200, body=ANSWER)
    for code in (100, 180, 200):
        response = call.invite.expect(code)
        came(caller, response, REPLY[reply])
        marked(response, caller)
    call.learn(response)
    call.how = lambda raw: caller.send(raw, caller.switch)
    call.ack(call.invite)
    leg.expect("ACK")

    info = call.request("INFO")
    leg.expect("INFO").reply(200)
    came(caller, info.expect(200), REPLY[reply])

    again = leg.reinvite()
    request = call.expect("INVITE")
    came(caller, request, REQUEST[request_mode])
    assert request.uri == caller.contact_uri, "the Request-URI is the remote target in every mode"
    request.reply(200, body=ANSWER)
    again.expect(200)
    leg.ack(again)
    came(caller, call.expect("ACK"), REQUEST[request_mode])

    leg.request("BYE")
    bye = call.hung_up()
    came(caller, bye, REQUEST[request_mode])
    assert bye.uri == caller.contact_uri


@REPLY_MODES
@REQUEST_MODES
def test_a_call_to_a_routing_gateway_goes_the_ways_it_is_told(exchange, reply, request_mode):
    caller = exchange.caller()
    callee = scattered_gateway(exchange, sip={"reply_address": reply, "request_address": request_mode})
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    came(callee, leg.invite, "front")
    leg.reply(200, body=ANSWER)
    call.answered()
    ack = leg.expect("ACK")
    came(callee, ack, REQUEST[request_mode])
    assert ack.uri == callee.contact_uri, "the Request-URI is the remote target in every mode"
    leg.how = lambda raw: callee.send(raw, callee.switch)

    again = leg.reinvite()
    call.expect("INVITE").reply(200, body=ANSWER)
    response = again.expect(200)
    came(callee, response, REPLY[reply])
    marked(response, callee)
    for trying in [m for m in again.responses if m.code == 100]:
        came(callee, trying, REPLY[reply])
    leg.ack(again)
    call.expect("ACK")

    info = call.request("INFO")
    request = leg.expect("INFO")
    came(callee, request, REQUEST[request_mode])
    request.reply(200)
    info.expect(200)

    bye = leg.request("BYE")
    call.hung_up()
    response = bye.expect(200)
    came(callee, response, REPLY[reply])
    marked(response, callee)


@REQUEST_MODES
def test_a_bye_from_the_switch_to_a_routing_gateway_goes_the_way_it_is_told(exchange, request_mode):
    caller, callee = exchange.caller(), scattered_gateway(exchange, sip={"request_address": request_mode})
    call, leg = exchange.talking(caller, callee)
    call.request("BYE")
    bye = leg.hung_up()
    came(callee, bye, REQUEST[request_mode])
    assert bye.uri == callee.contact_uri


# ------------------------------------------------------------------ responses without a call

REFUSALS = {
    401: {"authentication": "digest", "username": "alice", "password": "wonderland"},
    403: {"denied_prefixes": ["880"]},
    404: {},
    503: {"capacity": 1},
}


@REPLY_MODES
@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_goes_to_the_reply_address_and_its_ack_is_taken(exchange, reply, code):
    caller = scattered_caller(exchange, sip={"reply_address": reply}, **REFUSALS[code])
    if code == 503:
        exchange.gateway(locked=True)
    call = caller.invite(NUMBER)
    response = call.refused(code)
    came(caller, response, REPLY[reply])
    marked(response, caller)
    assert call.invite.copies(code) == 1


@REPLY_MODES
def test_a_refusal_that_the_callee_gave_goes_to_the_reply_address(exchange, reply):
    caller, callee = scattered_caller(exchange, sip={"reply_address": reply}), exchange.gateway().always(486)
    came(caller, caller.invite(NUMBER).refused(486), REPLY[reply])
    callee.hears_nothing(0.1, "CANCEL")


@REPLY_MODES
def test_a_cancelled_call_is_told_so_at_the_reply_address(exchange, reply):
    caller, callee = scattered_caller(exchange, sip={"reply_address": reply}), exchange.gateway()
    call, leg = exchange.ringing(caller, callee)
    accepted = call.invite.cancel().expect(200)
    came(caller, accepted, REPLY[reply])
    marked(accepted, caller)
    leg.expect("CANCEL").reply(200)
    leg.reply(487)
    terminated = call.refused(487)
    came(caller, terminated, REPLY[reply])
    marked(terminated, caller)


# What the stack or the switch answers before any call is made: {code: request}.

def options(caller):
    return caller.request("OPTIONS")


def stray_bye(caller):
    host = caller.switch[0]
    return caller.request("BYE", to=f"<sip:{NUMBER}@{host}>;tag=nobody")


def stray_cancel(caller):
    return caller.request("CANCEL", NUMBER)


def no_hops_left(caller):
    return caller.request("INVITE", NUMBER, headers=[("Max-Forwards", "0")])


def unknown_method(caller):
    return caller.request("LEVITATE", NUMBER)


def unknown_extension(caller):
    return caller.request("INVITE", NUMBER, headers=[("Require", "levitation")])


def other_version(caller):
    return sent_raw(caller, lambda text: text.replace(" SIP/2.0\r\n", " SIP/7.0\r\n", 1))


def broken_header(caller):
    return sent_raw(caller, lambda text: text.replace("CSeq: 1 OPTIONS", "CSeq: one OPTIONS", 1))


def sent_raw(caller, edit):
    """An OPTIONS that is not quite one."""
    host, port = caller.switch
    call_id, branch = secrets.token_hex(8), "z9hG4bK" + secrets.token_hex(8)
    text = (f"OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: {caller.via};rport;branch={branch}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:x@{caller.host}>;tag=1\r\nTo: <sip:{host}>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
    outgoing = Outgoing(caller, text.encode(), caller.switch)
    outgoing.raw = edit(text).encode()
    return outgoing.send()


@REPLY_MODES
@pytest.mark.parametrize("request_of, codes", [
    (options, {200}), (stray_bye, {481}), (stray_cancel, {481}), (no_hops_left, {483}), (unknown_method, {405, 501}),
    (unknown_extension, {420}), (other_version, {505}), (broken_header, {400})])
def test_answers_outside_calls_go_to_the_reply_address_too(exchange, reply, request_of, codes):
    caller = scattered_caller(exchange, sip={"reply_address": reply})
    outgoing = request_of(caller)
    response = caller.take(lambda m: m.is_response and m.branch == outgoing.branch and m.code >= 200, 3, f"answer to {outgoing!r}")
    assert response.code in codes, response.raw.decode(errors="replace")
    came(caller, response, REPLY[reply])
    if response.code != 505:    # the stack leaves the Via of another version alone
        marked(response, caller)


@REPLY_MODES
def test_a_merged_invite_is_refused_at_the_reply_address(exchange, reply):
    """RFC 3261 8.2.2.2: the same request by another way."""
    caller, callee = scattered_caller(exchange, sip={"reply_address": reply}), exchange.gateway()
    call = caller.invite(NUMBER)
    callee.incoming()
    raw = call.invite.raw.replace(call.invite.branch.encode(), b"z9hG4bKother")
    came(caller, Outgoing(caller, raw, caller.switch).send().expect(482), REPLY[reply])


@REPLY_MODES
def test_a_repeated_request_gets_its_answer_again_at_the_reply_address(exchange, reply):
    caller, callee = scattered_caller(exchange, sip={"reply_address": reply}), exchange.gateway()
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(180)
    ringing = call.invite.expect(180)
    call.invite.again()
    until(lambda: call.invite.copies(180) >= 2, 3, "the answer again")
    came(caller, ringing, REPLY[reply])


@REPLY_MODES
def test_without_rport_the_response_says_only_where_the_request_came_from(exchange, reply):
    caller = scattered_caller(exchange, sip={"reply_address": reply})
    callee = exchange.gateway()
    call = caller.invite(NUMBER, headers=[("Via", f"{caller.via};branch=z9hG4bK{secrets.token_hex(8)}")])
    callee.incoming().reply(200, body=ANSWER)
    for code in (100, 200):
        response = call.invite.expect(code)
        came(caller, response, REPLY[reply])
        marked(response, caller, rport=False)


def test_with_rport_received_is_told_also_where_it_is_the_same_as_in_via(exchange):
    """RFC 3581 4."""
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER)
    callee.incoming().reply(200, body=ANSWER)
    for code in (100, 200):
        via = call.invite.expect(code)["via"]
        assert f"received={caller.host}" in via and f"rport={caller.port}" in via, via


@REPLY_MODES
def test_further_vias_come_back_as_they_were(exchange, reply):
    caller = scattered_caller(exchange, sip={"reply_address": reply})
    below = "SIP/2.0/UDP 192.0.2.77:5099;branch=z9hG4bKbelow;received=198.51.100.7"
    call = caller.invite(NUMBER, headers=[("Via", [f"{caller.via};rport;branch=z9hG4bK{secrets.token_hex(8)}", below])])
    response = call.refused(404)
    came(caller, response, REPLY[reply])
    vias = [via.strip() for value in response.all("via") for via in value.split(",")]
    assert vias[1:] == [below]


def test_an_unknown_source_is_answered_at_its_socket(exchange):
    stranger = scattered(exchange)
    response = stranger.invite(NUMBER).refused(403)
    came(stranger, response, "source")
    marked(response, stranger)


@pytest.mark.parametrize("request_of", [options, stray_bye, stray_cancel, unknown_method, other_version, broken_header])
def test_nothing_that_a_stranger_sends_makes_the_switch_send_elsewhere_than_to_its_socket(exchange, request_of):
    """Or the switch could be used against whoever stands in Via."""
    stranger = scattered(exchange)
    outgoing = request_of(stranger)
    came(stranger, stranger.take(lambda m: m.is_response and m.branch == outgoing.branch, 3, f"answer to {outgoing!r}"), "source")


@pytest.mark.parametrize("request_of", [options, stray_bye, stray_cancel, unknown_method, other_version, broken_header])
def test_nothing_that_a_stranger_sends_is_answered_when_nothing_is_to_be_told(exchange, request_of):
    exchange.set(SS_REPLY_UNAUTHORIZED=False)
    stranger, caller = scattered(exchange), exchange.caller()
    request_of(stranger)
    request_of(caller)
    until(lambda: caller.arrivals, 3, "an answer to one who is known")
    assert not stranger.arrivals, stranger.ways()


# ------------------------------------------------------------------ what follows the INVITE's way, or the peer's last message

@REQUEST_MODES
def test_a_cancel_goes_where_the_invite_went(exchange, request_mode):
    caller, callee = exchange.caller(), scattered_gateway(exchange, sip={"request_address": request_mode})
    call, leg = exchange.ringing(caller, callee)
    call.invite.cancel()
    cancel = leg.expect("CANCEL")
    came(callee, cancel, "front")
    assert cancel.uri == leg.invite.uri and cancel.branch == leg.invite.branch
    cancel.reply(200)
    leg.reply(487)
    ack = leg.expect("ACK")
    came(callee, ack, "front")
    assert ack.uri == leg.invite.uri and ack.branch == leg.invite.branch


@REQUEST_MODES
def test_the_ack_to_a_refusal_goes_where_the_invite_went(exchange, request_mode):
    caller, callee = exchange.caller(), scattered_gateway(exchange, sip={"request_address": request_mode})
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(486)
    came(callee, leg.expect("ACK"), "front")
    call.refused(486)


def test_mode_socket_follows_a_peer_whose_socket_moved(exchange):
    """A NAT gave it another port in the middle of the call: its last message tells."""
    caller, callee = scattered_caller(exchange), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    moved = caller.sockets["route"]
    call.how = lambda raw: moved.sendto(raw, caller.switch)
    call.request("INFO")
    leg.expect("INFO").reply(200)
    leg.request("BYE")
    came(caller, call.hung_up(), "route")


@pytest.mark.parametrize("request_mode, way", [("socket", "source"), ("contact_port", "contact_port"), ("contact", "route")])
def test_mode_contact_sends_to_the_topmost_route_and_the_others_do_not(exchange, request_mode, way):
    caller, callee = exchange.caller(), scattered_gateway(exchange, sip={"request_address": request_mode})
    record = "<sip:%s:%d;lr>" % callee.address("route")
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(200, body=ANSWER, headers=[("Record-Route", record)])
    call.answered()
    ack = leg.expect("ACK")
    came(callee, ack, way)
    assert ack.uri == callee.contact_uri and ack.all("route") == [record], "the route set is in the message whatever way it goes"
    call.request("BYE")
    bye = leg.hung_up()
    came(callee, bye, way)
    assert bye.uri == callee.contact_uri and bye.all("route") == [record]


@pytest.mark.parametrize("request_mode, way", [("socket", "source"), ("contact_port", "contact_port"), ("contact", "route")])
def test_the_same_for_a_caller_that_came_through_proxies(exchange, request_mode, way):
    caller = scattered_caller(exchange, sip={"request_address": request_mode})
    callee = exchange.gateway()
    records = ["<sip:%s:%d;lr>" % caller.address("route"), "<sip:192.0.2.99;lr>"]
    call = caller.invite(NUMBER, headers=[("Record-Route", records)])
    leg = callee.incoming()
    leg.reply(200, body=ANSWER)
    call.learn(call.invite.expect(200))
    call.how, call.routes = lambda raw: caller.send(raw, caller.switch), []
    call.ack(call.invite)
    leg.expect("ACK")
    leg.request("BYE")
    bye = call.hung_up()
    came(caller, bye, way)
    assert bye.uri == caller.contact_uri and sip.uris(bye.all("route")) == records


@REQUEST_MODES
def test_a_contact_or_via_without_a_port_means_5060(exchange, request_mode):
    """The default of the transport (RFC 3261 18.2.2, 19.1.2)."""
    caller = exchange.phone(user="caller")
    default = caller.also_listen(5060)
    caller.contact_uri, caller.sent_by = f"sip:caller@{caller.host}", caller.host
    exchange.make("mapping-gateways", "caller", sources=[caller.host], sip={"reply_address": "via_port", "request_address": request_mode})
    callee = exchange.gateway()
    call = caller.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(200, body=ANSWER)
    assert call.answered().reached == default
    leg.expect("ACK")
    leg.request("BYE")
    assert call.hung_up().reached == ((caller.host, caller.port) if request_mode == "socket" else default)


@REPLY_MODES
def test_a_call_from_a_routing_gateways_own_address_is_answered_as_that_gateway_says(exchange, reply):
    exchange.make("mapping-gateways", "from-carrier")
    carrier = scattered(exchange, "carrier")
    exchange.make("routing-gateways", "carrier", host=carrier.host, port=carrier.port, prefixes=["77"], inbound_mapping="from-carrier",
                  sip={"reply_address": reply})
    callee = exchange.gateway()
    call = carrier.invite(NUMBER)
    callee.incoming().reply(180)
    for code in (100, 180):
        came(carrier, call.invite.expect(code), REPLY[reply])


def test_a_changed_reply_address_is_used_by_the_next_message(exchange):
    caller, callee = scattered_caller(exchange), exchange.gateway()
    came(caller, caller.invite("77").refused(404), "source")
    exchange.change("mapping-gateways", "caller", sip={"reply_address": "via"})
    came(caller, caller.invite("77").refused(404), "via")
    callee.hears_nothing(0.1)


@REPLY_MODES
def test_over_tcp_responses_use_the_connection_of_the_request(exchange, reply):
    caller = exchange.phone("tcp", user="caller")
    caller.sent_by = f"{loopback_address()}:5070"
    exchange.make("mapping-gateways", "caller", sources=[caller.host], sip={"reply_address": reply})
    callee = exchange.gateway()
    call = caller.invite(NUMBER)
    callee.incoming().reply(180)
    for code in (100, 180):
        response = call.invite.expect(code)
        assert f"received={caller.host}" in response["via"], response["via"]
