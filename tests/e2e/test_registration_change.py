"""a change sends what the wire needs, and nothing else."""

import pytest

import peer as peers
from sip import Challenge
from times import between
from until import stays, until

QUIET_S = 1.0


def registered(lab, registrar, **fields):
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, **fields)
    api.wait_for_state("carrier-a", "registered")
    return api


@pytest.mark.parametrize("field, value, header, wanted", [
    ("register_period", 600, "expires", "600"), ("privacy", "id", "privacy", "id"), ("privacy", "none", "privacy", "none")])
def test_expiry_or_privacy_is_told_by_one_register_of_the_same_call(lab, field, value, header, wanted):
    registrar = lab.peer()
    api = registered(lab, registrar)
    first = registrar.wait_for_register()
    api.change("carrier-a", **{field: value})
    second = registrar.wait_for_register(count=2, within=2)
    assert second[header] == wanted
    assert (second.call_id, second.cseq) == (first.call_id, first.cseq + 1)
    stays(lambda: len(registrar.registers()) == 2, QUIET_S, lambda: f"one REGISTER: {registrar.registers()}")


@pytest.mark.parametrize("value, wanted", [("id", "id"), ("none", "none")])
def test_the_global_privacy_is_seen_in_register_and_ignore_removes_it(lab, value, wanted):
    registrar = lab.kamailio(digest=False)
    api = registered(lab, registrar)
    assert registrar.wait_for_register("carrier-a")["privacy"] is None
    api.patch("/sip-parameters", SS_SIP_USER_AGENT_PRIVACY=value).expect(200)
    assert registrar.wait_for_register("carrier-a", count=2, within=2)["privacy"] == wanted
    api.patch("/sip-parameters", SS_SIP_USER_AGENT_PRIVACY=None).expect(200)
    assert registrar.wait_for_register("carrier-a", count=3, within=2)["privacy"] is None


def test_a_registration_of_its_own_privacy_ignores_the_global_one(lab):
    registrar = lab.kamailio(digest=False)
    api = registered(lab, registrar, privacy="ignore")
    api.registration("common", registrar)
    registrar.wait_for_register("common")
    api.patch("/sip-parameters", SS_SIP_USER_AGENT_PRIVACY="id").expect(200)
    assert registrar.wait_for_register("common", count=2)["privacy"] == "id"
    assert [m["privacy"] for m in registrar.registers("carrier-a")] == [None]


def test_another_server_loses_the_old_binding_first_and_gets_the_new(lab):
    old, new = lab.kamailio("old", digest=False), lab.kamailio("new", digest=False)
    api = registered(lab, old)
    old.wait_for_binding("carrier-a")
    api.change("carrier-a", server=new.host, port=new.port)
    gone = old.wait_for_register("carrier-a", expires=0)
    first = new.wait_for_register("carrier-a")
    old.wait_for_no_binding("carrier-a")
    new.wait_for_binding("carrier-a")
    assert gone.contact_expires in (0, None) and gone.contact_uri == old.registers("carrier-a")[0].contact_uri
    assert first.at >= gone.at


def test_another_user_loses_the_old_binding(lab):
    registrar = lab.kamailio(digest=False)
    api = registered(lab, registrar)
    api.change("carrier-a", username="renamed")
    registrar.wait_for_no_binding("carrier-a")
    registrar.wait_for_binding("renamed")


def test_another_domain_is_another_address_of_record(lab):
    registrar = lab.peer()
    api = registered(lab, registrar)
    api.change("carrier-a", domain="example.org")
    gone = registrar.wait_for_register(expires=0)
    assert gone.uri == f"sip:{registrar.host}"
    assert registrar.wait_for_register(uri="sip:example.org").contact_expires == 3600


def test_another_transport_moves_the_binding(lab):
    registrar = lab.kamailio(digest=False)
    api = registered(lab, registrar)
    api.change("carrier-a", transport="tcp")
    registrar.wait_for_register("carrier-a", expires=0, transport="udp")
    moved = registrar.wait_for_register("carrier-a", transport="tcp")
    assert moved.expires == 3600 and "transport=tcp" in moved.contact_uri and "SIP/2.0/TCP" in moved["via"]


def test_the_new_server_does_not_wait_longer_than_two_seconds_for_a_dead_old_one(lab):
    old, new = lab.peer(), lab.peer()
    api = registered(lab, old)
    old.answer = peers.silent
    api.change("carrier-a", server=new.host, port=new.port)
    gone = old.wait_for_register(expires=0)
    assert new.wait_for_register(within=4).at - gone.at <= 2.6


def test_without_unregister_the_old_server_hears_nothing(lab):
    old, new = lab.peer(), lab.peer()
    api = registered(lab, old)
    api.patch("/sip-parameters", SS_SIP_USER_AGENT_SEND_UNREGISTER=False).expect(200)
    api.change("carrier-a", server=new.host, port=new.port)
    new.wait_for_register()
    stays(lambda: len(old.registers()) == 1, QUIET_S, lambda: f"silence to the old server: {old.registers()}")


