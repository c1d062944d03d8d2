"""Server-Sent Events: every change of state and every revision, without a gap."""

import json
import socket
import threading

import pytest
import requests

import peer as peers
from until import until

pytestmark = pytest.mark.threads


class Listener:
    """One client of /events; events arrive in `received` as (id, event, data)."""

    def __init__(self, lab, last=None):
        headers = {"Authorization": f"Bearer {lab.api().token}", "Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        self.response = requests.get(f"{lab.url}/api/v1/events", headers=headers, stream=True, timeout=(5, 40))
        assert self.response.status_code == 200, self.response.text
        assert self.response.headers["Content-Type"].startswith("text/event-stream")
        self.received, self.comments, self.ended = [], [], False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        fields = {}
        try:
            for raw in self.response.iter_lines(chunk_size=1):
                line = raw.decode()
                if line.startswith(":"):
                    self.comments.append(line)
                elif line:
                    name, _, value = line.partition(":")
                    fields[name] = fields.get(name, "") + value.removeprefix(" ")
                elif fields:
                    self.received.append((fields.get("id"), fields.get("event"), json.loads(fields.get("data", "null"))))
                    fields = {}
        except (requests.RequestException, AttributeError, OSError, ValueError):
            pass
        self.ended = True

    def close(self):
        self.response.close()

    def wait(self, event, within=5, **having):
        """The first event of that name that has these members."""
        def found():
            for identifier, name, data in list(self.received):
                if name == event and all(data.get(k) == v for k, v in having.items()):
                    return identifier, data
            return None
        return until(found, within, lambda: f"event {event} {having}; got {self.received}")


def test_states_of_a_registration_and_revisions_are_told_as_they_happen(lab):
    registrar = lab.kamailio()
    registrar.account("carrier-a", "secret")
    api = lab.start("mgmtd", "switchcore").api()
    listener = Listener(lab)
    answer = api.registration("carrier-a", registrar)
    _, item = listener.wait("revision", revision=answer["revision"])
    assert item == api.get("/revisions", limit=1)["items"][0]
    _, status = listener.wait("registration", name="carrier-a", state="registered")
    assert set(status) == set(api.status("carrier-a"))
    api.change("carrier-a", enabled=False)
    listener.wait("registration", name="carrier-a", state="disabled")
    states = [data["state"] for _, name, data in listener.received if name == "registration"]
    assert [s for s in states if s in ("registering", "registered", "unregistering", "disabled")][-3:] == \
        ["registered", "unregistering", "disabled"]
    assert all(identifier for identifier, _, _ in listener.received)


def test_a_refresh_makes_no_event(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered")
    listener = Listener(lab)
    api.post("/registrations/carrier-a/refresh", query={"wait": "outcome"}).expect(200)
    api.registration("marker", lab.peer(peers.refusing(403)))
    listener.wait("registration", name="marker", state="waiting")
    assert not [data for _, name, data in listener.received if name == "registration" and data["name"] == "carrier-a"]


def test_a_resumed_stream_has_no_gap_and_no_repetition(lab):
    api = lab.start("mgmtd", "switchcore").api()
    whole = Listener(lab)
    for value in range(60, 70):
        api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=value).expect(200)
    last = api.get("/status")["mgmtd"]["stored_revision"]
    whole.wait("revision", revision=last)
    revisions = [(i, data["revision"]) for i, name, data in whole.received if name == "revision"]
    middle = revisions[4]
    for value in range(70, 75):
        api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=value).expect(200)
    resumed = Listener(lab, last=middle[0])
    resumed.wait("revision", revision=last + 5)
    got = [data["revision"] for _, name, data in resumed.received if name == "revision"]
    assert got == list(range(middle[1] + 1, last + 6))
    assert not [1 for _, name, _ in resumed.received if name == "reset"]


@pytest.mark.parametrize("last", ["nonsense", "0-1", "x" * 300, "-", "18446744073709551616-1"])
def test_an_unknown_place_is_answered_with_reset(quiet, last):
    _, data = Listener(quiet, last=last).wait("reset")
    assert data["reason"] in ("restart", "lost") and data["revision"] == quiet.api().get("/status")["mgmtd"]["stored_revision"]


def test_a_place_of_before_a_restart_is_answered_with_reset(lab):
    api = lab.start("mgmtd").api()
    listener = Listener(lab)
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(200)
    identifier, _ = listener.wait("revision")
    lab.restart("mgmtd")
    until(lambda: listener.ended, 5, "end of the stream")
    _, data = Listener(lab, last=identifier).wait("reset")
    assert data["reason"] == "restart"


def test_the_switch_going_and_coming_is_an_event(lab):
    lab.start("mgmtd", "switchcore").wait_switch()
    listener = Listener(lab)
    lab.kill("switchcore")
    _, data = listener.wait("switchcore", state="down", within=3)
    lab.start("switchcore")
    _, data = listener.wait("switchcore", state="up", within=5)
    assert data["pid"] == lab.switchcore.pid


def test_a_hundred_listeners_all_hear_it(lab):
    api = lab.start("mgmtd").api()
    listeners = [Listener(lab) for _ in range(100)]
    revision = api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=61).expect(200)["revision"]
    for listener in listeners:
        listener.wait("revision", revision=revision)


def test_a_listener_that_does_not_read_is_dropped_and_holds_up_nobody(lab):
    api = lab.start("mgmtd").api()
    host, port = lab.url.removeprefix("http://").split(":")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.connect((host, int(port)))
    deaf.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\n\r\n".encode())
    note = "n" * 250
    changes = lambda n: [{"op": "put", "kind": "registrations", "name": f"c{i}",
                          "value": {"server": "192.0.2.1", "username": "u", "enabled": False, "note": f"{n} {note}"}} for i in range(200)]
    hearing = Listener(lab)
    for number in range(60):
        answer = api.post("/changes", comment=note, changes=changes(number)).expect(200)
    hearing.wait("revision", revision=answer["revision"], within=10)
    deaf.close()


@pytest.mark.slow
def test_a_quiet_stream_beats_every_fifteen_seconds(lab):
    listener = Listener(lab.start("mgmtd"))
    until(lambda: listener.comments or [e for e in listener.received if e[1] == "heartbeat"], 17, "a heartbeat")
