"""Calls that are not let in, and attempts to make the switch pay for somebody else's call."""

import pytest

import sip
from exchange import APPLIED, NUMBER
from until import stays


def test_an_invite_from_an_unknown_source_gets_403(exchange):
    stranger, callee = exchange.phone(), exchange.gateway()
    call = stranger.invite(NUMBER)
    call.refused(403)
    callee.hears_nothing()


def test_without_reply_unauthorized_an_unknown_source_gets_no_answer_at_all(exchange):
    exchange.set(SS_REPLY_UNAUTHORIZED=False)
    stranger, callee = exchange.phone(), exchange.gateway()
    stranger.invite(NUMBER).invite.unanswered()
    for method in ("OPTIONS", "BYE", "REGISTER", "MESSAGE"):
        stranger.request(method, NUMBER).unanswered(0.2)
    callee.hears_nothing()
    exchange.set(SS_REPLY_UNAUTHORIZED=True)
    stranger.invite(NUMBER).refused(403)


@pytest.mark.parametrize("fields, code", [
    ({"enabled": False}, 403), ({"locked": True}, 403), ({"denied_prefixes": ["8801"]}, 403), ({"allowed_prefixes": ["881", "77"]}, 403),
    ({"allowed_prefixes": ["880"], "denied_prefixes": ["88012"]}, 403), ({"denied_prefixes": ["88"], "allowed_prefixes": ["88"]}, 403),
])
def test_a_mapping_gateways_settings_refuse(exchange, fields, code):
    caller, callee = exchange.caller(**fields), exchange.gateway()
    caller.invite(NUMBER).refused(code)
    callee.hears_nothing()


def test_the_longer_prefix_of_allowed_and_denied_wins(exchange):
    caller, callee = exchange.caller(denied_prefixes=["8"], allowed_prefixes=["880"]), exchange.gateway()
    caller.invite(NUMBER)
    callee.incoming()


def test_a_number_that_no_gateway_takes_gets_404(exchange):
    caller, callee = exchange.caller(), exchange.gateway(prefixes=["881"])
    call = caller.invite(NUMBER)
    call.refused(404)
    record = exchange.cdr(call)
    assert (record["code"], record["routing_gateway"], record["tried"]) == (404, None, [])
    callee.hears_nothing()


def test_a_number_whose_gateways_are_all_locked_gets_503(exchange):
    caller, callee = exchange.caller(), exchange.gateway(locked=True)
    call = caller.invite(NUMBER)
    call.refused(503)
    assert [item["gateway"] for item in exchange.cdr(call)["skipped"]] == ["gateway"]
    callee.hears_nothing()


def test_a_disabled_gateway_is_no_gateway(exchange):
    caller, callee = exchange.caller(), exchange.gateway(enabled=False)
    assert caller.invite(NUMBER).invite.final().code in (404, 503)
    callee.hears_nothing()


def test_an_invite_without_a_number_gets_404_or_484(exchange):
    caller, callee = exchange.caller(), exchange.gateway(prefixes=[])
    assert caller.invite("").invite.final().code in (404, 484)
    callee.hears_nothing()


@pytest.mark.parametrize("hops, out", [("70", "69"), ("2", "1"), ("1", "0")])
def test_max_forwards_counts_down(exchange, hops, out):
    caller, callee = exchange.caller(), exchange.gateway()
    caller.invite(NUMBER, headers=[("Max-Forwards", hops)])
    assert callee.incoming().invite["max-forwards"] == out


def test_max_forwards_zero_gets_483(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER, headers=[("Max-Forwards", "0")])
    call.refused(483)
    callee.hears_nothing()


