"""Dialogs of a scripted phone (RFC 3261 12): both ends of a call as a test drives them, message by message."""

import secrets

import sip
from until import stays, until

OFFER = ("v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.101\r\ns=-\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\n"
         "m=audio 49172 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n")
ANSWER = ("v=0\r\no=bob 2808844564 2808844564 IN IP4 192.0.2.201\r\ns=-\r\nc=IN IP4 192.0.2.201\r\nt=0 0\r\n"
          "m=audio 3456 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n")


class Outgoing:
    """A request that the phone sent, and the responses to it, in their order."""

    def __init__(self, phone, raw, to, send=None):
        self.phone, self.raw, self.to = phone, raw, to
        self.how = send or (lambda data: phone.send(data, to))
        self.message = sip.Message(raw)
        self.method, self.cseq, self.branch = self.message.method, self.message.cseq, self.message.branch

    def __repr__(self):
        return f"{self.method} {self.message.uri}"

    def send(self):
        if self.method not in ("ACK", "CANCEL"):
            self.phone.outgoing[self.branch] = self
        self.how(self.raw)
        return self

    again = send

    @property
    def responses(self):
        """Without retransmissions."""
        return [m for m in self.phone.heard if self.mine(m)]

    def copies(self, code):
        """How often a response came, retransmissions included."""
        return sum(1 for m in list(self.phone.arrivals) if self.mine(m) and m.code == code)

    def mine(self, message):
        return message.is_response and message.branch == self.branch and message.cseq_method == self.method

    def expect(self, code, within=3):
        """The next response is this one; a 100 on the way to it counts for nothing."""
        message = self.phone.take(lambda m: self.mine(m) and (code == 100 or m.code != 100), within, f"{code} to {self!r}")
        assert message.code == code, f"{code} expected to {self!r}, got {message.raw.decode(errors='replace')}"
        return message

    def final(self, within=3):
        """The final response, whatever it is."""
        return self.phone.take(lambda m: self.mine(m) and m.code >= 200, within, f"final response to {self!r}")

    def unanswered(self, seconds=0.5):
        """No response comes, not even a provisional one."""
        stays(lambda: not self.responses, seconds, lambda: f"no answer expected to {self!r}, got {self.responses}")

    def same_hop(self, method, to=None, headers=()):
        """CANCEL, or the ACK to a final response that is no 2xx: same branch, same CSeq number, same way (RFC 3261 9.1, 17.1.1.3)."""
        keep = [("Via", self.message["via"]), ("Max-Forwards", "70"), ("From", self.message["from"]), ("To", to or self.message["to"]),
                ("Call-ID", self.message.call_id), ("CSeq", f"{self.cseq} {method}"), ("Route", self.message.all("route")), *headers]
        raw = self.phone.build(method, self.message.uri, keep)
        return Outgoing(self.phone, raw, self.to, self.how).send()

    def cancel(self, headers=()):
        return self.same_hop("CANCEL", headers=headers)

    def ack_failure(self, response):
        return self.same_hop("ACK", response["to"])