@pytest.mark.parametrize("change", [{"password": "right"}, {"auth_username": "login"}, {"contact_user": "me"}])
def test_credentials_or_contact_are_tried_at_once_even_while_waiting(lab, change):
    registrar = lab.peer(peers.refusing(503, "", ("Retry-After", "3000")))
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "waiting")
    registrar.answer = peers.accept
    api.change("carrier-a", **change)
    registrar.wait_for_register(count=2, within=2)
    api.wait_for_state("carrier-a", "registered")
    stays(lambda: len(registrar.registers()) == 2, QUIET_S, lambda: f"one attempt: {registrar.registers()}")


def test_a_corrected_password_registers_at_kamailio_at_once(lab):
    registrar = lab.kamailio()
    registrar.account("carrier-a", "right")
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, password="wrong")
    api.wait_for_state("carrier-a", "waiting", reason="credentials")
    api.change("carrier-a", password="right")
    registrar.wait_for_binding("carrier-a", within=2)


def test_another_port_or_proxy_is_used_at_once(lab):
    first, second, proxy = lab.peer(), lab.peer(), lab.peer()
    api = registered(lab, first)
    second_at_first = lab.peer(host=first.host)
    api.change("carrier-a", port=second_at_first.port)
    second_at_first.wait_for_register()
    api.change("carrier-a", outbound_proxy=f"{proxy.host}:{proxy.port}")
    assert proxy.wait_for_register().uri == f"sip:{first.host}"
    assert not second.registers()


@pytest.mark.parametrize("change", [{"note": "call Anna first"}, {"retry_delay": 45}])
def test_what_is_not_on_the_wire_sends_nothing(lab, change):
    registrar = lab.peer()
    api = registered(lab, registrar)
    before = api.status("carrier-a")
    api.patch("/registrations/carrier-a", change, query={"wait": "applied"}).expect(200)
    stays(lambda: len(registrar.registers()) == 1, QUIET_S, lambda: f"silence: {registrar.registers()}")
    after = api.status("carrier-a")
    assert {k: before[k] for k in ("since", "call_id", "next_attempt_at", "attempts")} == \
           {k: after[k] for k in ("since", "call_id", "next_attempt_at", "attempts")}


def test_one_registrations_changes_never_touch_another(lab):
    registrar, other = lab.peer(), lab.peer()
    api = registered(lab, registrar)
    api.registration("carrier-b", other)
    api.wait_for_state("carrier-b", "registered")
    before = api.status("carrier-b")
    for change in ({"register_period": 300}, {"password": "new one"}, {"enabled": False}, {"enabled": True}, {"username": "x"}):
        api.patch("/registrations/carrier-a", change, query={"wait": "applied"}).expect(200)
    registrar.wait_for_register(user="x", expires=300)
    api.delete("/registrations/carrier-a").expect(200)
    registrar.wait_for_register(user="x", expires=0)
    assert len(other.registers()) == 1 and not other.retransmissions
    assert api.status("carrier-b") == before


def test_many_changes_at_once_are_one_register(lab):
    registrar = lab.peer()
    api = registered(lab, registrar)
    change = [{"op": "patch", "kind": "registrations", "name": "carrier-a", "value": {"privacy": "id"}},
              {"op": "put", "kind": "sip-parameters", "name": "SS_SIP_USER_AGENT_EXPIRE", "value": 500}]
    api.post("/changes", comment="both", changes=change).expect(200)
    second = registrar.wait_for_register(count=2, within=2)
    assert (second.expires, second["privacy"]) == (500, "id")
    stays(lambda: len(registrar.registers()) == 2, QUIET_S, lambda: f"one REGISTER: {registrar.registers()}")


def test_a_change_while_a_challenge_is_being_answered_is_not_lost(lab):
    challenge = Challenge()
    registrar = lab.peer(peers.silent)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    registrar.wait_for_register()
    api.patch("/registrations/carrier-a", {"register_period": 700}, query={"wait": "applied"}).expect(200)
    registrar.answer = peers.challenging(challenge, "carrier-a", "secret")
    registrar.seen.clear()
    until(lambda: registrar.registers()[-1].expires == 700 and api.status("carrier-a")["state"] == "registered", 6,
          lambda: f"a registration of 700 s; got {registrar.registers()}")


def test_a_burst_of_changes_ends_with_the_last_one(lab):
    registrar = lab.kamailio(digest=False)
    api = registered(lab, registrar)
    for seconds in range(100, 140):
        api.change("carrier-a", register_period=seconds)
    registrar.wait_for_binding("carrier-a", expires=139)
    cseqs = [m.cseq for m in registrar.registers("carrier-a")]
    assert cseqs == sorted(set(cseqs)), "CSeq rises by one"
    assert len({m.call_id for m in registrar.registers("carrier-a")}) == 1
    assert between(registrar.registers("carrier-a")[0], registrar.registers("carrier-a")[-1], 0, 10)
