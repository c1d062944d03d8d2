"""HTTP as no decent client speaks it: each is refused or cut off, nobody else notices, and no byte of it ends up elsewhere."""

import pathlib
import socket
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "fuzz"))

from api_wire import Broken, Wire  # noqa: E402

SESSION = b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = SESSION + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20


class Raw(Wire):
    """Bytes in, answers out."""

    def __init__(self, lab, data=b"", timeout=10):
        super().__init__(lab.url, timeout)
        self.socket = socket.create_connection(self.address, timeout=timeout)
        self.send(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError:
            pass  # cut off before all of it was read

    def answer(self, method="GET"):
        return self.read(method, False)

    def ends(self):
        """The status that comes; then the connection must end.  None: it ended without."""
        try:
            status = int(self.line().split()[1])
            while self.socket.recv(65536):
                pass
        except (EOFError, ConnectionError):
            return None
        return status

    def closed(self):
        """Nothing more comes; False: the server waits."""
        try:
            return self.rest == b"" and self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False


def ask(lab, data, method="GET"):
    with Raw(lab, data) as client:
        return client.answer(method)


@pytest.fixture
def unhurt(quiet, api):
    """Whatever the test sends, the next client is served."""
    yield
    api.get("/status").expect(200)
    assert quiet.mgmtd.running


pytestmark = pytest.mark.usefixtures("unhurt")


# ---- bodies

@pytest.mark.parametrize("fields", [
    b"Content-Length: 2\r\nContent-Length: 2\r\n", b"Content-Length: 2\r\nContent-Length: 3\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"])
def test_a_body_whose_end_is_in_doubt_is_400_and_the_connection_ends(quiet, fields):
    with Raw(quiet, SESSION + fields + b"\r\n{}") as client:
        answer = client.answer()
        assert answer.status == 400 and answer.media == "application/problem+json"
        assert answer.header("connection") == "close" and client.closed()


@pytest.mark.parametrize("length", [b"2, 2", b"+2", b"-2", b"0x2", b"", b"2 2", b"2;", b"99999999999999999999999", b"\xb2"])
def test_a_length_that_is_no_number_is_refused_and_the_connection_ends(quiet, length):
    with Raw(quiet, SESSION + b"Content-Length: " + length + b"\r\n\r\n{}") as client:
        assert client.ends() in (400, 413)


@pytest.mark.parametrize("chunks", [
    b"2\r\n{}\r\n0\r\n\r\n", b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", b"0002\r\n{}\r\n00\r\n\r\n", b"2;" + b"x" * 1000 + b"\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}\r\n0\r\nContent-Length: 5\r\nHost: y\r\nAuthorization: Bearer x\r\n\r\n"])
def test_a_chunked_body_is_read_and_its_trailers_change_nothing(quiet, chunks):
    with Raw(quiet, CHUNKED + chunks) as client:
        assert client.answer().status == 422  # what is missing in {}
        client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.answer().status == 200, "the next request begins where the body ended"


@pytest.mark.parametrize("chunks", [
    b"ffffffffffffffffffff\r\n{}", b"-2\r\n{}\r\n0\r\n\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}XX0\r\n\r\n", b"\r\n{}\r\n", b"zz\r\n{}",
    b"2;" + b"a" * (2 * MIB) + b"\r\n{}\r\n0\r\n\r\n", b"0" * (2 * MIB) + b"2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 200000 + b"\r\n"])
def test_a_chunk_that_is_none_is_refused_and_the_connection_ends(quiet, chunks):
    with Raw(quiet, CHUNKED + chunks) as client:
        assert client.ends() in (None, 400, 413, 431, 500), "500 is the library's word for a chunk's head that fits nowhere"


def test_a_chunked_body_without_an_end_is_cut_off(quiet):
    with Raw(quiet, CHUNKED) as client:
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        for _ in range(64 * MIB // 65536):
            try:
                client.socket.sendall(piece)
            except ConnectionError:
                return
    pytest.fail("64 MiB were taken for a body of at most 8 KiB")


def test_many_small_chunks_beyond_the_limit_are_413(quiet):
    with Raw(quiet, CHUNKED + b"1\r\n \r\n" * 9000 + b"2\r\n{}\r\n0\r\n\r\n") as client:
        answer = client.answer()
        assert answer.status == 413 and b"8192" in answer.body


def test_100_continue_is_said_only_to_a_body_that_will_be_read(quiet):
    with Raw(quiet, SESSION + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n") as client:
        assert client.line() == b"HTTP/1.1 100 Continue" and client.line() == b""
        client.send(b"{}")
        assert client.answer().status == 422
    with Raw(quiet, SESSION + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n") as client:
        assert client.line().startswith(b"HTTP/1.1 413")


@pytest.mark.slow
def test_a_body_that_comes_byte_by_byte_is_cut_after_a_minute_and_nobody_waits_for_it(quiet, api):
    with Raw(quiet, SESSION + b"Content-Length: 5000\r\n\r\n", timeout=1) as client:
        begin = time.monotonic()
        while time.monotonic() - begin < 90:
            client.send(b" ")
            api.get("/status").expect(200)
            if client.closed():
                break
        assert 55 <= time.monotonic() - begin <= 75


@pytest.mark.slow
def test_a_head_that_comes_byte_by_byte_is_cut_after_ten_seconds(quiet, api):
    with Raw(quiet, timeout=0.2) as client:
        begin = time.monotonic()
        for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 400:
            client.send(bytes([byte]))
            if client.closed():
                break
        assert 8 <= time.monotonic() - begin <= 16
        api.get("/status").expect(200)


# ---- heads and targets

@pytest.mark.parametrize("target", [
    "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/..\\..\\etc\\passwd", "/..%5c..%5cetc", "/%252e%252e/x", "/.", "/./", "/..",
    "/index.html/../../x", "/a%00.html", "/%", "/%zz", "/%ff%fe", "/\xff\xfe", "\\", "etc/passwd", "*", "?x", "/" + "a" * 15000, "/" + "../" * 4000,
    "/" + "%2e%2e%2f" * 1500, "/.git/config", "/tandem.db", "/%2fetc/passwd", "/api/v1/../../etc/passwd", "/api/../healthz", "/api/v1/registrations/..",
    "/api/v1/registrations/%2e%2e%2f%2e%2e", "/file:///etc/passwd", "/~root", "/con", "/healthz/", "/healthz%00", "/;/healthz"])
def test_a_path_that_leads_out_or_nowhere_is_404(quiet, api, target):
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\n\r\n".encode("latin-1")
    answer = ask(quiet, head)
    assert answer.status in (400, 404) and answer.media == "application/problem+json"
    assert b"root:" not in answer.body and b"SQLite" not in answer.body


@pytest.mark.parametrize("target", ["http://x/healthz", "HTTP://other:99/healthz", "https://x/healthz"])
def test_an_absolute_target_is_its_path(quiet, target):
    assert ask(quiet, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).status == 200


@pytest.mark.parametrize("target", ["http://x/y", "http:///y", "ftp://x/healthz", "//x/healthz"])
def test_an_absolute_target_without_a_path_of_ours_is_404(quiet, target):
    assert ask(quiet, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).status == 404


@pytest.mark.parametrize("method, path, status", [
    ("BREW", "/healthz", 405), ("A" * 9000, "/healthz", 405), ("get", "/healthz", 405), ("TRACE", "/api/v1/status", 405), ("OPTIONS", "*", 404),
    ("CONNECT", "x:443", 404), ("OPTIONS", "/api/v1/registrations", 405), ("PROPFIND", "/", 405), ("PROPFIND", "/x", 404)])
def test_an_unknown_method_is_405_with_allow_or_404(quiet, method, path, status):
    answer = ask(quiet, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.status == status and (answer.header("allow") is not None) == (status == 405)


@pytest.mark.parametrize("head, statuses", [
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", (400,)), (b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", (400,)),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", (400,)), (b"GET /healthz\r\n\r\n", (400,)), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (505,)),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 16384 + b"\r\n\r\n", (431,)), (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 2500 + b"\r\n", (431,)),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 16000 + b"\r\n\r\n", (200,)), (b"\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", (200,)),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", (200, 400)), (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\0b\rc\r\n\r\n", (200, 400)),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", (200,)), (b"GET /healthz HTTP/1.0\r\n\r\n", (200,)),
    (b"GET /healthz?" + b"a&" * 300 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (422,)), (b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: " + b"B" * 9000 + b"\r\n\r\n", (401,))])
def test_an_odd_head_gets_the_status_that_fits_it(quiet, head, statuses):
    assert ask(quiet, head).status in statuses


@pytest.mark.slow
def test_more_query_parameters_than_fit_are_cut_off(quiet):
    """The library has no room left even for its refusal."""
    with Raw(quiet, b"GET /healthz?" + b"a&" * 7000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", timeout=20) as client:
        assert client.closed() or client.answer().status == 431


def test_pipelined_requests_are_answered_in_their_order(quiet, api):
    bearer = f"Authorization: Bearer {api.token}\r\n"
    paths = ["/api/v1/revisions?limit=1", "/healthz", "/api/v1/cdrs?limit=2", "/readyz", "/nowhere", "/api/v1/calls", "/api/v1/session"] * 20
    wanted = [b'"items"', b'"ok"', b'"items"', b'"ready"', b"no such path", b'"stale"', b'"must_change_password"'] * 20
    with Raw(quiet, "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n{bearer}\r\n" for path in paths).encode()) as client:
        for path, word in zip(paths, wanted):
            assert word in client.answer().body, path
        client.send(SESSION + b"Content-Length: 2\r\n\r\n{}HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [client.answer(method).status for method in ("POST", "HEAD", "GET")] == [422, 200, 200]


# ---- a page of another origin

def test_a_page_of_another_origin_is_given_no_permission(quiet, api):
    origin = f"Host: x\r\nOrigin: https://evil.example\r\nAuthorization: Bearer {api.token}\r\n"
    preflight = origin + "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization, content-type\r\n"
    for request in (f"GET /api/v1/status HTTP/1.1\r\n{origin}\r\n", f"GET /nowhere HTTP/1.1\r\n{origin}\r\n",
                    f"OPTIONS /api/v1/registrations HTTP/1.1\r\n{preflight}\r\n", f"OPTIONS /api/v1/session HTTP/1.1\r\n{preflight}\r\n",
                    f"GET /healthz HTTP/1.1\r\n{origin}\r\n"):
        answer = ask(quiet, request.encode())
        assert not [name for name, _ in answer.headers if name.startswith("access-control-")], request
        assert answer.status == 405 or not request.startswith("OPTIONS")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_page_may_send_without_asking_is_no_write(quiet, api, kind):
    """A form of another page can send these types, and no others."""
    before = api.get("/status")["mgmtd"]["stored_revision"]
    body = b'{"name": "forged", "server": "127.0.0.1", "username": "u"}'
    head = f"POST /api/v1/registrations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Type: {kind}\r\n" if kind else ""
    assert ask(quiet, head.encode() + b"\r\n" + body).status == 415
    assert api.get("/status")["mgmtd"]["stored_revision"] == before


# ---- line ends in values

def test_line_ends_in_values_begin_no_header_and_no_log_line(lab):
    api = lab.start("mgmtd", mgmtd=["--log-level", "debug"]).api()
    forged = "\r\nSet-Cookie: forged=1\r\n\r\nforged: line"
    escaped = "%0d%0aSet-Cookie:%20forged=1%0d%0a%0d%0aforged:%20line"
    answers = [
        api.post("/session", username="admin" + forged, password="x" + forged), api.post("/registrations", name="a" + forged, server="s", username="u"),
        api.post("/registrations", name="a", server="127.0.0.1" + forged, username="u" + forged), api.put(f"/registrations/{escaped}", server="s", username="u"),
        api.get(f"/registrations/{escaped}"), api.request("GET", f"/registrations?cursor={escaped}"), api.request("GET", f"/registrations?{escaped}=1"),
        api.request("GET", f"/trace?registration={escaped}"), api.request("GET", f"/calls/{escaped}"), api.request("GET", f"/revisions/{escaped}"),
        api.request("DELETE", f"/registrations/{escaped}?comment={escaped}"), api.post("/changes", comment="c" + forged, changes=[]),
        api.patch("/sip-parameters", {"x" + forged: 1}), api.post("/preview/register", registration="a" + forged)]
    for answer in answers:
        assert 400 <= answer.status < 500 and "Set-Cookie" not in answer.headers, repr(answer)
    for value in ("\nforged: line", "\rforged: line"):
        with Raw(lab, f"GET /api/v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x{value}\r\nIf-Match: {value}\r\n\r\n".encode()) as client:
            try:
                assert 400 <= client.answer().status < 500
            except (Broken, EOFError):
                pytest.fail("the answer was split")
    assert not [line for line in lab.mgmtd.log().splitlines() if line.startswith(("forged", "Set-Cookie"))]
