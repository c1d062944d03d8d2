"""Somebody who sends bytes, good or bad, and looks at what comes back."""

import re
import secrets
import socket
import ssl
import time

import sip

PING = ("OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/{transport} {own};rport;branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\nFrom: <sip:ping@{host}>;tag={id}\r\n"
        "To: <sip:{to}>\r\nCall-ID: ping-{id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")


class Stranger:
    """One socket at `host`.  Everything that is waited for ends with a deadline, or with the answer to a ping sent behind it: the
    switch takes the messages of one socket in their order."""

    def __init__(self, host, switch, transport="udp"):
        self.host, self.switch, self.transport = host, switch, transport
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind((host, 0))
        self.socket.settimeout(3)
        if transport == "udp":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.connect(switch)
        self.port = self.socket.getsockname()[1]
        if transport == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.data, self.closed = b"", False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    @property
    def own(self):
        return f"{self.host}:{self.port}"

    def send(self, raw):
        try:
            if self.transport == "udp":
                self.socket.send(raw)
            else:
                self.socket.sendall(raw)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.closed = True
        return self

    def ping(self):
        """Sends an OPTIONS that is right, and gives its Call-ID."""
        id = secrets.token_hex(6)
        self.send(PING.format(to="%s:%d" % self.switch, transport=self.transport.upper(), own=self.own, host=self.host, id=id).encode())
        return f"ping-{id}"

    def next(self, deadline):
        """The next response, or None: the deadline passed or the switch closed the connection."""
        while not self.closed:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                if self.transport == "udp":
                    return sip.Message(self.socket.recv(65536))
                end = self.data.find(b"\r\n\r\n")
                if end >= 0:
                    head = self.data[:end + 4]
                    length = re.search(rb"\r\n(?:Content-Length|l)\s*:\s*(\d+)", head, re.I)
                    size = end + 4 + int(length.group(1) if length else 0)
                    if len(self.data) >= size:
                        raw, self.data = self.data[:size], self.data[size:]
                        return sip.Message(raw)
                more = self.socket.recv(65536)
                self.closed = not more
                self.data += more
            except TimeoutError:
                return None
            except (ConnectionResetError, ssl.SSLError):
                self.closed = True
        return None

    def answers(self, within=5):
        """What came for all that was sent so far, up to the final responses of those that got a provisional one."""
        ping, got, waiting = self.ping(), [], set()
        deadline = time.monotonic() + within
        while not self.closed and (ping or waiting):
            message = self.next(deadline)
            if message is None:
                assert self.closed or time.monotonic() < deadline, f"no answer to {ping or waiting}; got {got}"
                break
            if message.call_id == ping:
                ping = None
                continue
            got.append(message)
            (waiting.add if message.code < 200 else waiting.discard)(message.call_id)
        return got

    def alive(self, within=5):
        """A right request is answered; nothing else is expected."""
        deadline = time.monotonic() + within
        pings = set()
        while True:
            # Asked again as a client would: while a flood lasts a stranger is not heard.
            pings.add(self.ping())
            again = min(deadline, time.monotonic() + 0.5)
            while (message := self.next(again)) is not None:
                if message.call_id in pings:
                    return message
            assert time.monotonic() < deadline, f"no answer to OPTIONS within {within} s"
