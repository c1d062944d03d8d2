"""kill -9 of either daemon at random during a stream of changes: what was answered with 2xx is there, every snapshot is
whole, the other process is unharmed."""

import os
import random
import threading
import time

import pytest
import requests

from daemon import Daemon
from lab import BUILD
from test_reads import verified
from until import until

ROUNDS = 50 * int(os.environ.get("TANDEM_SOAK", "1"))  # for each of the four tests: 200 rounds in all
REGISTRATIONS = 40


class Stream:
    """Changes without a pause: each sets one retry delay everywhere, in one change-set, and one registration's note."""

    def __init__(self, lab):
        self.lab, self.stopping = lab, False
        self.answered = {}  # what the last 2xx said: note by registration
        self.maybe = {}  # sent, and the answer was lost
        self.revision, self.count, self.delay, self.faults = 0, 0, None, []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        number = 0
        while not self.stopping:
            number += 1
            delay, victim, note = random.randint(30, 600), f"c{number % REGISTRATIONS}", f"change {number}"
            changes = [{"op": "patch", "kind": "registrations", "name": f"c{n}", "value": {"retry_delay": delay}}
                       for n in range(REGISTRATIONS)]
            changes.append({"op": "put", "kind": "sip-parameters", "name": "SS_SIP_USER_AGENT_RETRY_DELAY", "value": delay})
            changes.append({"op": "patch", "kind": "registrations", "name": victim, "value": {"note": note}})
            self.maybe[victim] = note
            try:
                answer = self.lab.api().post("/changes", changes=changes, query={"comment": note})
            except (requests.RequestException, OSError):
                time.sleep(0.01)  # it is down
                continue
            if answer.status == 200:
                if answer["revision"] <= self.revision:
                    self.faults.append(f"revision {answer['revision']} after {self.revision}")
                self.revision, self.count = answer["revision"], self.count + 1
                self.answered[victim] = note
            elif answer.status not in (503, 504):
                self.faults.append(repr(answer))

    def end(self):
        self.stopping = True
        self.thread.join(30)
        assert not self.faults, self.faults

    def check(self, api):
        """Nothing that was answered is lost: each note is the last answered one, or a later one whose answer was lost."""
        assert api.get("/status")["mgmtd"]["stored_revision"] >= self.revision
        for name, note in self.answered.items():
            now = api.get(f"/registrations/{name}")["note"]
            assert now in (note, self.maybe[name]) or int(now.split()[1]) > int(note.split()[1]), f"{name}: {now!r} after {note!r}"


@pytest.fixture
def stream(lab):
    registrar = lab.peer()
    lab.start("mgmtd", "switchcore", switchcore=["--register-rate", "0", "--register-rate-per-server", "0"])
    api = lab.api()
    changes = [{"op": "put", "kind": "registrations", "name": f"c{n}",
                "value": {"server": registrar.host, "port": registrar.port, "username": f"c{n}", "retry_delay": 60}}
               for n in range(REGISTRATIONS)]
    api.post("/changes", changes=changes).expect(200)
    until(lambda: api.get("/status")["registrations"]["by_state"]["registered"] == REGISTRATIONS, 5, "all registered")
    watch = Daemon("snapshot_watch", [BUILD / "tests/e2e/snapshot_watch", lab.run], lab.directory / "watch.log")
    stream = Stream(lab)
    stream.watch, stream.registrar, stream.sent = watch, registrar, len(registrar.registers())
    yield stream
    stream.stopping = True
    watch.kill() if watch.running else None


def finish(lab, stream):
    stream.end()
    lab.wait_switch(within=10)
    api = lab.api()
    stream.check(api)
    revision = api.get("/status")["mgmtd"]["stored_revision"]
    until(lambda: api.get("/status")["switchcore"]["applied_revision"] == revision, 5, "the last revision applied")
    until(lambda: api.get("/status")["registrations"]["by_state"]["registered"] == REGISTRATIONS, 10, "all registered")
    assert stream.watch.stop() == 0, stream.watch.ready_path.read_text()
    seen = int(stream.watch.ready_path.read_text().split()[0])
    assert min(seen, stream.count) >= ROUNDS // 5, f"{stream.count} changes and {seen} snapshots prove little"
    lab.stop("mgmtd")
    assert verified(lab.state / "tandem.db") >= stream.count
    assert len([m for m in stream.registrar.registers() if m.expires == 0]) == 0


def kill_rounds(lab, stream, names):
    """names(): which to kill this time; it is started again at once."""
    for _ in range(ROUNDS):
        time.sleep(random.uniform(0, 0.25))  # the moment of the kill is the random part
        victims = names()
        others = [name for name in ("mgmtd", "switchcore") if name not in victims]
        pids = {name: lab.daemons[name].pid for name in others}
        for name in victims:
            lab.kill(name)
        lab.start(*victims)
        for name in others:
            assert lab.daemons[name].running and lab.daemons[name].pid == pids[name], f"{name} died with the other"
        assert stream.watch.running, stream.watch.ready_path.read_text()


@pytest.mark.slow
@pytest.mark.soak
def test_mgmtd_killed_at_random_loses_nothing_it_answered(lab, stream):
    kill_rounds(lab, stream, lambda: ["mgmtd"])
    assert len(stream.registrar.registers()) == stream.sent, "the switch sent something because mgmtd died"
    finish(lab, stream)


@pytest.mark.slow
@pytest.mark.soak
def test_the_switch_killed_at_random_comes_back_registered_and_mgmtd_notices_nothing(lab, stream):
    kill_rounds(lab, stream, lambda: ["switchcore"])
    finish(lab, stream)


@pytest.mark.slow
@pytest.mark.soak
def test_either_killed_at_random(lab, stream):
    kill_rounds(lab, stream, lambda: [random.choice(["mgmtd", "switchcore"])])
    finish(lab, stream)


@pytest.mark.slow
@pytest.mark.soak
def test_both_killed_at_random(lab, stream):
    kill_rounds(lab, stream, lambda: random.choice([["mgmtd", "switchcore"], ["switchcore", "mgmtd"], ["mgmtd"], ["switchcore"]]))
    finish(lab, stream)
