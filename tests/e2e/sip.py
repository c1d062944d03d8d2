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
    def is_response(self):
        return self.start.startswith("SIP/2.0 ")

    @property
    def content(self):
        """The body as it came, in bytes."""
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def from_tag(self):
        return tag_of(self["from"])

    @property
    def to_tag(self):
        return tag_of(self["to"])

    @property
    def cseq_method(self):
        return self["cseq"].split()[1]

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


def tag_of(value):
    match = re.search(r";\s*tag=([^;\s]*)", (value or "").rpartition(">")[2])
    return match.group(1) if match else None


def user_of(value):
    """User part of the first URI in a header's value or a Request-URI."""
    match = re.search(r"sips?:([^@;>]*)@", value or "")
    return match.group(1) if match else None


def address_of(value):
    """(host, port) of the first URI in a header's value; the port None when it says none."""
    match = re.search(r"sips?:(?:[^@>]*@)?(\[[^\]]*\]|[^:;>\s]*)(?::(\d+))?", value or "")
    return (match.group(1), int(match.group(2)) if match.group(2) else None) if match else None


def uris(values):
    """The name-addrs of header values, each of which may hold several."""
    return [part for value in values for part in re.findall(r"<[^>]*>[^,]*", value)]


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


def answer_to(challenge, username, password, method="INVITE", uri="sip:switch", count=1, algorithm="MD5", qop=True):
    """(name, value) of the header that answers a 401 or 407 (RFC 2617, RFC 8760).  count: how often the nonce was used; qop=False: as RFC 2069."""
    kind = "www-authenticate" if challenge.code == 401 else "proxy-authenticate"
    offers = [digest_parameters(value) for value in challenge.all(kind)]
    asked = next(offer for offer in offers if offer.get("algorithm", "MD5") == algorithm)
    digest = lambda text: Challenge.HASHES[algorithm](text.encode()).hexdigest()
    first, second = digest(f"{username}:{asked['realm']}:{password}"), digest(f"{method}:{uri}")
    use = f"{count:08x}:{'ab' * 8}:auth"
    words = [f'username="{username}"', f'realm="{asked["realm"]}"', f'nonce="{asked["nonce"]}"', f'uri="{uri}"', f"algorithm={algorithm}",
             f'response="{digest(":".join([first, asked["nonce"], use, second] if qop else [first, asked["nonce"], second]))}"']
    if qop:
        words += ["qop=auth", f"nc={count:08x}", f'cnonce="{"ab" * 8}"']
    if "opaque" in asked:
        words.append(f'opaque="{asked["opaque"]}"')
    return ("Authorization" if challenge.code == 401 else "Proxy-Authorization"), "Digest " + ", ".join(words)


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
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 302: "Moved Temporarily", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 407: "Proxy Authentication Required", 408: "Request Timeout", 423: "Interval Too Brief", 480: "Temporarily Unavailable",
    486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
    500: "Server Internal Error", 503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline",
}