def test_a_missing_max_forwards_is_70(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    caller.invite(NUMBER, headers=[("Max-Forwards", None)])
    assert 68 <= int(callee.incoming().invite["max-forwards"]) <= 70


def test_a_loop_through_the_switch_itself_ends(exchange):
    """A gateway that is the switch: each turn takes a hop, and the caller hears why."""
    host, port = exchange.lab.sip_port()
    caller = exchange.caller()
    exchange.make("mapping-gateways", "self", sources=[host])
    exchange.make("routing-gateways", "self", host=host, port=port, prefixes=["880"])
    call = caller.invite(NUMBER, headers=[("Max-Forwards", "5")])
    assert call.invite.final(within=5).code in (482, 483)
    stays(lambda: exchange.lab.switchcore.running, 0.1, "the switch lives")
    exchange.is_over(call)


def test_an_extension_that_nobody_knows_gets_420_with_its_name(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    refused = caller.invite(NUMBER, headers=[("Require", "100rel, teleport"), ("Supported", "100rel")]).refused(420)
    assert refused["unsupported"] == "teleport"
    callee.hears_nothing()


def test_an_unknown_extension_in_a_call_gets_420(exchange):
    call, leg = exchange.talking(exchange.caller(), exchange.gateway())
    assert call.request("INFO", "x", headers=[("Require", "teleport")]).expect(420)["unsupported"] == "teleport"
    leg.hears_nothing()


def test_capacity_of_the_mapping_gateway_is_the_most_calls_at_once(exchange):
    caller, callee = exchange.caller(capacity=1), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    caller.invite(NUMBER).refused(503)
    call.request("BYE").expect(200)
    leg.hung_up()
    exchange.is_over(call)
    exchange.talking(caller, callee)


def test_a_refused_call_gives_its_place_back(exchange):
    caller, callee = exchange.caller(capacity=1), exchange.gateway(capacity=1)
    for _ in range(3):
        call = caller.invite(NUMBER)
        leg = callee.incoming()
        leg.reply(486)
        call.refused(486)
        exchange.is_over(call)
    exchange.talking(caller, callee)


def test_calls_per_second_of_the_mapping_gateway_are_held(exchange):
    caller, callee = exchange.caller(max_cps=2), exchange.gateway().always(486)
    codes = [call.invite.final().code for call in [caller.invite(NUMBER) for _ in range(6)]]
    assert codes.count(486) in (2, 3, 4) and codes.count(503) == 6 - codes.count(486)
    assert len(callee.requests("INVITE")) == codes.count(486)


def test_the_longest_source_decides_whose_call_it_is(exchange):
    phone = exchange.phone()
    network = phone.host.rpartition(".")[0] + ".0/24"
    exchange.make("mapping-gateways", "wide", sources=[network], locked=True)
    phone.invite(NUMBER).refused(403)
    exchange.make("mapping-gateways", "narrow", sources=[f"{phone.host}:{phone.port}"])
    callee = exchange.gateway()
    phone.invite(NUMBER)
    callee.incoming()


# Toll fraud.

def trunk(exchange, **fields):
    """A registration at a carrier of the test: (the carrier as a phone that may call, the Contact that was registered)."""
    carrier = exchange.phone()

    def answer(request):
        if request.method == "REGISTER":
            request.send(sip.response(request, 200))
        elif request.method not in ("INVITE", "ACK"):
            request.reply(200)
    carrier.automatic = answer
    exchange.made.append(("registrations", "trunk"))
    exchange.api.post("/registrations", query=APPLIED, name="trunk", server=carrier.host, port=carrier.port, username="49301234",
                      password="secret", **fields).expect(201)
    exchange.api.wait_for_state("trunk", "registered")
    return carrier, carrier.requests("REGISTER")[-1].contact_uri


def test_a_call_through_a_trunk_without_an_inbound_mapping_gets_403(exchange):
    carrier, contact = trunk(exchange)
    callee = exchange.gateway()
    carrier.invite(NUMBER, uri=contact).refused(403)
    callee.hears_nothing()


def test_a_call_through_a_trunk_takes_the_settings_of_its_inbound_mapping(exchange):
    exchange.make("mapping-gateways", "from-trunk", callee_rewrite=[{"match": "030", "replace": "880"}], allowed_prefixes=["030"])
    carrier, contact = trunk(exchange, inbound_mapping="from-trunk")
    callee = exchange.gateway()
    call = carrier.invite("0301234567", uri=contact)
    leg = callee.incoming()
    assert sip.user_of(leg.invite.uri) == "8801234567"
    leg.reply(486)
    call.refused(486)
    record = exchange.cdr(call)
    assert (record["mapping_gateway"], record["registration"]) == ("from-trunk", "trunk")
    carrier.invite("0401234567", uri=contact).refused(403)


def test_a_line_token_from_another_address_gets_403(exchange):
    exchange.make("mapping-gateways", "from-trunk")
    carrier, contact = trunk(exchange, inbound_mapping="from-trunk")
    callee = exchange.gateway()
    exchange.phone().invite(NUMBER, uri=contact).refused(403)
    callee.hears_nothing()


def test_a_guessed_line_token_gets_403(exchange):
    exchange.make("mapping-gateways", "from-trunk")
    carrier, contact = trunk(exchange, inbound_mapping="from-trunk")
    callee = exchange.gateway()
    guessed = contact.partition(";line=")[0].replace("49301234@", "nobody@") + ";line=" + "0" * 32
    carrier.invite(NUMBER, uri=guessed).refused(403)
    callee.hears_nothing()


def test_the_contact_user_names_the_trunk_when_the_carrier_drops_the_token(exchange):
    exchange.make("mapping-gateways", "from-trunk")
    carrier, contact = trunk(exchange, inbound_mapping="from-trunk")
    callee = exchange.gateway()
    carrier.invite(NUMBER, uri=contact.partition(";line=")[0])
    callee.incoming()


def test_a_source_of_the_inbound_mapping_may_use_the_trunks_token(exchange):
    """Carriers call from other addresses than they register at."""
    media_side = exchange.phone()
    exchange.make("mapping-gateways", "from-trunk", sources=[media_side.host])
    carrier, contact = trunk(exchange, inbound_mapping="from-trunk")
    callee = exchange.gateway()
    media_side.invite(NUMBER, uri=contact)
    callee.incoming()


def test_a_call_from_a_routing_gateways_address_gets_403_without_an_inbound_mapping(exchange):
    gateway, callee = exchange.gateway("carrier", prefixes=["77"]), exchange.gateway()
    gateway.invite(NUMBER).refused(403)
    callee.hears_nothing()


def test_a_call_from_a_routing_gateways_address_is_treated_by_its_inbound_mapping(exchange):
    exchange.make("mapping-gateways", "from-carrier", denied_prefixes=["8809"])
    gateway, callee = exchange.gateway("carrier", prefixes=["77"], inbound_mapping="from-carrier"), exchange.gateway()
    call = gateway.invite(NUMBER)
    leg = callee.incoming()
    leg.reply(486)
    call.refused(486)
    assert exchange.cdr(call)["mapping_gateway"] == "from-carrier"
    gateway.invite("8809").refused(403)


def test_a_disabled_or_locked_inbound_mapping_lets_no_call_in(exchange):
    exchange.make("mapping-gateways", "from-carrier", locked=True)
    gateway, callee = exchange.gateway("carrier", prefixes=["77"], inbound_mapping="from-carrier"), exchange.gateway()
    gateway.invite(NUMBER).refused(403)
    exchange.change("mapping-gateways", "from-carrier", locked=False, enabled=False)
    gateway.invite(NUMBER).refused(403)
    callee.hears_nothing()


def test_a_request_of_a_stranger_in_a_living_call_does_nothing(exchange):
    """Even one who saw every identifier: tags are known, the address is not."""
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    stranger = exchange.phone()
    forged = call.build("REFER", 500, headers=[("Refer-To", "<sip:900@example.net>")]).raw
    stranger.send(forged, stranger.switch)
    leg.hears_nothing()
    assert exchange.call(call)["phase"] == "answered"
    assert not callee.requests("REFER")


def test_a_redirect_does_not_send_calls_where_the_callee_says(exchange):
    """A 3xx is a failure here: nobody outside the configuration chooses destinations."""
    elsewhere = exchange.phone()
    caller, callee = exchange.caller(), exchange.gateway()
    callee.always(302, headers=[("Contact", f"<{elsewhere.contact}>")])
    caller.invite(NUMBER).refused(503)
    elsewhere.hears_nothing()


def test_a_route_header_does_not_choose_the_destination(exchange):
    elsewhere = exchange.phone()
    caller, callee = exchange.caller(), exchange.gateway()
    host, port = exchange.lab.sip_port()
    caller.invite(NUMBER, headers=[("Route", [f"<sip:{host}:{port};lr>", f"<sip:{elsewhere.host}:{elsewhere.port};lr>"])])
    assert callee.incoming().invite["route"] is None
    elsewhere.hears_nothing()
