"""The server by name, and by certificate (RFC 3263, RFC 5922)."""

import pytest

import peer as peers
from lab import loopback_address
from until import stays, until


@pytest.fixture
def dns(lab):
    """A name server that the switch asks."""
    server = lab.dns()
    lab.extra["switchcore"] = ["--dns-server", f"{server.host}:{server.port}"]
    return server


def register(lab, name="carrier-a", server="sip.example.net", **fields):
    api = lab.start("mgmtd", "switchcore").api() if not lab.daemons else lab.api()
    api.post("/registrations", name=name, server=server, username=name, password="secret", **fields).expect(201)
    return api


def test_a_host_name_with_a_port_is_an_address_record(lab, dns):
    registrar = lab.peer()
    dns.a("sip.example.net", registrar.host)
    api = register(lab, port=registrar.port)
    assert registrar.wait_for_register().uri == "sip:sip.example.net"
    assert api.wait_for_state("carrier-a", "registered")["remote_address"] == f"udp:{registrar.host}:{registrar.port}"


def test_without_a_port_naptr_and_srv_name_the_server(lab, dns):
    registrar = lab.peer()
    dns.naptr("sip.example.net", (10, 10, "SIP+D2U", "_sip._udp.sip.example.net"))
    dns.srv("_sip._udp.sip.example.net", (10, 0, registrar.port, "a.example.net"))
    dns.a("a.example.net", registrar.host)
    register(lab)
    registrar.wait_for_register()


def test_without_naptr_srv_alone_is_enough(lab, dns):
    registrar = lab.peer()
    dns.srv("_sip._udp.sip.example.net", (10, 0, registrar.port, "a.example.net"))
    dns.a("a.example.net", registrar.host)
    register(lab)
    registrar.wait_for_register()


def test_without_srv_the_default_port_of_the_address_is_used(lab, dns):
    registrar = lab.peer(port=5060)
    dns.a("sip.example.net", registrar.host)
    register(lab)
    registrar.wait_for_register()


def test_of_many_srv_records_the_best_are_tried_whatever_their_order(lab, dns):
    best, worse = lab.peer(), lab.peer()
    dns.srv("_sip._udp.sip.example.net", *[(20 + n, 0, worse.port, "b.example.net") for n in range(9)],
            (10, 0, best.port, "a.example.net"))
    dns.a("a.example.net", best.host)
    dns.a("b.example.net", worse.host)
    register(lab)
    best.wait_for_register()
    assert not worse.registers()


def test_a_sole_srv_target_of_a_dot_means_that_there_is_no_such_service(lab, dns):
    registrar = lab.peer(port=5060)
    dns.srv("_sip._udp.sip.example.net", (0, 0, 0, "."))
    dns.a("sip.example.net", registrar.host)
    status = register(lab).wait_for_state("carrier-a", "waiting")
    assert (status["reason"], status["last_code"]) == ("dns", None)
    assert "offers no SIP over udp" in status["detail"]
    assert not registrar.registers() and ("sip.example.net", 1) not in dns.queries


def test_a_target_that_answers_503_or_refuses_is_left_for_the_next_within_one_attempt(lab, dns):
    refusing, busy, good = lab.peer(), lab.peer(peers.refusing(503)), lab.peer()
    refusing.stop()
    dns.srv("_sip._udp.sip.example.net", (1, 0, refusing.port, "a.example.net"), (2, 0, busy.port, "b.example.net"),
            (3, 0, good.port, "c.example.net"))
    for label, peer in (("a", refusing), ("b", busy), ("c", good)):
        dns.a(f"{label}.example.net", peer.host)
    api = register(lab)
    status = api.wait_for_state("carrier-a", "registered", within=6)
    assert status["failures"] == 0 and len(busy.registers()) == 1
    assert status["remote_address"] == f"udp:{good.host}:{good.port}"


