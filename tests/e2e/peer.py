"""A scripted SIP peer: records every message exactly as received and answers as the test says."""

import select
import socket
import ssl
import threading
import time

import sip
from until import until


class TlsStream:
    """A TLS connection that one thread reads while others write: OpenSSL wants one at a time."""

    def __init__(self, own):
        self.own, self.lock = own, threading.Lock()
        own.settimeout(0)
        self.getsockname, self.getpeername, self.shutdown, self.close = own.getsockname, own.getpeername, own.shutdown, own.close

    def recv(self, size):
        while True:
            if not self.own.pending():
                select.select([self.own], [], [])
            try:
                with self.lock:
                    return self.own.recv(size)
            except ssl.SSLWantReadError:
                continue

    def sendall(self, data):
        view = memoryview(data)
        while view:
            try:
                with self.lock:
                    view = view[self.own.send(view):]
            except ssl.SSLWantWriteError:
                select.select([], [self.own], [], 5)


class Peer:
    """answer(request, peer) gives the bytes to send, a list of them, or None for silence; without one everything is
    accepted.  An unanswered request comes again and again: retransmissions are recorded apart."""

    def __init__(self, answer=None, host="127.0.0.1", port=0, transport="udp", tls=None):
        self.answer, self.host, self.transport, self.tls = answer or accept, host, transport, tls
        self.messages, self.retransmissions, self.datagrams, self.seen = [], [], [], {}
        self.connections = []
        self.delay = 0  # s, before every answer
        self.closing = False
        self.socket = None
        self.port = port
        self.start()

    def start(self):
        self.closing = False
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        self.socket = self.open(kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((self.host, self.port))
        self.port = self.socket.getsockname()[1]
        self.socket.settimeout(0.2)
        if self.transport == "udp":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            threading.Thread(target=self.serve_datagrams, args=(self.socket,), daemon=True).start()
        else:
            self.socket.listen(64)
            threading.Thread(target=self.serve_connections, daemon=True).start()

    def open(self, kind):
        return socket.socket(socket.AF_INET, kind)

    def stop(self):
        """Gone: what is sent to it is refused."""
        self.closing = True
        self.socket.close()
        for connection in list(self.connections):
            self.drop(connection)

    def drop(self, connection):
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        connection.close()

    def serve_datagrams(self, own):
        while not self.closing:
            try:
                data, source = own.recvfrom(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            self.receive(data, source, lambda reply, to=source: own.sendto(reply, to), own)

    def serve_connections(self):
        own = self.socket
        while not self.closing:
            try:
                connection, source = own.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self.serve_stream, args=(connection, source), daemon=True).start()

    def serve_stream(self, connection, source):
        try:
            if self.tls:
                connection = TlsStream(self.tls.wrap_socket(connection, server_side=True))
        except (OSError, ssl.SSLError):
            connection.close()
            return
        self.read_stream(connection, source)

    def read_stream(self, connection, source):
        self.connections.append(connection)
        try:
            data = b""
            while True:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
                while data.startswith(b"\r\n"):
                    cut = 4 if data.startswith(b"\r\n\r\n") else 2
                    self.datagrams.append((time.time(), data[:cut], source))
                    if cut == 4:
                        connection.sendall(b"\r\n")
                    data = data[cut:]
                while b"\r\n\r\n" in data:
                    end = data.index(b"\r\n\r\n") + 4
                    length = int(sip.Message(data[:end])["content-length"] or 0)
                    if len(data) < end + length:
                        break
                    self.receive(data[:end + length], source, connection.sendall, connection)
                    data = data[end + length:]
        except (OSError, ssl.SSLError):
            pass
        finally:
            connection.close()

    def receive(self, data, source, send, reached=None):
        """reached: the socket that it came in at."""
        now = time.time()
        if not data.strip():
            self.datagrams.append((now, data, source))
            return
        message = sip.Message(data, now, source, self.transport)
        key = (message.call_id, message["cseq"], message.branch)
        if key in self.seen:
            self.retransmissions.append(message)
            reply = self.seen[key]
        else:
            self.messages.append(message)
            reply = self.answer(message, self)
            self.seen[key] = reply
        parts = [part for part in (reply if isinstance(reply, list) else [reply]) if part]
        if self.delay:
            threading.Timer(self.delay, self.send_all, (send, parts)).start()
        else:
            self.send_all(send, parts)

    @staticmethod
    def send_all(send, parts):
        for part in parts:
            try:
                send(part)
            except OSError:
                pass

    def registers(self, user=None):
        return [m for m in list(self.messages) if m.method == "REGISTER" and user in (None, m.user)]

    def wait_for_register(self, user=None, count=1, within=5, **having):
        """The count-th REGISTER (of the account) that has these attributes."""
        def found():
            fit = [m for m in self.registers(user) if all(getattr(m, k) == v for k, v in having.items())]
            return fit[count - 1] if len(fit) >= count else None
        return until(found, within, lambda: f"REGISTER {count} {having}; got {self.registers(user)}")


# Ready-made behaviours.

def accept(request, peer):
    return sip.response(request, 200)


def silent(request, peer):
    return None


def granting(seconds):
    return lambda request, peer: sip.response(request, 200, expires=min(seconds, request.contact_expires or 0))


def refusing(code, phrase="", *headers):
    return lambda request, peer: sip.response(request, code, phrase, headers)


def in_turn(*answers):
    """The first answers the first request, the last one all that follow."""
    left = list(answers)

    def answer(request, peer):
        return (left.pop(0) if len(left) > 1 else left[0])(request, peer)
    return answer


def challenging(challenge, username, password, then=accept, code=401):
    """Asks for credentials, and then() once they are right; wrong ones are challenged again."""
    header = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"

    def answer(request, peer):
        if challenge.accepts(request, username, password):
            return then(request, peer)
        return sip.response(request, code, headers=[(header, str(challenge))])
    return answer
