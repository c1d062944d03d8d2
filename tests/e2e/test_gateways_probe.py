"""OPTIONS probes of routing gateways, and what their status says of registrations, as real peers and the API see it."""

import pytest

import peer as peers
from lab import loopback_address
from until import stays, until

PERIOD = 10


def start(lab, authority=None, **parameters):
    """The API of a switch that probes."""
    options = {}
    if authority:
        certificate, key = authority.issue(lab.host)
        options = {"sip": ("udp:{host}:0", "tcp:{host}:0", "tls:{host}:0"),
                   "switchcore": ["--tls-ca", authority.file, "--tls-cert", certificate, "--tls-key", key]}
    api = lab.start("mgmtd", "switchcore", **options).api()
    api.patch("/sip-parameters", query={"wait": "applied"}, SS_SIP_OPTIONS_CHECK_PERIOD=PERIOD, **parameters).expect(200)
    return api


def gateway(api, name, peer, **fields):
    api.post("/routing-gateways", query={"wait": "applied"}, name=name, host=peer.host, port=peer.port,
             **{"options_check": True, **fields}).expect(201)


def status(api, name):
    return api.get(f"/routing-gateways/{name}/status").expect(200).json


def wait_probe(api, name, state, within=3):
    def found():
        now = status(api, name)
        return now if now["probe"]["state"] == state else None
    return until(found, within, lambda: f"probe {state} of {name}; it is {status(api, name)}")


def probes(peer):
    return [m for m in list(peer.messages) if m.method == "OPTIONS"]


def wait_for_probe(peer, count=1, within=PERIOD + 3):
    return until(lambda: probes(peer)[count - 1] if len(probes(peer)) >= count else None, within,
                 lambda: f"OPTIONS {count}; got {peer.messages}")


def test_a_probe_is_an_options_of_its_own_to_the_gateways_address(lab):
    carrier, api = lab.peer(), start(lab)
    gateway(api, "carrier", carrier)
    request = wait_for_probe(carrier, within=3)
    assert request.source == lab.sip_port()
    assert request.uri == f"sip:{carrier.host}:{carrier.port}"
    assert request["to"] == f"<sip:{carrier.host}:{carrier.port}>"
    assert request["from"].startswith(f"<sip:{lab.sip_port()[0]}:{lab.sip_port()[1]}>;tag=")
    assert request["call-id"].startswith("g0000000") and request["call-id"][9] == "-"
    assert request["max-forwards"] == "70" and request["cseq"].endswith(" OPTIONS")
    up = wait_probe(api, "carrier", "up")
    assert up["routable"] and up["why"] in ("", None) and up["probe"]["code"] == 200 and up["probe"]["rtt_ms"] > 0


@pytest.mark.slow
def test_a_silent_gateway_is_out_until_it_answers_again(lab):
    carrier, api = lab.peer(), start(lab)
    gateway(api, "carrier", carrier)
    wait_probe(api, "carrier", "up")
    carrier.answer = peers.silent
    wait_for_probe(carrier, 2)
    down = wait_probe(api, "carrier", "down", within=PERIOD + 3)
    assert not down["routable"] and down["why"] == "probe failed"
    # Never two at once: what came meanwhile are retransmissions.
    assert len(probes(carrier)) <= 3 and carrier.retransmissions
    carrier.answer = peers.accept
    up = wait_probe(api, "carrier", "up", within=2 * PERIOD)
    assert up["routable"] and up["probe"]["code"] == 200


@pytest.mark.parametrize("answer", [peers.refusing(404), peers.refusing(405), peers.refusing(401), peers.refusing(603)])
def test_any_final_answer_shows_that_somebody_is_there(lab, answer):
    carrier, api = lab.peer(answer), start(lab)
    gateway(api, "carrier", carrier)
    assert wait_probe(api, "carrier", "up")["routable"]


@pytest.mark.parametrize("answer", [peers.refusing(503), peers.refusing(408)])
def test_503_and_408_take_it_out(lab, answer):
    carrier, api = lab.peer(answer), start(lab)
    gateway(api, "carrier", carrier)
    assert wait_probe(api, "carrier", "down")["why"] == "probe failed"


def test_a_refused_packet_takes_it_out_at_once(lab):
    carrier, api = lab.peer(), start(lab)
    carrier.stop()
    gateway(api, "carrier", carrier)
    assert wait_probe(api, "carrier", "down")["probe"]["code"] is None


def test_only_gateways_that_ask_for_it_are_probed_and_no_longer_than_they_do(lab):
    asking, other, api = lab.peer(), lab.peer(), start(lab)
    gateway(api, "asking", asking)
    gateway(api, "other", other, options_check=False)
    wait_probe(api, "asking", "up")
    assert status(api, "other")["probe"]["state"] == "off" and status(api, "other")["routable"]
    api.patch("/routing-gateways/asking", query={"wait": "applied"}, options_check=False).expect(200)
    wait_probe(api, "asking", "off")
    api.patch("/sip-parameters", query={"wait": "applied"}, SS_SIP_OPTIONS_CHECK_PERIOD=0).expect(200)
    count = len(probes(asking))
    api.patch("/routing-gateways/asking", query={"wait": "applied"}, options_check=True).expect(200)
    stays(lambda: len(probes(asking)) == count and not probes(other), 2, "no OPTIONS")


def test_a_changed_address_is_probed_at_once_and_nothing_is_held_against_it(lab):
    gone, back, api = lab.peer(peers.refusing(503)), lab.peer(), start(lab)
    gateway(api, "carrier", gone)
    wait_probe(api, "carrier", "down")
    api.patch("/routing-gateways/carrier", query={"wait": "applied"}, host=back.host, port=back.port).expect(200)
    assert status(api, "carrier")["routable"]
    assert wait_probe(api, "carrier", "up")["routable"]
    wait_for_probe(back, within=1)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_probes_go_by_the_gateways_transport(lab, authority, transport):
    host = loopback_address()
    carrier = lab.peer(host=host, transport=transport, tls=authority.context(host) if transport == "tls" else None)
    api = start(lab, authority)
    gateway(api, "carrier", carrier, transport=transport)
    assert wait_probe(api, "carrier", "up", within=5)["routable"]
    assert probes(carrier)[0].uri.endswith(f";transport={transport}")


def test_a_certificate_of_another_name_is_no_answer_unless_any_will_do(lab, authority):
    carrier = lab.peer(transport="tls", tls=authority.context("other.example"))
    api = start(lab, authority)
    gateway(api, "strict", carrier, transport="tls")
    gateway(api, "loose", carrier, transport="tls", tls_verify=False)
    assert wait_probe(api, "strict", "down", within=5)["why"] == "probe failed"
    assert wait_probe(api, "loose", "up", within=5)["routable"]


def test_a_gateway_follows_its_registration(lab):
    registrar, carrier = lab.peer(peers.refusing(403)), lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("trunk", registrar)
    api.post("/routing-gateways", query={"wait": "applied"}, name="carrier", host=carrier.host, port=carrier.port,
             registration="trunk").expect(201)
    waiting = api.wait_for_state("trunk", "waiting")
    clock = waiting["next_attempt_at"][11:19]
    until(lambda: status(api, "carrier")["why"] == f"registration trunk waiting: 403, next attempt {clock}", 2,
          lambda: f"the registration's words with {clock}: {status(api, 'carrier')}")
    assert not status(api, "carrier")["routable"]
    registrar.answer = peers.accept
    api.post("/registrations/trunk/refresh").expect(202)
    until(lambda: status(api, "carrier")["routable"], 3, lambda: f"routable: {status(api, 'carrier')}")
