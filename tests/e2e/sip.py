"""SIP messages as a test looks at them: headers by name, parameters, digest."""

import hashlib
import re
import secrets

LONG_NAMES = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "k": "supported"}


class Message:
    def __init__(self, raw, at=None, source=None, transport="udp"):
        self.raw, self.at, self.source, self.transport = raw, at, source, transport
        head, _, self.body = raw.decode("utf-8", "surrogateescape").partition("\r\n\r\n")
        self.start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        self.headers = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.append((LONG_NAMES.get(name, name), value.strip()))

    def __repr__(self):
        return f"<{self.start!r} CSeq {self['cseq']} from {self.source}>"

    def all(self, name):
        return [value for header, value in self.headers if header == name.lower()]

    def __getitem__(self, name):
        """The header's value, or None."""
        values = self.all(name)
        return values[0] if values else None

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def uri(self):
        return self.start.split(" ")[1]

    @property
    def code(self):
        return int(self.start.split(" ")[1])

    @property
    def cseq(self):
        return int(self["cseq"].split()[0])

    @property
    def call_id(self):
        return self["call-id"]

    @property
    def user(self):
        """User part of To: the account a REGISTER is about."""
        match = re.search(r"sips?:([^@;>]*)@", self["to"] or "")
        return match.group(1) if match else None

    @property
    def contact_uri(self):
        match = re.search(r"<([^>]*)>", self["contact"] or "")
        return match.group(1) if match else None

    @property
    def line(self):
        match = re.search(r";line=([^;>]*)", self.contact_uri or "")
        return match.group(1) if match else None

    @property
    def contact_expires(self):
        match = re.search(r">.*;\s*expires=(\d+)", self["contact"] or "", re.I)
        return int(match.group(1)) if match else None

    @property
    def expires(self):
        return int(self["expires"]) if self["expires"] is not None else None

    @property
    def branch(self):
        return re.search(r"branch=([^;,\s]*)", self["via"]).group(1)

    @property
    def credentials(self):
        """Parameters of Authorization or Proxy-Authorization, {} without one."""
        return digest_parameters(self["authorization"] or self["proxy-authorization"] or "")


def digest_parameters(value):
    found = re.findall(r'([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', value.partition(" ")[2])
    return {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in found}


class Challenge:
    """One digest challenge, and the check of the answer to it (RFC 2617, RFC 8760)."""

    HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}

    def __init__(self, realm="test", algorithm="MD5", stale=False, qop="auth", nonce=None):
        self.realm, self.algorithm, self.stale, self.qop = realm, algorithm, stale, qop
        self.nonce = nonce or secrets.token_hex(8)

    def __str__(self):
        parts = [f'Digest realm="{self.realm}"', f'nonce="{self.nonce}"', f"algorithm={self.algorithm}"]
        return ", ".join(parts + [f'qop="{self.qop}"'] * bool(self.qop) + ["stale=true"] * self.stale)

    def accepts(self, message, username, password):
        given = message.credentials
        digest = lambda text: self.HASHES[self.algorithm](text.encode()).hexdigest()
        if (given.get("nonce"), given.get("username"), given.get("realm")) != (self.nonce, username, self.realm):
            return False
        first = digest(f"{username}:{self.realm}:{password}")
        second = digest(f"{message.method}:{given['uri']}")
        middle = f"{given['nc']}:{given['cnonce']}:{given['qop']}:" if self.qop else ""
        return given["response"] == digest(f"{first}:{self.nonce}:{middle}{second}")


def response(request, code, phrase="", headers=(), contact=True, expires=None, to_tag="peer"):
    """An answer to a request as RFC 3261 8.2.6 asks.  contact: repeat the request's Contact, with the granted expires."""
    lines = [f"SIP/2.0 {code} {phrase or PHRASES.get(code, 'Unknown')}"]
    host, port = request.source
    for index, via in enumerate(request.all("via")):
        if index == 0 and ";rport" in via:
            via = re.sub(r";rport(?!=)", f";rport={port};received={host}", via)
        lines.append(f"Via: {via}")
    lines.append(f"From: {request['from']}")
    lines.append(f"To: {request['to']}" + ("" if ";tag=" in request["to"] else f";tag={to_tag}"))
    lines += [f"Call-ID: {request.call_id}", f"CSeq: {request['cseq']}"]
    if contact and 200 <= code < 300 and request.contact_uri:
        granted = expires if expires is not None else request.contact_expires
        if granted != 0:
            lines.append(f"Contact: <{request.contact_uri}>" + ("" if granted is None else f";expires={granted}"))
    lines += [f"{name}: {value}" for name, value in headers]
    lines += ["Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


PHRASES = {
    100: "Trying", 200: "OK", 302: "Moved Temporarily", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    407: "Proxy Authentication Required", 408: "Request Timeout", 423: "Interval Too Brief", 480: "Temporarily Unavailable",
    500: "Server Internal Error", 503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline",
}
