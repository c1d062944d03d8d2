"""The access log: one JSON line for each request, whatever the request holds, and nothing secret in it."""

import json
import os
import socket
import subprocess

import pytest

from api import Api
from lab import ADMIN_PASSWORD, BUILD
from prometheus import scrape
from test_events import Listener
from until import until

MEMBERS = {"at", "request_id", "address", "user", "token", "method", "path", "query", "status", "bytes", "duration_ms", "complete"}


@pytest.fixture
def access(lab, tmp_path):
    """The lines so far; mgmtd runs."""
    path = tmp_path / "access.log"
    lab.start("mgmtd", mgmtd=["--access-log", path])

    def lines():
        text = path.read_bytes()
        assert text.isascii() and (not text or text.endswith(b"\n")), text[-500:]
        return [json.loads(line) for line in text.decode().splitlines()]
    lines.path = path
    return lines


def line(access, **having):
    """The one line with these members."""
    def found():
        lines = [one for one in access() if all(one.get(k) == v for k, v in having.items())]
        assert len(lines) < 2, lines
        return lines[0] if lines else None
    return until(found, 5, lambda: f"a line {having} among {access()[-5:]}")


def ask(lab, head):
    """One request as bytes; gives the first line of the answer."""
    host, port = lab.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(head + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while more := client.recv(65536):
            answer += more
    return answer.split(b"\r\n")[0]


def test_each_request_is_one_line_that_says_who_what_and_how_it_went(lab, access):
    api = lab.api()
    answer = api.get("/sip-parameters", limit=2, q="expire").expect(200)
    got = line(access, path="/api/v1/sip-parameters")
    assert set(got) == MEMBERS
    assert (got["method"], got["query"], got["status"], got["user"], got["address"]) == ("GET", "limit=2&q=expire", 200, "admin", "127.0.0.1")
    assert got["bytes"] == len(answer.response.content) and got["duration_ms"] > 0 and got["complete"]
    problem = api.get("/registrations/nobody").expect(404)
    assert line(access, path="/api/v1/registrations/nobody")["request_id"] == problem["request_id"]
    for _ in range(2):  # an answer that is kept, and is lent the second time
        size = len(api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE").response.content)
    until(lambda: [one["bytes"] for one in access() if one["path"].endswith("_EXPIRE")] == [size, size], 5, "both lines")
    api.request("HEAD", "/status")
    assert line(access, method="HEAD")["bytes"] == 0
    log_in = line(access, path="/api/v1/session")
    assert log_in["user"] is None and log_in["status"] == 200


def test_who_does_not_say_who_he_is_does_not_pass_for_the_one_before_on_that_connection(lab, access):
    api = lab.api()
    api.get("/status").expect(200)
    api.token = None
    api.get("/calls").expect(401)  # on the same connection
    assert line(access, path="/api/v1/calls")["user"] is None


def test_a_stream_is_one_line_when_it_has_ended(lab, access):
    listener = Listener(lab)
    lab.api().put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(200)
    listener.wait("revision")
    listener.close()
    got = line(access, path="/api/v1/events")
    assert got["status"] == 200 and got["bytes"] > 100


def test_a_request_that_its_client_gave_up_shows(lab, access):
    host, port = lab.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(f"POST /api/v1/registrations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {lab.api().token}\r\n"
                       "Content-Type: application/json\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 100")  # the request has begun
    got = line(access, path="/api/v1/registrations")
    assert got["complete"] is False and got["status"] is None and got["bytes"] == 0


def test_no_secret_gets_into_the_log(lab, access):
    api = lab.api()
    secret = "hidden-secret-9d1f"
    api.post("/registrations", name="a", server="192.0.2.1", username="u", password=secret, enabled=False).expect(201)
    api.get("/status", token=secret).expect(422)
    api.request("GET", f"/status?{secret}&limit=1&password={secret}").expect(422)
    api.request("GET", f"/calls?limit=1&token={secret}").expect(422)
    api.request("GET", f"/{api.token}").expect(404)
    api.request("GET", "/status", headers={"Authorization": f"Bearer {secret}", "Cookie": f"tandem_session={secret}"}).expect(401)
    Api(lab.url).post("/session", username="admin", password=secret).expect(401)
    assert line(access, path="/api/v1/calls")["query"] == "limit=1&..."
    assert line(access, path="/api/v1/...")["status"] == 404
    until(lambda: sum(one["path"] == "/api/v1/session" for one in access()) == 2, 5, "the last line")
    text = access.path.read_text()
    for word in (secret, ADMIN_PASSWORD, api.token, api.token.split(".")[2]):
        assert word not in text


@pytest.mark.parametrize("raw, shown", [
    (b"/a%0d%0a{%22at%22:1}", "/a%0d%0a{%22at%22:1}"), (b"/a\xc3\xa9", "/a%C3%A9"), (b"/\xff\xfe", "/%FF%FE"), (b"/\x01\x1b[31m", "/%01%1B[31m"),
    (b'/"},{"at":"x', "/%22},{%22at%22:%22x"), (b"/a\\u0000", "/a%5Cu0000"), (b"/\x7f", "/%7F"), (b"//..//", "//..//"),
    (b"/" + b"ab/" * 2000, None), (b"/" + b"\x80" * 3000, "/..."), (b"/x?limit=%0a\x02&" + b"y=" + b"z" * 3000, "/x")],
    ids=lambda value: str(value)[:20])
def test_no_byte_of_a_path_ends_a_line_or_forges_one(lab, access, raw, shown):
    status = ask(lab, b"GET " + raw + b" HTTP/1.1")
    if status.split()[1] == b"400":  # the library itself refused it: no request, no line
        return
    (got,) = until(access, 5, "a line")
    assert got["method"] == "GET" and got["status"] == 404 and len(json.dumps(got)) < 4096
    if shown:
        assert got["path"] == shown
    else:
        assert len(got["path"]) <= 1003 and got["path"].endswith("...")


def test_a_reader_that_is_stuck_holds_up_no_request(lab, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    lab.start("mgmtd", mgmtd=["--access-log", path])
    api = lab.api()
    for _ in range(1300):
        assert api.request("GET", "/" + "ab/" * 320).status == 404
    assert scrape(api).get("tandem_access_log_dropped_total") > 0
    got = b""

    def drained():
        nonlocal got
        try:
            got += os.read(reader, 1 << 20)
        except BlockingIOError:
            pass
        return b'"dropped":' in got and got.endswith(b"\n")
    until(drained, 10, "what was dropped told")
    dropped = [one["dropped"] for one in map(json.loads, got.decode().splitlines()) if "dropped" in one]
    assert sum(dropped) == scrape(api).get("tandem_access_log_dropped_total")
    os.close(reader)


def test_a_full_disk_is_told_once_and_stops_nothing(lab):
    lab.start("mgmtd", mgmtd=["--access-log", "/dev/full"])
    api = lab.api()
    for _ in range(5):
        api.get("/status").expect(200)
    until(lambda: scrape(api).get("tandem_access_log_dropped_total") >= 5, 5, "dropped lines")
    assert lab.mgmtd.log().count("cannot be written") == 1


def test_a_dash_writes_between_the_lines_of_the_other_log(lab):
    lab.start("mgmtd", mgmtd=["--access-log", "-"])
    lab.api().get("/status").expect(200)
    lab.mgmtd.wait_log('"path":"/api/v1/status"')


def test_there_is_no_access_log_unless_asked_for(lab):
    lab.start("mgmtd")
    lab.api().get("/status").expect(200)
    assert '"path"' not in lab.mgmtd.log()


def test_a_log_that_cannot_be_opened_is_told_with_its_reason(lab, tmp_path):
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "no" / "such", "No such file")):
        result = subprocess.run([BUILD / "mgmtd", "--state", lab.state, "--run", lab.run, "--listen", "127.0.0.1:0", "--access-log", path],
                                capture_output=True, text=True, timeout=10)
        assert result.returncode == 1 and why in result.stderr and str(path) in result.stderr, result.stderr
