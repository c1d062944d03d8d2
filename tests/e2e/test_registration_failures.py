"""what a failure is called, when the next attempt comes, what becomes of the binding."""

import pytest

import peer as peers
import sip
from times import between, parsed, seconds_between
from until import stays, until

RETRY_S = 30  # the least retry delay that may be set
LATE_S = 1.0  # a retry is never early and at most so late


def failing(lab, registrar, **fields):
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, retry_delay=RETRY_S, **fields)
    return api


@pytest.mark.parametrize("code, reason", [
    (400, "rejected"), (404, "rejected"), (480, "rejected"), (302, "rejected"), (600, "rejected"), (603, "rejected"),
    (500, "server_error"), (503, "server_error"), (504, "server_error"), (408, "timeout")])
def test_each_refusal_has_its_reason_and_is_retried_after_the_delay(lab, code, reason):
    registrar = lab.peer(peers.refusing(code))
    api = failing(lab, registrar)
    status = api.wait_for_state("carrier-a", "waiting")
    assert (status["reason"], status["last_code"], status["failures"]) == (reason, code, 1)
    assert status["last_phrase"]
    assert RETRY_S - 0.1 <= seconds_between(status["since"], status["next_attempt_at"]) <= RETRY_S + LATE_S
    assert len(registrar.registers()) == 1


def test_nothing_listening_is_known_at_once_and_called_transport(lab):
    registrar = lab.peer()
    registrar.stop()
    status = failing(lab, registrar).wait_for_state("carrier-a", "waiting", within=3)
    assert status["reason"] == "transport" and status["last_code"] is None
    assert RETRY_S - 0.1 <= seconds_between(status["since"], status["next_attempt_at"]) <= RETRY_S + LATE_S


def test_a_refused_tcp_connection_is_known_at_once_and_called_transport(lab):
    registrar = lab.peer(transport="tcp")
    registrar.stop()
    status = failing(lab, registrar, transport="tcp").wait_for_state("carrier-a", "waiting", within=3)
    assert status["reason"] == "transport"


def test_a_tcp_connection_closed_without_an_answer_is_called_transport(lab):
    def answer(request, peer):
        for connection in list(peer.connections):
            peer.drop(connection)
    registrar = lab.peer(answer, transport="tcp")
    status = failing(lab, registrar, transport="tcp").wait_for_state("carrier-a", "waiting", within=5)
    assert status["reason"] == "transport"


@pytest.mark.slow
def test_retries_come_after_exactly_the_delay_the_same_every_time(lab):
    registrar = lab.peer(peers.refusing(500))
    api = failing(lab, registrar)
    first = registrar.wait_for_register()
    second = registrar.wait_for_register(count=2, within=RETRY_S + 5)
    third = registrar.wait_for_register(count=3, within=RETRY_S + 5)
    assert between(first, second, RETRY_S, RETRY_S + LATE_S) and between(second, third, RETRY_S, RETRY_S + LATE_S)
    assert third.call_id == first.call_id and third.cseq == first.cseq + 2
    newest = sorted(api.attempts("carrier-a"), key=lambda attempt: attempt["at"])[-1]
    assert newest["kind"] == "retry" and newest["planned_s"] == RETRY_S
    assert RETRY_S <= newest["since_previous_s"] <= RETRY_S + LATE_S
    intervals = lambda: api.get("/checklists/outbound-registration", registration="carrier-a")["items"][5]["state"]
    assert intervals() == "done"
    api.change("carrier-a", retry_delay=90)
    assert intervals() == "warning", "what is planned now is not what the last retry waited"


@pytest.mark.slow
def test_silence_is_found_out_after_32_seconds_and_retried_the_delay_later(lab):
    registrar = lab.peer(peers.silent)
    api = failing(lab, registrar)
    first = registrar.wait_for_register()
    status = api.wait_for_state("carrier-a", "waiting", within=36)
    assert status["reason"] == "timeout" and status["last_code"] is None
    assert 31.5 <= parsed(status["since"]) - first.at <= 33.5
    second = registrar.wait_for_register(count=2, within=RETRY_S + 5)
    assert RETRY_S <= second.at - parsed(status["since"]) + 0.002 <= RETRY_S + LATE_S + 0.002
    assert len(registrar.retransmissions) >= 8


