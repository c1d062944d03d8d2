"""A scripted user agent: sends what the test says, answers when the test says so, and keeps every message that it got.

    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite("8801234567")
    leg = callee.incoming()
    leg.reply(200, body=ANSWER)
    call.answered()
"""

import itertools
import secrets
import socket
import ssl
import threading
import time

import dialog
import sip
from peer import Peer, TlsStream
from until import stays, until

sequence = itertools.count(1)


class Received(sip.Message):
    """A message that a phone got.  reached: the (host, port) it came to; again: seen before, a retransmission."""

    def __init__(self, phone, raw, at, source, reached, send):
        super().__init__(raw, at, source, phone.transport)
        self.phone, self.reached, self.send = phone, reached, send
        self.again, self.taken = False, False
        self.replies = []

    @property
    def key(self):
        own = (self.code, self.to_tag, self["rseq"]) if self.is_response else self.method
        return self.call_id, self["cseq"], self.branch, own

    def reply(self, code, phrase="", headers=(), body=None, content_type="application/sdp", tag=None, contact=True):
        """Answers it, at the socket that it came from."""
        headers = list(headers)
        if 100 < code < 300 and self.method == "INVITE":
            headers += [("Record-Route", value) for value in self.all("record-route")]
        if contact and 100 < code < 300 and self.method in ("INVITE", "UPDATE"):
            headers.append(("Contact", f"<{self.phone.contact}>"))
        raw = sip.response(self, code, phrase, headers, contact=False, to_tag=tag or self.phone.tag(self.call_id))
        if code == 100:
            raw = raw.replace(b";tag=" + (tag or self.phone.tag(self.call_id)).encode(), b"")
        raw = with_body(raw, body, content_type)
        self.replies.append(raw)
        self.send(raw)
        return raw

    def reply_again(self):
        self.send(self.replies[-1])


