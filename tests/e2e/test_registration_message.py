"""what stands in the message, and from where to where it goes."""

import re
import socket

import pytest

import peer as peers
import sip
from until import stays, until


def test_request_line_from_and_to_name_the_domain_else_the_server(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, username="+49301234")
    api.registration("carrier-b", registrar, username="me", domain="example.org", display_name="Trunk \"A\" \\ Ä")
    plain, named = registrar.wait_for_register(user="+49301234"), registrar.wait_for_register(user="me")
    assert plain.uri == f"sip:{registrar.host}"
    assert plain["to"] == f"<sip:+49301234@{registrar.host}>"
    assert re.fullmatch(rf"<sip:\+49301234@{registrar.host}>;tag=\S+", plain["from"])
    assert named.uri == "sip:example.org"
    assert named["to"] == '"Trunk \\"A\\" \\\\ Ä" <sip:me@example.org>'
    assert named["from"].startswith('"Trunk \\"A\\" \\\\ Ä" <sip:me@example.org>;tag=')


def test_what_every_register_carries(lab):
    registrar = lab.peer()
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    message = registrar.wait_for_register()
    host, port = lab.sip_port("udp")
    assert message.source == (host, port)
    assert re.fullmatch(rf"SIP/2.0/UDP {host}:{port};(?=.*branch=z9hG4bK)(?=.*\brport\b).*", message["via"]), message["via"]
    assert message["max-forwards"] == "70" and message["content-length"] == "0"
    assert message["cseq"] == f"{message.cseq} REGISTER"
    assert message["user-agent"].startswith("Tandem")
    assert re.fullmatch(rf"sip:carrier-a@{host}:{port};line=[0-9a-f]{{32}}", message.contact_uri), message.contact_uri
    assert len(message.all("contact")) == 1 and message["route"] is None and message["privacy"] is None


def test_contact_user_and_user_agent_are_as_set(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, contact_user="inbound", user_agent="Acme/2 (test)")
    message = registrar.wait_for_register()
    assert message.contact_uri.startswith("sip:inbound@") and message["user-agent"] == "Acme/2 (test)"


def test_user_parts_are_escaped_in_uris(lab):
    registrar = lab.peer()
    answer = lab.start("mgmtd", "switchcore").api().post(
        "/registrations", name="carrier-a", server=registrar.host, port=registrar.port, username="a b#c")
    if answer.status == 201:
        assert "sip:a%20b%23c@" in registrar.wait_for_register()["to"]
    else:
        answer.expect(422).violation("/username", "bad_format")


def test_the_outbound_proxy_gets_the_packet_with_a_route(lab):
    proxy = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.post("/registrations", name="carrier-a", server="registrar.example.net", port=5099, username="carrier-a",
             outbound_proxy=f"{proxy.host}:{proxy.port}").expect(201)
    message = proxy.wait_for_register()
    assert message["route"] == f"<sip:{proxy.host}:{proxy.port};lr>"
    assert message.uri == "sip:registrar.example.net"


def test_one_call_id_for_the_life_of_the_process_and_cseq_rises_by_one(lab):
    registrar = lab.peer(peers.granting(4))
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    registrar.wait_for_register(count=4, within=12)
    messages = registrar.registers()
    assert len({m.call_id for m in messages}) == 1 and len({m.branch for m in messages}) == len(messages)
    assert [m.cseq for m in messages] == list(range(messages[0].cseq, messages[0].cseq + len(messages)))


def test_the_line_token_is_the_same_after_restarts_of_both_and_differs_between_registrations(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.registration("carrier-b", registrar)
    first, other = registrar.wait_for_register(user="carrier-a"), registrar.wait_for_register(user="carrier-b")
    lab.restart("switchcore")
    second = until(lambda: [m for m in registrar.registers("carrier-a") if m.call_id != first.call_id], 5, "REGISTER of the new process")[0]
    lab.kill("switchcore")
    lab.restart("mgmtd")
    lab.start("switchcore")
    third = until(lambda: [m for m in registrar.registers("carrier-a") if m.call_id not in (first.call_id, second.call_id)], 5,
                  "REGISTER of the third process")[0]
    assert first.contact_uri == second.contact_uri == third.contact_uri
    assert first.line != other.line


def test_a_restart_leaves_one_binding_at_the_registrar(lab):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    registrar.wait_for_binding("carrier-a")
    before = len(registrar.registers("carrier-a"))
    lab.kill("switchcore")
    lab.start("switchcore")
    registrar.wait_for_register("carrier-a", count=before + 1)
    api.wait_for_state("carrier-a", "registered", stale=False)
    assert len(registrar.bindings("carrier-a")) == 1


def test_registration_over_tcp_uses_a_tcp_contact(lab):
    registrar = lab.kamailio()
    registrar.account("carrier-a", "secret")
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, transport="tcp")
    registrar.wait_for_binding("carrier-a")
    message = registrar.registers("carrier-a")[-1]
    assert message.transport == "tcp" and "SIP/2.0/TCP" in message["via"] and "transport=tcp" in message.contact_uri
    assert api.wait_for_state("carrier-a", "registered")["remote_address"] == f"tcp:{registrar.host}:{registrar.port}"