@pytest.mark.slow
def test_a_longer_retry_after_is_obeyed_and_shown_and_a_shorter_one_is_not(lab):
    longer = lab.kamailio("longer")
    longer.refuse("carrier-a", 503, "Service Unavailable", "Retry-After: 36 (maintenance);duration=60")
    shorter = lab.kamailio("shorter")
    shorter.refuse("carrier-b", 503, "Service Unavailable", "Retry-After: 5")
    api = failing(lab, longer)
    api.registration("carrier-b", shorter, retry_delay=RETRY_S)
    assert api.wait_for_state("carrier-a", "waiting")["retry_after"] == 36
    assert api.wait_for_state("carrier-b", "waiting")["retry_after"] in (None, 5)
    first, second = longer.wait_for_register("carrier-a"), longer.wait_for_register("carrier-a", count=2, within=42)
    assert between(first, second, 36, 36 + LATE_S)
    assert between(shorter.registers("carrier-b")[0], shorter.registers("carrier-b")[1], RETRY_S, RETRY_S + LATE_S)


def test_an_endless_retry_after_is_bounded_by_two_hours(lab):
    status = failing(lab, lab.peer(peers.refusing(503, "", ("Retry-After", "4294967296")))).wait_for_state("carrier-a", "waiting")
    assert 7199 <= seconds_between(status["since"], status["next_attempt_at"]) <= 7201


@pytest.mark.slow
def test_a_registrar_that_was_gone_and_is_back_is_registered_to_again(lab):
    registrar = lab.kamailio(digest=False)
    registrar.stop()
    api = failing(lab, registrar)
    api.wait_for_state("carrier-a", "waiting", reason="transport")
    registrar.start()
    registrar.wait_for_binding("carrier-a", within=RETRY_S + 5)
    status = api.wait_for_state("carrier-a", "registered", reason=None)
    assert status["consecutive_failures"] == 0 and status["failures"] == 1


def test_a_failed_refresh_keeps_the_end_of_the_binding(lab):
    registrar = lab.kamailio(digest=False)
    registrar.grant_at_most(300)
    api = failing(lab, registrar)
    before = api.wait_for_state("carrier-a", "registered")
    registrar.refuse("carrier-a", 500, "Server Internal Error")
    api.post("/registrations/carrier-a/refresh").expect(202)
    status = api.wait_for_state("carrier-a", "waiting", reason="server_error")
    assert status["binding_expires_at"] == before["binding_expires_at"]
    assert parsed(status["binding_expires_at"]) > parsed(status["since"])


def test_a_binding_that_ended_while_waiting_is_no_longer_shown(lab):
    registrar = lab.peer(peers.in_turn(peers.granting(4), peers.refusing(500)))
    api = failing(lab, registrar)
    status = api.wait_for_state("carrier-a", "waiting", within=5)
    assert parsed(status["binding_expires_at"]) > parsed(status["since"])
    status = until(lambda: (s := api.status("carrier-a"))["binding_expires_at"] is None and s, 5, "no end of a binding")
    assert status["state"] == "waiting" and status["since"] == api.status("carrier-a")["since"]
    assert len(registrar.registers()) == 2


@pytest.mark.slow
def test_a_failed_refresh_is_retried_once_and_not_also_refreshed(lab):
    """One timer: the refresh that was due must not fire beside the retry."""
    refuse = peers.refusing(500)
    registrar = lab.peer(peers.in_turn(peers.granting(16), refuse, peers.accept))
    api = failing(lab, registrar)
    second = registrar.wait_for_register(count=2, within=10)
    api.wait_for_state("carrier-a", "waiting")
    third = registrar.wait_for_register(count=3, within=RETRY_S + 5)
    assert between(second, third, RETRY_S, RETRY_S + LATE_S)
    api.wait_for_state("carrier-a", "registered")


