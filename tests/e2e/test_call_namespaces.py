"""Calls between networks that cannot reach each other but through what the settings say: the switch, a gateway, and a caller behind a
router with address translation each live in a network namespace."""

import socket

import pytest

import sip
from dialog import ANSWER
from exchange import NUMBER, Exchange
from lab import Lab
from namespace import Namespace, Nat, refused
from phone import Phone

SWITCH, CARRIER, ROUTER, HOME_ROUTER, HOME = "198.51.100.1", "198.51.100.2", "203.0.113.2", "192.168.7.1", "192.168.7.20"
SWITCH_HOME_SIDE = "203.0.113.1"
PORT = 5060


@pytest.fixture(scope="module")
def networks():
    """carrier 198.51.100.2 -- 198.51.100.1 switch 203.0.113.1 -- 203.0.113.2 router 192.168.7.1 -- 192.168.7.20 home"""
    why = refused()
    if why:
        pytest.skip(why)
    made = {name: Namespace() for name in ("switch", "carrier", "router", "home")}
    try:
        made["switch"].join(made["carrier"], f"{SWITCH}/24", f"{CARRIER}/24")
        made["switch"].join(made["router"], f"{SWITCH_HOME_SIDE}/24", f"{ROUTER}/24")
        made["router"].join(made["home"], f"{HOME_ROUTER}/24", f"{HOME}/24")
        yield made
    finally:
        for namespace in made.values():
            namespace.remove()


class NamespaceLab(Lab):
    """mgmtd here, switchcore in its namespace with a listener in each of its networks."""

    def __init__(self, directory, namespace):
        super().__init__(directory)
        self.namespace = namespace

    def command(self, name):
        words = super().command(name)
        return self.namespace.command(*words) if name == "switchcore" else words


class FarPhone(Phone):
    """A phone in a namespace."""

    def __init__(self, namespace, host, switch, user):
        self.namespace = namespace
        super().__init__(host, switch, user=user)

    def open(self, kind):
        return self.namespace.socket(socket.AF_INET, kind)


@pytest.fixture(scope="module")
def far(networks, tmp_path_factory):
    lab = NamespaceLab(tmp_path_factory.mktemp("namespaces"), networks["switch"])
    lab.start("mgmtd", "switchcore", sip=(f"front=udp:{SWITCH}:{PORT}", f"home=udp:{SWITCH_HOME_SIDE}:{PORT}")).wait_switch()
    yield lab
    lab.close()
    assert not lab.problems, "\n".join(lab.problems) + lab.logs()


@pytest.fixture
def exchange(far):
    own = Exchange(far)
    yield own
    own.end()


@pytest.fixture
def nat(networks):
    router = Nat(networks["router"], HOME_ROUTER, ROUTER, (SWITCH_HOME_SIDE, PORT))
    yield router
    router.stop()


def phone(exchange, networks, where, host, switch, user):
    made = FarPhone(networks[where], host, switch, user)
    exchange.phones.append(made)
    return made


def carrier(exchange, networks):
    gateway = phone(exchange, networks, "carrier", CARRIER, (SWITCH, PORT), "carrier")
    exchange.make("routing-gateways", "carrier", host=CARRIER, port=gateway.port, prefixes=["880"], listener="front")
    return gateway


def home(exchange, networks, **addresses):
    """A caller whose Via and Contact name its private address."""
    caller = phone(exchange, networks, "home", HOME, (HOME_ROUTER, PORT), "home")
    exchange.make("mapping-gateways", "home", sources=[ROUTER], sip=addresses)
    return caller


def ring(caller, gateway):
    call = caller.invite(NUMBER)
    leg = gateway.incoming()
    leg.reply(200, body=ANSWER)
    return call, leg


def test_a_caller_behind_nat_is_reached_by_its_socket_all_through_the_call(exchange, networks, nat):
    caller, gateway = home(exchange, networks), carrier(exchange, networks)
    call, leg = ring(caller, gateway)
    answer = call.invite.expect(200)
    public = nat.public((HOME, caller.port))
    assert f"received={ROUTER}" in answer["via"] and f"rport={public[1]}" in answer["via"]
    call.learn(answer)
    assert sip.address_of(call.target)[0] == SWITCH_HOME_SIDE, "the Contact is the address of the caller's side"
    call.how = lambda raw: caller.send(raw, caller.switch)
    call.ack(call.invite)
    leg.expect("ACK")
    change = leg.reinvite()
    asked = call.expect("INVITE")
    assert asked.uri == caller.contact, "the private address stands in the Request-URI all the same"
    asked.reply(200, body=ANSWER)
    change.expect(200)
    leg.ack(change)
    call.expect("ACK")
    leg.request("BYE")
    call.hung_up()


@pytest.mark.parametrize("reply", ["via", "via_port"])
def test_with_the_via_of_a_private_address_no_answer_comes_home(exchange, networks, nat, reply):
    """What the setting does is what it says: it is wrong for this caller."""
    caller, gateway = home(exchange, networks, reply_address=reply), carrier(exchange, networks)
    call, leg = ring(caller, gateway)
    call.invite.unanswered(1)
    assert not leg.phone.requests("ACK", call_id=leg.call_id)


@pytest.mark.parametrize("request_mode", ["contact", "contact_port"])
def test_with_the_contact_of_a_private_address_the_callees_bye_is_lost(exchange, networks, nat, request_mode):
    caller, gateway = home(exchange, networks, request_address=request_mode), carrier(exchange, networks)
    call, leg = ring(caller, gateway)
    call.learn(call.invite.expect(200))
    call.how = lambda raw: caller.send(raw, caller.switch)
    call.ack(call.invite)
    leg.expect("ACK")
    bye = leg.request("BYE")
    bye.expect(200)
    call.hears_nothing("BYE", 1)


def test_each_side_sees_the_address_of_its_own_network_only(exchange, networks, nat):
    caller, gateway = home(exchange, networks), carrier(exchange, networks)
    call, leg = ring(caller, gateway)
    text = leg.invite.raw.decode()
    assert sip.address_of(leg.invite.contact_uri)[0] == SWITCH
    assert SWITCH_HOME_SIDE not in text and HOME not in text.partition("\r\n\r\n")[0] and ROUTER not in text
    answer = call.invite.expect(200).raw.decode()
    assert CARRIER not in answer and f"{SWITCH}:" not in answer and f"@{SWITCH}>" not in answer


def test_a_stranger_behind_the_same_router_is_the_same_source(exchange, networks, nat):
    """A source is an address: who may send from it is the router's business.  address:port tells them apart."""
    caller, gateway = home(exchange, networks), carrier(exchange, networks)
    call, leg = ring(caller, gateway)
    call.invite.expect(200)
    exchange.change("mapping-gateways", "home", sources=["%s:%d" % nat.public((HOME, caller.port))])
    caller.invite(NUMBER)
    gateway.incoming()
    exchange.change("mapping-gateways", "home", sources=["%s:%d" % (ROUTER, 1)])
    caller.invite(NUMBER).refused(403)