def test_a_closed_tcp_connection_registers_again_within_five_seconds(lab):
    registrar = lab.peer(transport="tcp")
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar, transport="tcp")
    first = registrar.wait_for_register()
    lab.api().wait_for_state("carrier-a", "registered")
    registrar.drop(registrar.connections[0])
    second = registrar.wait_for_register(count=2, within=7)
    assert 0.9 <= second.at - first.at <= 6.5 and second.call_id == first.call_id


def test_the_named_listener_is_sent_from_and_stands_in_via_and_contact(lab):
    registrar = lab.peer()
    lab.start("mgmtd", "switchcore", sip=("first=udp:{host}:0", "second=udp:{host}:0"))
    api = lab.api()
    lab.wait_switch()
    api.registration("carrier-a", registrar, listener="second")
    api.registration("carrier-b", registrar)
    ports = [int(listener.rsplit(":", 1)[1]) for listener in lab.sip]
    second, first = registrar.wait_for_register(user="carrier-a"), registrar.wait_for_register(user="carrier-b")
    assert first.source == (lab.host, ports[0]) and second.source == (lab.host, ports[1])
    assert f":{ports[1]};" in second["via"] and f":{ports[1]};" in second.contact_uri
    assert api.wait_for_state("carrier-a", "registered")["listener"] == "second"


def test_an_advertised_address_stands_in_via_and_contact(lab):
    registrar = lab.peer()
    lab.start("mgmtd", "switchcore", sip=("udp:{host}:0,advertise=203.0.113.9:5090",))
    lab.api().registration("carrier-a", registrar)
    message = registrar.wait_for_register()
    assert "203.0.113.9:5090" in message["via"] and "@203.0.113.9:5090" in message.contact_uri
    lab.api().wait_for_state("carrier-a", "registered")


def test_an_ipv6_listener_and_registrar(lab):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as own:
        own.bind(("::1", 0))
        own.settimeout(10)
        lab.start("mgmtd", "switchcore", sip=("udp:[::1]:0",))
        lab.api().post("/registrations", name="carrier-a", server="[::1]", port=own.getsockname()[1], username="x").expect(201)
        text = own.recv(65536).decode()
    assert text.startswith("REGISTER sip:[::1] SIP/2.0\r\n") and "SIP/2.0/UDP [::1]:" in text


def test_the_registrars_view_of_our_address_shows_nat(lab):
    def answer(request, peer):
        return sip.response(request, 200).replace(b";received=" + request.source[0].encode(), b";received=198.51.100.7") \
                                         .replace(f"rport={request.source[1]}".encode(), b"rport=40001")
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", lab.peer(answer))
    nat = lab.api().wait_for_state("carrier-a", "registered")["nat"]
    host, port = lab.sip_port()
    assert nat == {"detected": True, "local": f"{host}:{port}", "public": "198.51.100.7:40001"}


def test_without_nat_none_is_shown(lab):
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", lab.kamailio(digest=False))
    assert lab.api().wait_for_state("carrier-a", "registered")["nat"]["detected"] is False


@pytest.mark.slow
def test_keep_alives_leave_the_sip_socket_while_registered_and_stop_afterwards(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, keep_alive=10)
    registrar.wait_for_register()
    until(lambda: len(registrar.datagrams) >= 2, 23, "two keep-alives")
    assert {data for _, data, _ in registrar.datagrams} == {b"\r\n\r\n"}
    assert {source for _, _, source in registrar.datagrams} == {lab.sip_port()}
    assert 9 <= registrar.datagrams[1][0] - registrar.datagrams[0][0] <= 11
    api.change("carrier-a", enabled=False)
    api.wait_for_state("carrier-a", "disabled")
    count = len(registrar.datagrams)
    stays(lambda: len(registrar.datagrams) == count, 12, "no keep-alive after the end")
