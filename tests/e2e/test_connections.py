"""Many connections at once: what is too much is told so, and nobody else notices."""

import re
import resource
import selectors
import socket
import time

import pytest

from until import until

LIMIT = 1000


@pytest.fixture(autouse=True)
def enough_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4 * LIMIT:
        pytest.skip(f"this machine allows {hard} descriptors only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4 * LIMIT), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(lab, request):
    host, port = lab.url.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)), timeout=10)
    client.sendall(request)
    return client


def head(client):
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(4096)
        if not more:
            break
        data += more
    length = re.search(rb"\r\nContent-Length: (\d+)\r\n", data)  # a stream has none
    while length and len(data.partition(b"\r\n\r\n")[2]) < int(length.group(1)):
        data += client.recv(4096)
    return data


def test_a_thousand_connections_are_served_and_more_are_told_so(lab):
    api = lab.start("mgmtd").api()
    api.get("/status").expect(200)
    clients, refused = [], []
    for _ in range(LIMIT + 20):
        client = connect(lab, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = head(client)
        if answer.startswith(b"HTTP/1.1 200"):
            clients.append(client)
        else:
            assert not answer or answer.startswith(b"HTTP/1.1 503"), answer
            refused.append(answer)
            client.close()
    assert LIMIT - 5 <= len(clients) <= LIMIT
    assert any(b"503" in answer and b"problem+json" in answer and b"too_many_connections" in answer for answer in refused), \
        "who is one too many is told why"
    for client in clients[::97]:
        client.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"ready" in head(client), "the others go on"
    for client in clients:
        client.close()
    until(lambda: lab.api().get("/status").status == 200, 5, "an answer once the others are gone")
    assert lab.mgmtd.running


def test_five_hundred_listeners_hear_a_change_within_a_second(lab):
    api = lab.start("mgmtd").api()
    request = f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\n\r\n".encode()
    waiting = selectors.DefaultSelector()
    clients = [connect(lab, request) for _ in range(500)]
    for client in clients:
        assert head(client).startswith(b"HTTP/1.1 200")
        waiting.register(client, selectors.EVENT_READ)
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=61).expect(200)
    begin, deaf = time.monotonic(), set(clients)
    while deaf and time.monotonic() < begin + 5:
        for key, _ in waiting.select(0.2):
            if b"event: revision" in key.fileobj.recv(65536):
                deaf.discard(key.fileobj)
    assert not deaf, f"{len(deaf)} of 500 heard nothing"
    assert time.monotonic() - begin < 2
    for client in clients:
        client.close()
    api.get("/status").expect(200)