def with_body(raw, body, content_type):
    """The message, which has none yet, with this body."""
    if not body:
        return raw
    body = body.encode() if isinstance(body, str) else body
    head = raw.partition(b"\r\n\r\n")[0].replace(b"\r\nContent-Length: 0", b"")
    return head + f"\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Phone(Peer):
    """switch: (host, port) that its requests outside dialogs go to.  Manual: what is not answered by the test stays unanswered,
    but for `always`.  A retransmitted request gets the last answer again unless replays is off."""

    def __init__(self, host, switch=None, transport="udp", tls=None, port=0, user="phone"):
        self.switch, self.user = switch, user
        self.arrivals, self.lock = [], threading.Lock()
        self.tags, self.known, self.outgoing = {}, {}, {}
        self.replays, self.acks, self.automatic = True, True, None
        self.contact_uri = None     # another Contact than its own address
        self.sent_by = None         # another host:port in Via than its own
        super().__init__(host=host, port=port, transport="udp" if transport == "udp" else "tcp", tls=tls)
        self.transport = transport
        self.client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client_tls.check_hostname, self.client_tls.verify_mode = False, ssl.CERT_NONE

    # Addresses.

    @property
    def contact(self):
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        return self.contact_uri or f"sip:{self.user}@{self.host}:{self.port}{suffix}"

    @property
    def via(self):
        return f"SIP/2.0/{self.transport.upper()} {self.sent_by or f'{self.host}:{self.port}'}"

    def tag(self, call_id):
        """The tag of this phone in that call, unless the test names another."""
        return self.tags.setdefault(call_id, secrets.token_hex(6))

    def also_listen(self, port=0):
        """Opens another UDP socket; what comes to it is recorded with `reached`.  Gives (host, port)."""
        extra = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        extra.bind((self.host, port))
        extra.settimeout(0.2)
        self.connections.append(extra)
        threading.Thread(target=self.serve_datagrams, args=(extra,), daemon=True).start()
        return extra.getsockname()

    # Sending.

    def send(self, raw, to):
        if self.transport == "udp":
            self.socket.sendto(raw, to)
        else:
            self.connection(to).sendall(raw)

    def connection(self, to):
        """The open connection to that address, made when there is none."""
        for connection in self.connections:
            try:
                if connection.getpeername() == to:
                    return connection
            except OSError:
                continue
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        own.settimeout(5)
        own.bind((self.host, 0))
        own.connect(to)
        if self.transport == "tls":
            own = TlsStream(self.client_tls.wrap_socket(own))
        else:
            own.settimeout(None)
        threading.Thread(target=self.read_stream, args=(own, to), daemon=True).start()
        until(lambda: own in self.connections, 5, "own connection")
        return own

    def build(self, method, uri, headers, body=None, content_type="application/sdp"):
        """headers: pairs; a later one replaces an earlier of the same name, None takes it away, a list repeats it."""
        lines, order = {}, []
        for name, value in headers:
            if name.lower() not in lines:
                order.append(name.lower())
            lines[name.lower()] = (name, value)
        text = f"{method} {uri} SIP/2.0\r\n"
        for key in order:
            name, value = lines[key]
            for one in value if isinstance(value, list) else [value]:
                text += f"{name}: {one}\r\n" if one is not None else ""
        return with_body(text.encode() + b"Content-Length: 0\r\n\r\n", body, content_type)

    def request(self, method, number="", headers=(), body=None, content_type="application/sdp", uri=None, to=None, caller="4930111"):
        """Sends a request outside any dialog."""
        host, port = self.switch
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        uri = uri or f"sip:{number + '@' if number else ''}{host}:{port}{suffix}"
        call_id = f"{next(sequence)}-{secrets.token_hex(6)}@{self.host}"
        branch = "z9hG4bK" + secrets.token_hex(8)
        lines = [("Via", f"{self.via};rport;branch={branch}"), ("Max-Forwards", "70"),
                 ("From", f"<sip:{caller}@{self.host}>;tag={self.tag(call_id)}"), ("To", to or f"<sip:{number}@{host}>"),
                 ("Call-ID", call_id), ("CSeq", f"1 {method}"), ("Contact", f"<{self.contact}>"), *headers]
        raw = self.build(method, uri, lines, body, content_type)
        return dialog.Outgoing(self, raw, self.switch).send()

    def invite(self, number, body=dialog.OFFER, **options):
        return dialog.Call(self.request("INVITE", number, body=body, **options))

    # Receiving.

    def receive(self, data, source, send, reached=None):
        try:
            if data.strip():
                self.take_in(data, source, send, reached)
        except OSError:
            if not self.closing:
                raise

    def take_in(self, data, source, send, reached):
        message = Received(self, data, time.time(), source, reached.getsockname(), send)
        with self.lock:
            first = self.known.get(message.key)
            message.again = first is not None
            self.known.setdefault(message.key, message)
            self.arrivals.append(message)
        if message.is_response:
            outgoing = self.outgoing.get(message.branch)
            if outgoing and outgoing.method == "INVITE" and message.code >= 300 and self.acks and message.cseq_method == "INVITE":
                outgoing.ack_failure(message)
        elif first is not None:
            if self.replays and first.replies:
                send(first.replies[-1])
        elif self.automatic:
            self.automatic(message)

    @property
    def heard(self):
        """All but the retransmissions."""
        return [m for m in list(self.arrivals) if not m.again]

    def requests(self, method=None, **having):
        return [m for m in self.heard if not m.is_response and method in (None, m.method)
                and all(getattr(m, k) == v for k, v in having.items())]

    def take(self, fits, within, what):
        """The oldest message, not taken before, that fits."""
        def found():
            for message in self.heard:
                if not message.taken and fits(message):
                    message.taken = True
                    return message
            return None
        return until(found, within, lambda: f"{what}; got {self.arrivals}")

    def expect(self, method, within=3):
        """The next request of that method, in whatever dialog."""
        return self.take(lambda m: not m.is_response and m.method == method, within, method)

    def incoming(self, within=3):
        """The next call: a leg to answer."""
        return dialog.Leg(self.take(lambda m: not m.is_response and m.method == "INVITE" and m.to_tag is None, within, "INVITE"))

    def hears_nothing(self, seconds=0.3, method=None):
        count = len(self.requests(method))
        stays(lambda: len(self.requests(method)) == count, seconds, lambda: f"nothing expected, got {self.arrivals}")

    # Behaviours for phones that a test does not speak for message by message.

    def always(self, code, phrase="", headers=(), body=None):
        """Answers every INVITE so, and is polite otherwise."""
        def answer(request):
            if request.method == "INVITE":
                request.reply(code, phrase, headers, body=body)
            elif request.method != "ACK":
                request.reply(200)
        self.automatic = answer
        return self

    def polite(self):
        """Answers every request but INVITE and ACK with 200, also those that wait for an answer."""
        def answer(request):
            if request.method not in ("INVITE", "ACK") and not request.replies:
                request.reply(200)
        self.automatic = answer
        for request in self.requests():
            answer(request)
        return self
