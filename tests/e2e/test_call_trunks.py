"""Calls that come in through a registered trunk: which one it is, who may use it, and whose settings the call takes."""

import re

import pytest

import sip
from exchange import APPLIED, NUMBER


def carrier(exchange):
    """A registrar that also calls."""
    phone = exchange.phone(user="carrier")

    def answer(request):
        if request.method == "REGISTER":
            request.send(sip.response(request, 200))
        elif request.method not in ("INVITE", "ACK"):
            request.reply(200)
    phone.automatic = answer
    return phone


def trunk(exchange, registrar, name, **fields):
    """The Contact that it registered."""
    exchange.made.append(("registrations", name))
    exchange.api.post("/registrations", query=APPLIED, **{"name": name, "server": registrar.host, "port": registrar.port, "username": name,
                                                          "password": "secret", **fields}).expect(201)
    contact = exchange.api.wait_for_state(name, "registered")["contact"]
    return re.search(r"sip:[^>]*", contact).group(0)


def mapping(exchange, name, digits):
    """A mapping gateway that is known by what it makes of the number 0…"""
    exchange.make("mapping-gateways", name, callee_rewrite=[{"match": "0", "replace": digits}])


def number_at(callee, call):
    leg = callee.incoming()
    leg.reply(486)
    call.refused(486)
    return sip.user_of(leg.invite.uri)


def test_two_trunks_with_the_same_user_name_are_told_apart_by_their_tokens(exchange):
    mapping(exchange, "one", "8801")
    mapping(exchange, "two", "8802")
    registrar, callee = carrier(exchange), exchange.gateway()
    first = trunk(exchange, registrar, "first", username="4930", inbound_mapping="one")
    second = trunk(exchange, registrar, "second", username="4930", inbound_mapping="two")
    assert sip.user_of(first) == sip.user_of(second) == "4930" and first != second
    for contact, number, name in ((first, "88017", "first"), (second, "88027", "second"), (first, "88017", "first")):
        call = registrar.invite("07", uri=contact)
        assert number_at(callee, call) == number
        assert exchange.cdr(call)["registration"] == name


def test_without_the_token_two_trunks_with_the_same_user_name_get_403(exchange):
    mapping(exchange, "one", "8801")
    registrar, callee = carrier(exchange), exchange.gateway()
    contact = trunk(exchange, registrar, "first", username="4930", inbound_mapping="one")
    bare = contact.partition(";")[0]
    assert number_at(callee, registrar.invite("07", uri=bare)) == "88017"
    trunk(exchange, registrar, "second", username="4930", inbound_mapping="one")
    registrar.invite("07", uri=bare).refused(403)
    callee.hears_nothing(0.1)


def test_the_contact_user_is_what_counts_when_it_is_another_than_the_user_name(exchange):
    mapping(exchange, "one", "8801")
    registrar, callee = carrier(exchange), exchange.gateway()
    contact = trunk(exchange, registrar, "first", contact_user="4930555", inbound_mapping="one")
    assert sip.user_of(contact) == "4930555"
    host = contact.partition("@")[2].partition(";")[0]
    assert number_at(callee, registrar.invite("07", uri=f"sip:4930555@{host}")) == "88017"
    registrar.invite("07", uri=f"sip:first@{host}").refused(403)


def test_two_trunks_of_different_carriers_with_the_same_user_name_are_told_apart_by_the_source(exchange):
    mapping(exchange, "one", "8801")
    mapping(exchange, "two", "8802")
    callee = exchange.gateway()
    registrars = carrier(exchange), carrier(exchange)
    contacts = [trunk(exchange, registrar, name, username="4930", inbound_mapping=gateway)
                for registrar, name, gateway in zip(registrars, ("first", "second"), ("one", "two"))]
    for registrar, contact, number in zip(registrars, contacts, ("88017", "88027")):
        assert number_at(callee, registrar.invite("07", uri=contact)) == number
        assert number_at(callee, registrar.invite("07", uri=contact.partition(";")[0])) == number