@pytest.mark.slow
def test_a_target_that_is_silent_for_eight_seconds_is_left_for_the_next(lab, dns):
    silent, good = lab.peer(peers.silent), lab.peer()
    dns.srv("_sip._udp.sip.example.net", (1, 0, silent.port, "a.example.net"), (2, 0, good.port, "b.example.net"))
    dns.a("a.example.net", silent.host)
    dns.a("b.example.net", good.host)
    register(lab)
    first, second = silent.wait_for_register(), good.wait_for_register(within=12)
    assert 7.5 <= second.at - first.at <= 9.5


def test_a_name_that_is_not_known_is_a_dns_failure(lab, dns):
    status = register(lab, server="nowhere.example.net").wait_for_state("carrier-a", "waiting", within=10)
    assert status["reason"] == "dns" and status["last_code"] is None


def test_a_resolver_that_hangs_stalls_only_who_waits_for_it(lab, dns):
    registrar = lab.peer(peers.granting(4))
    dns.hanging.add("stuck.example.net")
    dns.hanging.add("_sip._udp.stuck.example.net")
    api = register(lab, "stuck", server="stuck.example.net")
    until(lambda: any(name.endswith("stuck.example.net") for name, _ in dns.queries), 5, "a query")
    api.registration("carrier-b", registrar)
    api.wait_for_state("carrier-b", "registered", within=2)
    second = registrar.wait_for_register(count=2)
    assert second.at - registrar.wait_for_register().at <= 2.5
    assert api.status("stuck")["state"] == "registering"


def test_the_time_to_live_is_obeyed(lab, dns):
    old, new = lab.peer(peers.granting(4)), lab.peer()
    new_port = lab.peer(host=loopback_address(), port=old.port)
    dns.ttl = 1
    dns.a("sip.example.net", old.host)
    register(lab, port=old.port)
    old.wait_for_register()
    dns.a("sip.example.net", new_port.host)
    old.stop()
    new_port.wait_for_register(within=40)
    assert not new.registers()


# TLS: the certificate must be trusted and carry the server's name.

def start_with_tls(lab, authority_file):
    # lsan.supp names functions that only the slow unwinder finds behind libssl's.
    lab.env["ASAN_OPTIONS"] = "detect_leaks=1:fast_unwind_on_malloc=0"
    return lab.start("mgmtd", "switchcore", sip=("udp:{host}:0", "tls:{host}:0"),
                     switchcore=lab.extra["switchcore"] + ["--tls-ca", str(authority_file)])


def test_a_certificate_of_the_servers_name_is_accepted(lab, dns, authority):
    registrar = lab.peer(transport="tcp", tls=authority.context("sip.example.net"))
    dns.a("sip.example.net", registrar.host)
    start_with_tls(lab, authority.file)
    api = register(lab, port=registrar.port, transport="tls")
    message = registrar.wait_for_register(within=8)
    assert "SIP/2.0/TLS" in message["via"] and "transport=tls" in message.contact_uri
    api.wait_for_state("carrier-a", "registered")


@pytest.mark.parametrize("name, trusted", [("other.example.net", True), ("sip.example.net", False)])
def test_a_certificate_of_another_name_or_authority_fails_at_once_as_transport(lab, dns, authority, name, trusted):
    registrar = lab.peer(transport="tcp", tls=authority.context(name))
    dns.a("sip.example.net", registrar.host)
    start_with_tls(lab, authority.file if trusted else authority.stranger)
    api = register(lab, port=registrar.port, transport="tls")
    status = api.wait_for_state("carrier-a", "waiting", within=6)
    assert status["reason"] == "transport" and status["detail"].startswith("certificate:")
    assert not registrar.registers()


def test_with_verification_off_any_certificate_will_do(lab, dns, authority):
    registrar = lab.peer(transport="tcp", tls=authority.context("other.example.net"))
    dns.a("sip.example.net", registrar.host)
    start_with_tls(lab, authority.stranger)
    api = register(lab, port=registrar.port, transport="tls", tls_verify=False)
    api.wait_for_state("carrier-a", "registered", within=8)
    stays(lambda: len(registrar.registers()) == 1, 0.5, "one REGISTER")