def test_the_retry_delay_that_changes_while_waiting_counts_from_the_failure(lab):
    registrar = lab.peer(peers.refusing(500))
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    status = api.wait_for_state("carrier-a", "waiting")
    assert 59.9 <= seconds_between(status["since"], status["next_attempt_at"]) <= 61
    api.put("/sip-parameters/SS_SIP_USER_AGENT_RETRY_DELAY", value=300, query={"wait": "applied"}).expect(200)
    changed = api.wait_for_state("carrier-a", "waiting")
    assert changed["since"] == status["since"]
    assert 299.9 <= seconds_between(changed["since"], changed["next_attempt_at"]) <= 301
    api.change("carrier-a", retry_delay=45)
    planned = lambda: seconds_between(status["since"], api.status("carrier-a")["next_attempt_at"])
    until(lambda: 44.9 <= planned() <= 46, 2, "attempt planned 45 s after the failure")
    assert len(registrar.registers()) == 1


@pytest.mark.slow
def test_a_delay_shortened_into_the_past_is_due_at_once(lab):
    registrar = lab.peer(peers.refusing(500))
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, retry_delay=600)
    first = registrar.wait_for_register()
    stays(lambda: len(registrar.registers()) == 1, 31, "only one attempt so far")
    api.change("carrier-a", retry_delay=30)
    second = registrar.wait_for_register(count=2, within=2)
    assert second.at - first.at >= 30


def test_a_refresh_by_hand_is_an_attempt_whatever_the_timer_says(lab):
    registrar = lab.peer(peers.in_turn(peers.refusing(503, "", ("Retry-After", "3000")), peers.accept))
    api = failing(lab, registrar)
    api.wait_for_state("carrier-a", "waiting")
    outcome = api.post("/registrations/carrier-a/refresh", query={"wait": "outcome"}).expect(200)
    assert outcome["state"] == "registered"
    assert len(registrar.registers()) == 2
    newest = sorted(api.attempts("carrier-a"), key=lambda attempt: attempt["at"])[-1]
    assert newest["kind"] == "manual" and newest["code"] == 200


def test_a_lying_registrar_never_moves_anything(lab):
    """Answers that are no answers: other Call-ID, other CSeq, broken head, provisional only."""
    def answer(request, peer):
        good = sip.response(request, 200)
        return [good.replace(request.call_id.encode(), b"another"), good.replace(b"CSeq: ", b"CSeq: 9"),
                b"SIP/2.0 200 OK\r\n\r\n", b"SIP/2.0 999999 Odd\r\nVia: x\r\n\r\n", b"\0" * 40, sip.response(request, 100)]
    registrar = lab.peer(answer)
    api = failing(lab, registrar)
    registrar.wait_for_register()
    api.wait_for_state("carrier-a", "registering")  # told a moment after the REGISTER has left
    stays(lambda: api.status("carrier-a")["state"] == "registering", 1.5, "registering: nothing valid was answered")
    registrar.answer = peers.accept
    registrar.seen.clear()
    api.wait_for_state("carrier-a", "registered", within=6)


def test_a_redirect_is_followed_to_its_contact_and_forgotten_afterwards(lab):
    other = lab.peer()
    first = lab.peer(peers.in_turn(peers.refusing(302, "", ("Contact", f"<sip:carrier-a@{other.host}:{other.port}>")), peers.accept))
    api = failing(lab, first)
    redirected = other.wait_for_register()
    assert redirected.call_id == first.registers()[0].call_id and redirected.cseq == first.registers()[0].cseq + 1
    api.wait_for_state("carrier-a", "registered")
    api.post("/registrations/carrier-a/refresh", query={"wait": "outcome"}).expect(200)
    assert len(first.registers()) == 2 and len(other.registers()) == 1, "the next attempt begins at the server again"


def test_redirects_in_a_circle_are_a_rejection(lab):
    registrar = lab.peer()
    registrar.answer = peers.refusing(302, "", ("Contact", f"<sip:carrier-a@{registrar.host}:{registrar.port}>"))
    status = failing(lab, registrar).wait_for_state("carrier-a", "waiting")
    assert status["reason"] == "rejected" and len(registrar.registers()) <= 6