def test_the_token_of_one_carrier_is_worth_nothing_in_the_hands_of_another(exchange):
    mapping(exchange, "one", "8801")
    mapping(exchange, "two", "8802")
    callee = exchange.gateway()
    first, second = carrier(exchange), carrier(exchange)
    contact = trunk(exchange, first, "first", inbound_mapping="one")
    trunk(exchange, second, "second", inbound_mapping="two")
    second.invite("07", uri=contact).refused(403)
    callee.hears_nothing(0.1)


def test_the_token_is_the_same_after_a_restart(own_exchange):
    exchange = own_exchange
    mapping(exchange, "one", "8801")
    registrar, callee = carrier(exchange), exchange.gateway()
    contact = trunk(exchange, registrar, "first", inbound_mapping="one")
    exchange.lab.restart("switchcore")
    exchange.lab.wait_switch()
    exchange.api.wait_for_state("first", "registered")
    call = registrar.invite("07", uri=contact)
    assert number_at(callee, call) == "88017"


def test_a_trunk_whose_registration_is_disabled_takes_no_calls(exchange):
    mapping(exchange, "one", "8801")
    registrar, callee = carrier(exchange), exchange.gateway()
    contact = trunk(exchange, registrar, "first", inbound_mapping="one")
    exchange.change("registrations", "first", enabled=False)
    assert registrar.invite("07", uri=contact).invite.final().code in (403, 404)
    callee.hears_nothing(0.1)


def test_a_changed_inbound_mapping_takes_the_next_call(exchange):
    mapping(exchange, "one", "8801")
    mapping(exchange, "two", "8802")
    registrar, callee = carrier(exchange), exchange.gateway()
    contact = trunk(exchange, registrar, "first", inbound_mapping="one")
    assert number_at(callee, registrar.invite("07", uri=contact)) == "88017"
    exchange.change("registrations", "first", inbound_mapping="two")
    assert number_at(callee, registrar.invite("07", uri=contact)) == "88027"
    exchange.change("registrations", "first", inbound_mapping=None)
    registrar.invite("07", uri=contact).refused(403)
    assert len(registrar.requests("REGISTER")) == 1, "nothing of this is on the wire"


@pytest.mark.parametrize("source, number", [("from", "4930111"), ("p_asserted_identity", "4930333"), ("remote_party_id", "4930222")])
def test_the_routing_gateway_of_the_trunk_chooses_the_caller(exchange, source, number):
    mapping(exchange, "one", "8801")
    registrar, callee = carrier(exchange), exchange.gateway()
    contact = trunk(exchange, registrar, "first", inbound_mapping="one")
    exchange.make("routing-gateways", "out", host=registrar.host, port=registrar.port, prefixes=["77"], registration="first",
                  sip={"peer_number_information": source})
    call = registrar.invite("07", uri=contact, headers=[
        ("From", "<sip:4930111@carrier.example>;tag=x"), ("P-Asserted-Identity", "<sip:4930333@carrier.example>"),
        ("Remote-Party-ID", "<sip:4930222@carrier.example>;party=calling")])
    leg = callee.incoming()
    assert sip.user_of(leg.invite["from"]) == number
    leg.reply(486)
    call.refused(486)
    record = exchange.cdr(call)
    assert (record["mapping_gateway"], record["registration"], record["caller_in"]) == ("one", "first", number)


def test_a_trunks_call_counts_at_the_capacity_of_its_inbound_mapping(exchange):
    exchange.make("mapping-gateways", "one", capacity=1)
    registrar, callee = carrier(exchange), exchange.gateway()
    contact = trunk(exchange, registrar, "first", inbound_mapping="one")
    registrar.invite(NUMBER, uri=contact)
    callee.incoming()
    registrar.invite(NUMBER, uri=contact).refused(503)


def test_a_digest_gateway_as_inbound_mapping_asks_the_trunk_for_no_password(exchange):
    """The registrar is known by its address and our token: no carrier answers challenges."""
    exchange.make("mapping-gateways", "one", authentication="digest", username="alice", password="wonderland")
    registrar, callee = carrier(exchange), exchange.gateway()
    contact = trunk(exchange, registrar, "first", inbound_mapping="one")
    registrar.invite(NUMBER, uri=contact)
    callee.incoming()
