"""Starts are spread, and what one carrier does is nothing to another."""

import collections

import pytest

import peer as peers
import sip
from times import seconds_between
from until import stays, until

UNLIMITED = ["--register-rate", "0", "--register-rate-per-server", "0"]


def put_many(api, registrar, names, **fields):
    """Creates them in one change-set."""
    changes = [{"op": "put", "kind": "registrations", "name": name,
                "value": {"server": registrar.host, "port": registrar.port, "username": name, "password": "secret", **fields}}
               for name in names]
    return api.post("/changes", comment="many", changes=changes).expect(200)


def by_state(api):
    return api.get("/status").expect(200)["registrations"]["by_state"]


def busiest_second(messages):
    """The most messages in any window of one second."""
    times = sorted(m.at for m in messages)
    window, most = collections.deque(), 0
    for at in times:
        window.append(at)
        while window[0] <= at - 1:
            window.popleft()
        most = max(most, len(window))
    return most


def test_first_registers_to_one_server_keep_to_its_rate(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    put_many(api, registrar, [f"c{n}" for n in range(50)])
    until(lambda: by_state(api)["queued"] > 0, 2, "some that wait for their turn")
    until(lambda: by_state(api)["registered"] == 50, 6, lambda: f"50 registered: {by_state(api)}")
    assert busiest_second(registrar.registers()) <= 20 * 1.5
    times = sorted(m.at for m in registrar.registers())
    assert times[-1] - times[0] >= 1.2


def test_the_rate_over_all_servers_holds_too(lab):
    registrars = [lab.peer() for _ in range(5)]
    api = lab.start("mgmtd", "switchcore", switchcore=["--register-rate", "25", "--register-rate-per-server", "0"]).api()
    for number, registrar in enumerate(registrars):
        put_many(api, registrar, [f"c{number}-{n}" for n in range(10)])
    until(lambda: by_state(api)["registered"] == 50, 6, lambda: f"50 registered: {by_state(api)}")
    assert busiest_second([m for r in registrars for m in r.registers()]) <= 25 * 1.5


def test_a_silent_server_has_no_more_than_its_cap_of_unanswered_requests(lab):
    registrar = lab.peer(peers.silent)
    api = lab.start("mgmtd", "switchcore", switchcore=UNLIMITED + ["--max-inflight-per-server", "4"]).api()
    put_many(api, registrar, [f"c{n}" for n in range(30)])
    until(lambda: len({m.call_id for m in registrar.registers()}) == 4, 3, "four requests")
    stays(lambda: len({m.call_id for m in registrar.registers()}) <= 4, 1.5, lambda: f"no fifth: {len(registrar.registers())}")
    assert by_state(api)["queued"] == 26 and by_state(api)["registering"] == 4


def test_the_cap_over_all_servers_holds(lab):
    registrars = [lab.peer(peers.silent) for _ in range(4)]
    api = lab.start("mgmtd", "switchcore", switchcore=UNLIMITED + ["--max-inflight", "6"]).api()
    for number, registrar in enumerate(registrars):
        put_many(api, registrar, [f"c{number}-{n}" for n in range(5)])
    sent = lambda: sum(len(registrar.registers()) for registrar in registrars)
    until(lambda: sent() >= 3, 3, "some requests")
    stays(lambda: sent() <= 6, 1.5, lambda: f"six at most: {sent()}")


@pytest.mark.slow
def test_after_a_timeout_only_five_are_tried_at_a_time(lab):
    registrar = lab.peer(peers.silent)
    api = lab.start("mgmtd", "switchcore", switchcore=UNLIMITED).api()
    api.registration("first", registrar, retry_delay=600)
    api.wait_for_state("first", "waiting", within=36)
    put_many(api, registrar, [f"c{n}" for n in range(20)], retry_delay=600)
    until(lambda: len({m.call_id for m in registrar.registers()}) == 6, 5, "five more")
    stays(lambda: len({m.call_id for m in registrar.registers()}) == 6, 2, "no sixth")


def test_a_refresh_is_not_held_back_by_a_queue_of_first_registers(lab):
    registrar = lab.peer(lambda request, peer: sip.response(request, 200, expires=12 if request.user == "early" else 3600))
    api = lab.start("mgmtd", "switchcore", switchcore=["--register-rate", "5", "--register-rate-per-server", "5"]).api()
    api.registration("early", registrar)
    first = registrar.wait_for_register(user="early")
    put_many(api, registrar, [f"c{n}" for n in range(60)])
    second = registrar.wait_for_register(user="early", count=2, within=8)
    assert by_state(api)["queued"] > 0, "the queue was meant to be full"
    assert second.at - first.at <= 6.4


def test_refreshes_of_one_start_are_spread_by_jitter_always_earlier(lab):
    registrar = lab.peer(peers.granting(400))
    api = lab.start("mgmtd", "switchcore", switchcore=UNLIMITED).api()
    names = [f"c{n}" for n in range(40)]
    put_many(api, registrar, names)
    until(lambda: by_state(api)["registered"] == 40, 6, lambda: f"40 registered: {by_state(api)}")
    statuses = [api.status(name) for name in names]
    pauses = [seconds_between(s["registered_at"], s["next_attempt_at"]) for s in statuses]
    assert all(189.9 <= pause <= 200.1 for pause in pauses), pauses
    assert max(pauses) - min(pauses) > 3 and len({round(pause, 1) for pause in pauses}) > 10


def good_registered(api):
    """How many registrations named good… are registered."""
    return sum(1 for n in range(1000) if api.status(f"good{n}")["state"] == "registered") \
        if by_state(api)["registered"] >= 1000 else by_state(api)["registered"]


class Carriers:
    """One that refuses, one that is silent, one that is slow, one that lies, beside a good one."""

    def __init__(self, lab):
        def lie(request, peer):
            good = sip.response(request, 200)
            return [good.replace(b"CSeq: ", b"CSeq: 7"), b"SIP/2.0 200 OK\r\nContact: <sip:" + b"x" * 3000 + b"\r\n\r\n",
                    good.replace(request.call_id.encode(), b"other"), b"\xff" * 200]
        self.dead, self.lying, self.silent, self.slow = lab.peer(), lab.peer(lie), lab.peer(peers.silent), lab.peer()
        self.dead.stop()
        self.slow.delay = 6
        self.all = (self.dead, self.lying, self.silent, self.slow)


@pytest.mark.heavy
def test_a_thousand_good_registrations_beside_dead_silent_and_lying_carriers(lab):
    """The good ones register as fast as if the others were not there, keep their bindings, and never see more than their own traffic."""
    good = lab.kamailio()
    good.account("trunk", "secret")
    bad = Carriers(lab)
    api = lab.start("mgmtd", "switchcore", switchcore=UNLIMITED).api()
    for number, carrier in enumerate(bad.all):
        put_many(api, carrier, [f"bad{number}-{n}" for n in range(300)], retry_delay=30)
    names = [f"good{n}" for n in range(1000)]
    put_many(api, good, names, auth_username="trunk")
    until(lambda: good_registered(api) == 1000, 20, lambda: f"1000 registered: {by_state(api)}")
    before = {name: api.status(name) for name in names[::50]}
    stays(lambda: api.status(names[500])["state"] == "registered", 3, "registered as before")
    for name, status in before.items():
        now = api.status(name)
        assert (now["since"], now["attempts"], now["call_id"]) == (status["since"], status["attempts"], status["call_id"])
    assert good_registered(api) == 1000
    users = collections.Counter(m.user for m in good.messages)
    assert set(users) == set(names) and set(users.values()) == {2}, "a challenge and its answer each, and nothing more"
    first_of = {name: next(m for m in good.messages if m.user == name) for name in (names[0], names[-1])}
    assert first_of[names[-1]].at - first_of[names[0]].at < 10
    # a change of one good one while the bad ones keep failing is carried out at once
    api.change(names[7], register_period=1234)
    good.wait_for_register(names[7], expires=1234, within=2)
