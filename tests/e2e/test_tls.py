"""HTTPS: nothing older than TLS 1.2, and a new certificate without losing a connection."""

import shutil
import signal
import socket
import ssl
import subprocess

import pytest

from lab import ADMIN_PASSWORD, BUILD
from test_users import Stream
from until import until


@pytest.fixture
def secured(lab, authority):
    """An mgmtd with TLS on files of its own, which a test may replace."""
    certificate, key = authority.issue("127.0.0.1")
    files = lab.directory / "server.pem", lab.directory / "server.key"
    for source, target in zip((certificate, key), files):
        shutil.copy(source, target)
    lab.verify = authority.file
    lab.start("mgmtd", mgmtd=["--tls-cert", files[0], "--tls-key", files[1]])
    lab.files = files
    return lab


def address(lab):
    host, _, port = lab.url.partition("://")[2].rpartition(":")
    return host, int(port)


def connect(lab, authority, **versions):
    context = ssl.create_default_context(cafile=authority.file)
    if versions:
        context.set_ciphers("ALL:@SECLEVEL=0")  # the client is not to be what refuses
    for name, value in versions.items():
        setattr(context, name, value)
    plain = socket.create_connection(address(lab), timeout=10)
    try:
        return context.wrap_socket(plain, server_hostname="127.0.0.1")
    except BaseException:
        plain.close()
        raise


def serial(lab, authority):
    with connect(lab, authority) as connection:
        return connection.getpeercert()["serialNumber"]


def test_the_api_is_served_over_tls_and_the_cookie_is_secure(secured):
    assert secured.url.startswith("https://127.0.0.1:")
    answer = secured.api(token=None).post("/session", username="admin", password=ADMIN_PASSWORD).expect(200)
    assert "; Secure" in answer.headers["Set-Cookie"]
    api = secured.api(token=answer["token"])
    large = {f"c{n}": {"op": "put", "kind": "registrations", "name": f"c{n}", "value": {"server": "192.0.2.1", "username": "u", "note": "n" * 200}}
             for n in range(500)}
    api.post("/changes", changes=list(large.values())).expect(200)
    assert len(api.pages("/registrations", limit=1000)) == 500
    api.post("/registrations", b"{" * 5000).expect(400)
    assert secured.api(token="x").get("/status").status == 401


def test_nothing_older_than_tls_1_2_is_spoken(secured, authority):
    with connect(secured, authority) as connection:
        assert connection.version() == "TLSv1.3"
    with connect(secured, authority, maximum_version=ssl.TLSVersion.TLSv1_2) as connection:
        assert connection.version() == "TLSv1.2"
    with pytest.warns(DeprecationWarning), pytest.raises((ssl.SSLError, OSError)):
        connect(secured, authority, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)


def test_plain_http_on_the_port_is_no_answer_and_no_harm(secured):
    with socket.create_connection(address(secured), timeout=10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            assert b"200 OK" not in plain.recv(4096)
        except ConnectionResetError:
            pass
    assert secured.api().get("/healthz").status == 200


def test_sighup_takes_a_new_certificate_and_drops_no_connection(secured, authority):
    api = secured.api()
    stream = Stream(api)
    old = connect(secured, authority)
    before = serial(secured, authority)
    for source, target in zip(authority.issue("127.0.0.1"), secured.files):
        shutil.copy(source, target)
    secured.mgmtd.process.send_signal(signal.SIGHUP)
    until(lambda: serial(secured, authority) != before, 5, "the new certificate")
    old.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200 OK" in old.recv(4096)
    old.close()
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(200)
    until(lambda: b"event: revision" in next(stream.lines), 5, "an event on the stream opened before")


def test_a_broken_new_certificate_leaves_the_old_one_and_says_why(secured, authority):
    before = serial(secured, authority)
    _, strange_key = authority.issue("localhost")
    for text, why in (("no certificate", "server.pem"), (None, "is not the key of the certificate")):
        if text:
            kept = secured.files[0].read_bytes()
            secured.files[0].write_text(text)
        else:
            secured.files[0].write_bytes(kept)
            shutil.copy(strange_key, secured.files[1])
        secured.mgmtd.process.send_signal(signal.SIGHUP)
        secured.mgmtd.wait_log("the certificate stays as it was: ")
        until(lambda: why in secured.log("mgmtd"), 5, lambda: f"{why} in {secured.log('mgmtd')}")
        assert serial(secured, authority) == before


def test_sighup_stops_nothing_without_tls_either(lab):
    api = lab.start("mgmtd").api()
    lab.mgmtd.process.send_signal(signal.SIGHUP)
    lab.mgmtd.wait_log("SIGHUP")
    api.get("/status").expect(200)


@pytest.mark.parametrize("words, code, said", [
    (["--listen", "0.0.0.0:0"], 1, "--insecure-http"), (["--listen", "[::]:0"], 1, "--tls-cert"),
    (["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"], 1, "/nonexistent"), (["--tls-cert", "x"], 2, "--tls-key"),
    (["--tls-key", "x"], 2, "--tls-cert")])
def test_what_cannot_be_served_safely_is_refused_with_one_line(lab, words, code, said):
    base = [BUILD / "mgmtd", "--run", lab.run, "--state", lab.state, "--admin-password-file", lab.password_file]
    result = subprocess.run([*base, "--listen", "127.0.0.1:0", *words], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    assert result.returncode == code, result.stderr
    assert said in result.stderr.splitlines()[-1] and not result.stdout


def test_with_tls_every_address_may_be_listened_on(lab, authority):
    certificate, key = authority.issue("127.0.0.1")
    lab.url = "https://0.0.0.0:0"
    lab.start("mgmtd", mgmtd=["--tls-cert", certificate, "--tls-key", key])
    assert lab.url.startswith("https://0.0.0.0:")