class Dialog:
    """local, remote: From and To values of our requests; peer: where they go, None = by route set and target."""

    def __init__(self, phone, call_id, local, remote, target, routes=(), cseq=0, how=None):
        self.phone, self.call_id, self.local, self.remote, self.target = phone, call_id, local, remote, target
        self.routes, self.cseq, self.how = list(routes), cseq, how

    @property
    def next_hop(self):
        host, port = sip.address_of(self.routes[0] if self.routes else self.target)
        return host, port or (5061 if self.phone.transport == "tls" else 5060)

    def build(self, method, cseq, headers=(), body=None, content_type="application/sdp", target=None):
        branch = "z9hG4bK" + secrets.token_hex(8)
        lines = [("Via", f"{self.phone.via};rport;branch={branch}"), ("Max-Forwards", "70"), ("Route", self.routes),
                 ("From", self.local), ("To", self.remote), ("Call-ID", self.call_id), ("CSeq", f"{cseq} {method}"),
                 ("Contact", f"<{self.phone.contact}>" if method in ("INVITE", "UPDATE") else None), *headers]
        raw = self.phone.build(method, target or self.target, lines, body, content_type)
        return Outgoing(self.phone, raw, self.next_hop, self.how)

    def request(self, method, body=None, headers=(), content_type="application/sdp", cseq=None, target=None):
        """Sends a request in the dialog."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        return self.build(method, cseq, headers, body, content_type, target).send()

    def ack(self, invite, body=None):
        """The ACK to a 2xx (RFC 3261 13.2.2.4)."""
        return self.build("ACK", invite.cseq, body=body).send()

    def reinvite(self, body=OFFER, **options):
        return self.request("INVITE", body, **options)

    def bye(self, within=3):
        """Hangs up, and that is accepted."""
        return self.request("BYE").expect(200, within)

    # What comes from the other side.

    def expect(self, method, within=3):
        """The next request of that method in this call."""
        return self.phone.take(lambda m: not m.is_response and m.method == method and m.call_id == self.call_id, within,
                               f"{method} in {self.call_id}")

    def hung_up(self, within=3):
        """The other side hangs up, and that is accepted."""
        bye = self.expect("BYE", within)
        bye.reply(200)
        return bye

    def hears_nothing(self, method=None, seconds=0.3):
        count = len(self.phone.requests(method, call_id=self.call_id))
        stays(lambda: len(self.phone.requests(method, call_id=self.call_id)) == count, seconds,
              lambda: f"nothing expected in {self.call_id}, got {self.phone.arrivals}")


class Call(Dialog):
    """The caller's end."""

    def __init__(self, invite):
        message = invite.message
        super().__init__(invite.phone, message.call_id, message["from"], message["to"], message.uri, cseq=message.cseq,
                         how=None if invite.phone.transport == "udp" else invite.how)
        self.invite = invite

    def expect(self, what, within=3):
        """The next response to the INVITE when `what` is a number, else the next request of that method."""
        if isinstance(what, str):
            return super().expect(what, within)
        response = self.invite.expect(what, within)
        if 100 < what < 300:
            self.learn(response)
        return response

    def learn(self, response):
        """Goes on in the dialog of that response."""
        if response.to_tag:
            self.remote = response["to"]
        if response["contact"]:
            self.target = sip.uris([response["contact"]])[0][1:].partition(">")[0]
        self.routes = list(reversed(sip.uris(response.all("record-route"))))

    def answered(self, within=3, body=None):
        """200, and its ACK."""
        response = self.expect(200, within)
        self.ack(self.invite, body)
        return response

    def refused(self, code, within=3):
        response = self.invite.final(within)
        assert response.code == code, f"{code} expected, got {response.raw.decode(errors='replace')}"
        return response

    def provisional(self, code, within=3):
        return until(lambda: next((m for m in self.invite.responses if m.code == code), None), within,
                     lambda: f"{code}; got {self.invite.responses}")


class Leg(Dialog):
    """The callee's end, made by the INVITE that came."""

    def __init__(self, invite, tag=None):
        phone = invite.phone
        self.tag = tag or phone.tag(invite.call_id)
        super().__init__(phone, invite.call_id, f"{invite['to']};tag={self.tag}", invite["from"], invite.contact_uri,
                         sip.uris(invite.all("record-route")), cseq=100, how=None if phone.transport == "udp" else invite.send)
        self.invite = invite

    def reply(self, code, phrase="", headers=(), body=None, **options):
        return self.invite.reply(code, phrase, headers, body, tag=self.tag, **options)

    def fork(self):
        """Another answerer of the same INVITE."""
        return Leg(self.invite, secrets.token_hex(6))

    def answer(self, body=ANSWER, within=3, **options):
        """200, and the ACK comes."""
        self.reply(200, body=body, **options)
        return self.expect("ACK", within)
