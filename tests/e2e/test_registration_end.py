"""what is deleted, disabled or stopped is taken away at the registrar."""

import time

import pytest

import peer as peers
from until import stays, until


def registered(lab, registrar, **fields):
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, **fields)
    api.wait_for_state("carrier-a", "registered")
    return api


def delete(lab, api):
    api.delete("/registrations/carrier-a").expect(200)


def disable(lab, api):
    api.change("carrier-a", enabled=False)


def stop(lab, api):
    lab.stop("switchcore")


@pytest.mark.parametrize("end", [delete, disable, stop])
def test_the_binding_is_removed_and_the_challenge_to_that_answered(lab, end):
    registrar = lab.kamailio()
    registrar.account("carrier-a", "secret")
    api = registered(lab, registrar)
    contact = registrar.registers("carrier-a")[-1].contact_uri
    registrar.wait_for_binding("carrier-a")
    end(lab, api)
    registrar.wait_for_no_binding("carrier-a")
    last = registrar.registers("carrier-a")[-1]
    assert last.expires == 0 and last.contact_uri == contact and last.credentials


@pytest.mark.parametrize("end", [delete, disable, stop])
def test_with_unregister_off_nothing_is_sent(lab, end):
    registrar = lab.peer()
    api = registered(lab, registrar)
    api.patch("/sip-parameters", {"SS_SIP_USER_AGENT_SEND_UNREGISTER": False}, query={"wait": "applied"}).expect(200)
    end(lab, api)
    stays(lambda: len(registrar.registers()) == 1, 1, lambda: f"silence: {registrar.registers()}")


def test_a_disabled_one_shows_so_and_comes_back_when_enabled(lab):
    registrar = lab.kamailio(digest=False)
    api = registered(lab, registrar)
    disable(lab, api)
    status = api.wait_for_state("carrier-a", "disabled")
    assert status["binding_expires_at"] is None and status["next_attempt_at"] is None
    registrar.wait_for_no_binding("carrier-a")
    api.change("carrier-a", enabled=True)
    registrar.wait_for_binding("carrier-a")
    api.wait_for_state("carrier-a", "registered")


def test_one_made_disabled_sends_nothing(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, enabled=False)
    api.wait_for_state("carrier-a", "disabled")
    api.delete("/registrations/carrier-a").expect(200)
    stays(lambda: not registrar.registers(), 1, "silence")


def test_a_register_that_is_not_answered_yet_may_have_left_a_binding(lab):
    """The answer may be lost: the registrar is told all the same."""
    registrar = lab.peer(peers.silent)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    registrar.wait_for_register()
    registrar.answer = peers.accept
    delete(lab, api)
    assert registrar.wait_for_register(expires=0, within=5).contact_uri == registrar.registers()[0].contact_uri


def test_a_refused_one_has_no_binding_to_take_away(lab):
    registrar = lab.peer(peers.refusing(403))
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "waiting")
    delete(lab, api)
    stays(lambda: len(registrar.registers()) == 1, 1, lambda: f"silence: {registrar.registers()}")


def test_a_tcp_register_closed_without_an_answer_may_have_left_a_binding(lab):
    def close(request, peer):
        for connection in list(peer.connections):
            peer.drop(connection)
    registrar = lab.peer(close, transport="tcp")
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, transport="tcp")
    api.wait_for_state("carrier-a", "waiting", reason="transport")
    registrar.answer = peers.accept
    delete(lab, api)
    assert registrar.wait_for_register(expires=0, within=5).contact_uri == registrar.registers()[0].contact_uri


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_one_that_nobody_listened_to_has_no_binding_to_take_away(lab, transport):
    registrar = lab.peer(transport=transport)
    registrar.stop()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, transport=transport)
    api.wait_for_state("carrier-a", "waiting", reason="transport")
    registrar.start()
    delete(lab, api)
    stays(lambda: not registrar.registers(), 1, lambda: f"silence: {registrar.registers()}")


def test_a_silent_registrar_holds_up_a_stop_for_the_stop_timeout_only(lab):
    registrar = lab.peer()
    registered(lab, registrar)
    registrar.answer = peers.silent
    begin = time.monotonic()
    lab.stop("switchcore", within=8)
    assert 3.5 <= time.monotonic() - begin <= 6
    assert registrar.wait_for_register(expires=0)
    assert "1" in lab.switchcore.log().splitlines()[-1] or "not confirmed" in lab.switchcore.log()


def test_the_stop_timeout_can_be_set(lab):
    registrar = lab.peer()
    lab.extra["switchcore"] = ["--stop-timeout", "1"]
    registered(lab, registrar)
    registrar.answer = peers.silent
    begin = time.monotonic()
    lab.stop("switchcore")
    assert time.monotonic() - begin <= 2.5


def test_a_hundred_bindings_are_removed_within_the_stop_timeout(lab):
    """At shutdown the rates do not apply."""
    registrar = lab.kamailio(digest=False)
    lab.extra["switchcore"] = ["--register-rate", "0", "--register-rate-per-server", "0"]
    api = lab.start("mgmtd", "switchcore").api()
    changes = [{"op": "put", "kind": "registrations", "name": f"c{n}",
                "value": {"server": registrar.host, "port": registrar.port, "username": f"c{n}"}} for n in range(100)]
    api.post("/changes", changes=changes).expect(200)
    until(lambda: api.get("/status")["registrations"]["by_state"]["registered"] == 100, 10, "a hundred bindings")
    lab.stop("switchcore")
    assert not [n for n in range(100) if registrar.bindings(f"c{n}")]


def test_a_deletion_while_the_switch_is_down_warns_that_the_binding_stays(lab):
    registrar = lab.kamailio(digest=False)
    api = registered(lab, registrar)
    lab.kill("switchcore")
    lab.wait_switch("down")
    warnings = api.delete("/registrations/carrier-a").expect(200)["warnings"]
    assert warnings and all({"pointer", "code", "detail"} <= set(w) for w in warnings)
    assert registrar.bindings("carrier-a")


def test_a_name_used_again_shows_nothing_of_its_predecessor(lab):
    registrar, silent = lab.peer(peers.refusing(403)), lab.peer(peers.silent)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "waiting")
    delete(lab, api)
    api.registration("carrier-a", silent)
    status = api.wait_for_state("carrier-a", "registering")
    assert status["failures"] == 0 and status["last_code"] is None and status["reason"] is None
    assert silent.wait_for_register().call_id != registrar.registers()[0].call_id
