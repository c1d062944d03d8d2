"""Server-Sent Events: every change of state and every revision, without a gap."""

import base64
import hashlib
import hmac
import json
import re
import selectors
import socket
import threading
import time

import pytest
import requests

import peer as peers
from api import Api
from lab import ADMIN_PASSWORD
from prometheus import scrape
from until import until

pytestmark = pytest.mark.threads


class Listener:
    """One client of /events; events arrive in `received` as (id, event, data)."""

    def __init__(self, lab, last=None, types=None, token=None):
        headers = {"Authorization": f"Bearer {token or lab.api().token}", "Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        self.response = requests.get(f"{lab.url}/api/v1/events", headers=headers, params={"types": types} if types else None,
                                     stream=True, timeout=(5, 40))
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
        """The reading thread holds the response: its socket is what can be ended."""
        self.response.raw._connection.sock.shutdown(socket.SHUT_RDWR)

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


def connect(lab, token, room=None, last=None, path="/api/v1/events"):
    """A bare connection that has asked for that path."""
    host, port = lab.url.removeprefix("http://").split(":")
    client = socket.socket()
    if room:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.settimeout(10)
    client.connect((host, int(port)))
    place = f"Last-Event-ID: {last}\r\n" if last else ""
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{place}\r\n".encode())
    return client


def read_until(clients, word, within=10):
    """Reads from all until each has had the word; gives what each got."""
    selector, got, deadline = selectors.DefaultSelector(), {client: b"" for client in clients}, time.monotonic() + within
    for client in clients:
        selector.register(client, selectors.EVENT_READ)
    while selector.get_map():
        assert time.monotonic() < deadline, f"{len(selector.get_map())} of {len(clients)} still wait for {word}"
        for key, _ in selector.select(0.5):
            more = key.fileobj.recv(65536)
            assert more, f"ended before {word}: {got[key.fileobj][-500:]}"
            got[key.fileobj] += more
            if word in got[key.fileobj]:
                selector.unregister(key.fileobj)
    return got


def test_five_hundred_listeners_all_hear_it_and_one_more_is_told_so(lab):
    api = lab.start("mgmtd").api()
    clients = [connect(lab, api.token) for _ in range(500)]
    read_until(clients, b": tandem")
    api.get("/events").expect(503, "too_many_event_clients")
    revision = api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=61).expect(200)["revision"]
    read_until(clients, f'"revision":{revision},'.encode())
    for client in clients:
        client.close()
    until(lambda: scrape(api).get("tandem_events_clients") == 0, 5, "no listener")


def test_only_the_types_that_were_asked_for_come(lab):
    api = lab.start("mgmtd", "switchcore").api()
    lab.wait_switch()
    some, whole = Listener(lab, types="registration,switchcore"), Listener(lab)
    api.registration("a", lab.peer())
    some.wait("registration", name="a", state="registered")
    whole.wait("registration", name="a", state="registered")
    assert {name for _, name, _ in whole.received} == {"registration", "revision"}
    assert {name for _, name, _ in some.received} == {"registration"}
    wanted = [event for event in whole.received if event[1] == "registration"]
    assert some.received == wanted
    assert Listener(lab, last=wanted[0][0], types="revision").received == []
    lab.kill("switchcore")
    some.wait("switchcore", state="down")
    for types in ("calls", "registration,", ",", "registration,x"):
        violation = api.get("/events", types=types).expect(422).violation("", "not_an_option")
        assert violation["parameter"] == "types"


def changed_token(lab, token, **claims):
    """What mgmtd would have issued with other claims."""
    encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")  # noqa: E731
    head, body, _ = token.encode().split(b".")
    body = encode(json.dumps({**json.loads(base64.urlsafe_b64decode(body + b"==")), **claims}).encode())
    signature = hmac.new((lab.state / "jwt.key").read_bytes(), head + b"." + body, hashlib.sha256).digest()
    return b".".join((head, body, encode(signature))).decode()


def test_a_stream_ends_with_the_token_it_was_opened_with(lab):
    api = lab.start("mgmtd").api()
    short = changed_token(lab, api.token, exp=int(time.time()) + 2, jti="0" * 32)
    listener, other = Listener(lab, token=short), Listener(lab)
    until(lambda: listener.ended, 6, "end of the stream")
    Api(lab.url, token=short).get("/status").expect(401)
    assert not other.ended


def test_a_stream_ends_when_its_session_is_logged_out(lab):
    lab.start("mgmtd")
    session = Api(lab.url, password=ADMIN_PASSWORD)
    listener, other = Listener(lab, token=session.token), Listener(lab)
    session.delete("/session").expect(204)
    until(lambda: listener.ended, 5, "end of the stream")
    assert not other.ended


def test_a_listener_that_falls_too_far_behind_is_cut_off_and_told_when_it_comes_again(lab):
    api = lab.start("mgmtd").api()
    double = lab.double()
    lab.wait_switch()
    hearing = Listener(lab, types="revision")
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(200)
    place, _ = hearing.wait("revision")
    deaf = connect(lab, api.token, room=2048)
    until(lambda: scrape(api).get("tandem_events_clients") == 2, 5, "two listeners")
    long = {name: "8" * 60 for name in ("caller_in", "callee_in", "caller_out", "routed")}
    double.call(0, 1, **long)
    for number in range(11_000):
        double.call_event(0, 1, "setup", "ringing", number % 600)
        if number % 1000 == 0:
            until(lambda: scrape(api).get("tandem_events_published_total") > number, 10, "the events so far")
    until(lambda: scrape(api).get("tandem_events_slow_clients_total") == 1, 10, "the deaf one dropped")
    until(lambda: scrape(api).get("tandem_events_clients") == 1, 5, "one listener")
    answer = api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=61).expect(200)
    hearing.wait("revision", revision=answer["revision"])
    got = read_until([connect(lab, api.token, last=place)], b"event: reset")
    assert re.search(rb'"reason":"slow"', *got.values())
    deaf.close()


def test_a_listener_that_does_not_read_holds_up_nobody(lab):
    api = lab.start("mgmtd").api()
    deaf = connect(lab, api.token, room=2048)
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
