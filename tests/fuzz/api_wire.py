"""HTTP/1.1 as bytes: nothing that is sent is corrected, nothing that comes is forgiven."""

import re
import socket
import urllib.parse


class Broken(Exception):
    """What came is no answer."""


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        """The value; None: it is not there.  Broken when it is there twice."""
        values = [value for key, value in self.headers if key == name.lower()]
        if len(values) > 1:
            raise Broken(f"the header {name} came {len(values)} times")
        return values[0] if values else None

    @property
    def media(self):
        return (self.header("content-type") or "").split(";")[0].strip()


class Wire:
    """One connection, opened anew when the server has closed it."""

    def __init__(self, url, timeout=60):
        parts = urllib.parse.urlsplit(url)
        self.address, self.timeout = (parts.hostname, parts.port), timeout
        self.socket, self.rest = None, b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.rest = None, b""

    def ask(self, method, target, headers, body=None, endless=False):
        """The reply.  endless: of a stream only the head is read."""
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        data = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + (body or b"")
        used = self.socket is not None
        try:
            return self.exchange(data, method, endless)
        except (ConnectionError, EOFError):
            self.close()
            if not used:
                raise
            return self.exchange(data, method, endless)

    def exchange(self, data, method, endless):
        if not self.socket:
            self.socket = socket.create_connection(self.address, timeout=self.timeout)
        try:
            self.socket.sendall(data)
        except ConnectionError:
            pass  # refused before all of it was read: the answer says why
        reply = self.read(method, endless)
        endless = endless and reply.status == 200
        if self.rest and not endless:
            raise Broken(f"bytes after the answer: {self.rest[:200]!r}")
        if endless or (reply.header("connection") or "").lower() == "close":
            self.close()
        return reply

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the connection was closed")
        self.rest += data

    def take(self, count):
        while len(self.rest) < count:
            self.more()
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def line(self):
        while b"\r\n" not in self.rest:
            self.more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def read(self, method, endless):
        first = self.line().decode("latin-1")
        match = re.fullmatch(r"HTTP/1\.[01] (\d{3}) [\x20-\x7e]*", first)
        if not match:
            raise Broken(f"no status line: {first[:200]!r}")
        status, headers = int(match.group(1)), []
        while line := self.line():
            field = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*)", line)
            if not field:
                raise Broken(f"no header: {line[:200]!r}")
            headers.append((field.group(1).decode().lower(), field.group(2).decode("latin-1").strip()))
        if status == 100:
            return self.read(method, endless)
        reply = Reply(status, headers, b"")
        if not (endless and status == 200) and method != "HEAD" and status not in (204, 304):
            reply.body = self.read_body(reply)
        return reply

    def read_body(self, reply):
        if (reply.header("transfer-encoding") or "").lower() == "chunked":
            body = b""
            while size := int(self.line().split(b";")[0], 16):
                body += self.take(size)
                self.take(2)
            while self.line():
                pass
            return body
        length = reply.header("content-length")
        if length is None:
            raise Broken("an answer without a length")
        return self.take(int(length))
