"""Hostile and unusual bytes on the SIP sockets: the switch answers what can be answered, stays alive, and other calls go on."""

import random
import time

import pytest

import sip
import torture
from lab import BUILD, loopback_address
from stranger import Stranger
from torture import CALL, SILENCE

CALLEE_CODE = 486  # what the callee says to whatever reaches it


class Bench:
    """The shared switch, a caller that it knows, and a callee that takes every number and is busy."""

    def __init__(self, exchange):
        self.exchange, self.lab = exchange, exchange.lab
        self.caller = exchange.caller("tortured")
        self.callee = exchange.gateway("busy", prefixes=()).always(CALLEE_CODE)
        self.hosts = {"known": self.caller.host, "unknown": loopback_address()}

    def stranger(self, source, transport="udp"):
        return Stranger(self.hosts[source], self.lab.sip_port(transport), transport)

    def works(self):
        """Both sources get an answer, a call goes through, and what is told of all that came in is JSON."""
        assert self.lab.switchcore.running, self.lab.switchcore.log()[-3000:]
        for source in self.hosts:
            with self.stranger(source) as stranger:
                stranger.alive(within=20)
        before = len(self.callee.requests("INVITE"))
        call = self.caller.invite("8801234567")
        call.invite.expect(CALLEE_CODE, within=10)
        assert len(self.callee.requests("INVITE")) == before + 1
        for path in ("/calls", "/cdrs", "/trace"):
            assert isinstance(self.exchange.api.get(path).expect(200)["items"], list)


@pytest.fixture
def bench(exchange):
    own = Bench(exchange)
    yield own
    own.works()


def invite(stranger, id, headers=(), body=torture.SDP.replace("\n", "\r\n"), length=None, method="INVITE", number="8801234567"):
    """An INVITE that is right but for what the test asks for."""
    lines = [f"{method} sip:{number}@{stranger.switch[0]} SIP/2.0",
             f"Via: SIP/2.0/{stranger.transport.upper()} {stranger.own};rport;branch=z9hG4bK{id}", "Max-Forwards: 70",
             f"From: <sip:100@{stranger.host}>;tag={id}", f"To: <sip:{number}@{stranger.switch[0]}>", f"Call-ID: {id}@{stranger.host}",
             f"CSeq: 1 {method}", f"Contact: <sip:100@{stranger.own}>", *headers, "Content-Type: application/sdp",
             f"Content-Length: {len(body) if length is None else length}", "", body]
    return "\r\n".join(lines).encode()


# ------------------------------------------------------------------ RFC 4475

@pytest.mark.parametrize("source", ["known", "unknown"])
@pytest.mark.parametrize("message, transport", [(message, transport) for message in torture.messages for transport in ("udp", "tcp")
                                                if transport == "udp" or message.stream], ids=repr)
def test_a_message_of_rfc_4475_gets_one_of_the_answers_that_it_may_get(bench, message, transport, source):
    before = len(bench.callee.requests("INVITE"))
    with bench.stranger(source, transport) as stranger:
        stranger.send(message.bytes(transport, stranger.host, stranger.port))
        codes = [answer.code for answer in stranger.answers() if answer.code >= 200]
    reached = len(bench.callee.requests("INVITE")) - before
    got = CALL if codes == [CALLEE_CODE] and reached == 1 else codes[0] if codes else SILENCE
    assert len(codes) <= 1, codes
    assert reached == (got == CALL), f"{got}, and {reached} INVITEs reached the callee"
    allowed = getattr(message, source)
    if transport == "tcp" and stranger.closed:
        allowed = allowed | {SILENCE}  # a connection without a message that can be answered is closed
    assert got in allowed, f"{got}, section {message.section} allows {allowed}"


# ------------------------------------------------------------------ numbers and names of any bytes

@pytest.mark.parametrize("user, code", [("%00", 400), ("880%001", 400), ("880%0d%0aX:%20y", 400), ("%ff%fe", 400), ("%c3%28", 400), ("8" * 129, 414),
                                        ("%38" * 129, 414)])
@pytest.mark.parametrize("place", ["request", "to"])
def test_a_number_that_cannot_be_read_is_no_call(bench, place, user, code):
    before = len(bench.callee.requests("INVITE"))
    with bench.stranger("known") as stranger:
        raw = invite(stranger, "unreadable")
        wrong, right = (b"INVITE sip:8801234567@", b"INVITE sip:%s@") if place == "request" else (b"To: <sip:8801234567@", b"To: <sip:%s@")
        stranger.send(raw.replace(wrong, right % user.encode()))
        assert [m.code for m in stranger.answers() if m.code >= 200] == [code]
    assert len(bench.callee.requests("INVITE")) == before


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xc3", b"%ff", b"\x80" * 300, b"\xc3\xa9" * 200, b"\xf0\x9f\x98\x80" * 70, b"\\x00", b"\x7f"])
@pytest.mark.parametrize("place", [b"Call-ID: ", b";tag=", b"From: <sip:"])
def test_what_is_no_utf8_is_told_as_json_all_the_same(bench, place, text):
    """A call, its record and its trace: whoever lists them gets an answer."""
    with bench.stranger("known") as stranger:
        raw = invite(stranger, "bytes")
        at = raw.index(place) + len(place)
        stranger.send(raw[:at] + text + raw[at:])
        stranger.answers()
    for path in ("/calls", "/cdrs", "/trace"):
        bench.exchange.api.get(path).expect(200).json


def test_a_number_of_odd_characters_reaches_the_callee_escaped(bench):
    with bench.stranger("known") as stranger:
        stranger.send(invite(stranger, "odd", number="a%40b%3Cc%3E%22%5C%23%20%25%c3%a9"))
        assert [m.code for m in stranger.answers() if m.code >= 200] == [CALLEE_CODE]
    reached = bench.callee.requests("INVITE")[-1]
    assert reached.uri.startswith("sip:a%40b%3Cc%3E%22%5C%23%20%25%C3%A9@"), reached.uri
    assert "<sip:a%40b%3Cc%3E%22%5C%23%20%25%C3%A9@" in reached["to"]


# ------------------------------------------------------------------ names

@pytest.mark.parametrize("name", ["somewhere.example", "localhost", "a" * 200, "-", "127.0.0.1.example"], ids=lambda name: name[:20])
def test_no_name_in_a_message_is_looked_up(lab, name):
    """The stack sends what it answers itself to the host of the Via; looking it up would stop all calls for so long."""
    lab.env = {"LD_PRELOAD": str(BUILD / "tests/e2e/slow_names.so"), "ASAN_OPTIONS": "detect_leaks=1:verify_asan_link_order=0"}
    lab.start("switchcore")
    with Stranger(loopback_address(), lab.sip_port()) as stranger:
        right = invite(stranger, "named")
        named = right.replace(stranger.own.encode() + b";rport", name.encode())
        assert named != right
        for raw in (named, named.replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n"), named.replace(b"CSeq: 1 ", b"CSeq: x "), named.replace(b"INVITE", b"NOSUCH"),
                    right.replace(b";rport", b";maddr=" + name.encode()), right.replace(b";rport", b";received=" + name.encode()),
                    right.replace(b"Contact: <sip:100@", b"Route: <sip:" + name.encode() + b";lr>\r\nContact: <sip:100@" + name.encode() + b"?")):
            stranger.send(raw).alive(within=5)
    with Stranger(loopback_address(), lab.sip_port("tcp"), "tcp") as stranger:
        stranger.send(invite(stranger, "named").replace(stranger.own.encode() + b";rport", name.encode())).alive(within=5)


# ------------------------------------------------------------------ answers to what was never asked

@pytest.mark.parametrize("method", ["CANCEL", "BYE", "ACK", "PRACK", "UPDATE", "INFO", "NOSUCH"])
@pytest.mark.parametrize("code", [100, 200, 481, 503])
def test_an_answer_to_a_request_that_was_not_sent_harms_nobody(bench, method, code):
    """The gateway knows the branch, so the SIP stack finds a transaction for it."""
    silent = bench.exchange.gateway("silent", prefixes=("990",))
    call = bench.caller.invite("990123")
    leg = silent.incoming()
    raw = sip.response(leg.invite, code, contact=False)
    wrong = raw.replace(b" INVITE\r\n", b" " + method.encode() + b"\r\n", 1)
    assert wrong != raw
    leg.invite.send(wrong)
    cancel = call.invite.cancel()
    cancel.expect(200)
    call.refused(487)
    leg.invite.send(wrong)  # a CANCEL waits for a provisional answer: it was not sent either
    leg.reply(180)
    silent.hears_nothing(method="BYE")
    leg.invite.send(wrong)
    leg.reply(487)
    bench.works()


# ------------------------------------------------------------------ damaged messages

@pytest.mark.parametrize("source", ["known", "unknown"])
def test_messages_cut_at_every_seventh_byte_harm_nobody(bench, source):
    with bench.stranger(source) as stranger:
        whole = [m.bytes("udp", stranger.host, stranger.port) for m in torture.messages] + [invite(stranger, "whole")]
        sent = 0
        for raw in whole:
            for size in range(0, len(raw), 7):
                stranger.send(raw[:size])
                sent += 1
                if sent % 40 == 0:  # what the socket's buffer holds for sure
                    stranger.alive()
        stranger.alive()


@pytest.mark.parametrize("source", ["known", "unknown"])
def test_messages_with_one_byte_changed_harm_nobody(bench, source):
    random.seed(4475)
    with bench.stranger(source) as stranger:
        for number, message in enumerate(torture.messages):
            raw = message.bytes("udp", stranger.host, stranger.port)
            for turn in range(40):
                changed = bytearray(raw)
                changed[random.randrange(len(raw))] = random.choice(b"\x00\r\n\"<>;:,@%[]\\ \xff" + bytes([random.randrange(256)]))
                stranger.send(bytes(changed))
            stranger.alive()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_noise_harms_nobody(bench, transport):
    random.seed(65535)
    for turn in range(20):
        port = bench.lab.sip_port(transport)
        with Stranger(bench.hosts["unknown"], port, "tcp" if transport == "tls" else transport) as stranger:
            stranger.send(random.randbytes(random.choice([1, 4, 50, 1500, 9000, 65507])))
            stranger.send(random.randbytes(100))


@pytest.mark.parametrize("source", ["known", "unknown"])
def test_the_largest_datagrams_are_answered_or_dropped(bench, source):
    with bench.stranger(source) as stranger:
        empty = len(invite(stranger, "x" * 10, body="")) + 5
        fill = 65507 - empty
        stranger.send(invite(stranger, "body000000", body="v" * fill)).alive()
        stranger.send(invite(stranger, "header0000", [f"X: {'h' * (fill - 6)}"], body="")).alive()
        stranger.send(invite(stranger, "number0000", number="1" * (fill // 2), body="")).alive()
        stranger.send(b"INVITE " + b"s" * 65500).alive()
        stranger.send(b"\r\n" * 32750).alive()
        stranger.send(b"\x00" * 65507).alive()
        stranger.send(b"SIP/2.0 200 " + b"o" * 65495).alive()


# ------------------------------------------------------------------ Content-Length

@pytest.mark.parametrize("source", ["known", "unknown"])
@pytest.mark.parametrize("length", ["151", "9999", "65536", "-1", "-0", "4294967296", "4294967446", "18446744073709551616", "9" * 200, "1e3", "0x96",
                                    "", " ", "150 151", "150,150", "+150"])
def test_a_content_length_that_does_not_fit_is_no_call(bench, source, length):
    before = len(bench.callee.requests("INVITE"))
    with bench.stranger(source) as stranger:
        stranger.send(invite(stranger, "length", length=length))
        codes = [m.code for m in stranger.answers() if m.code >= 200]
    assert codes == [] or codes[0] in (400, 403, 413) , codes
    assert len(bench.callee.requests("INVITE")) == before


def test_a_shorter_content_length_cuts_the_body_of_a_datagram(bench):
    with bench.stranger("known") as stranger:
        stranger.send(invite(stranger, "shorter", length=5))
        assert [m.code for m in stranger.answers() if m.code >= 200] == [CALLEE_CODE]
    assert bench.callee.requests("INVITE")[-1].content == b"v=0\r\n"


@pytest.mark.parametrize("length", ["-1", "4294967446", "18446744073709551616", "99999999", "65537"])
def test_a_stream_whose_end_nobody_knows_is_closed(bench, length):
    with bench.stranger("known", "tcp") as stranger:
        stranger.send(invite(stranger, "length", length=length))
        deadline = time.monotonic() + 15
        stranger.send(b"v" * 70000)
        while stranger.next(deadline):
            pass
        assert stranger.closed


def test_a_message_that_never_ends_holds_its_connection_only_so_long(bench):
    with bench.stranger("known", "tcp") as stranger:
        stranger.send(invite(stranger, "endless")[:200])
        deadline = time.monotonic() + 20
        while stranger.next(deadline):
            pass
        assert stranger.closed


# ------------------------------------------------------------------ bombs

def bombs(stranger):
    """(name, message): each is right, but for one thing of which there is far too much."""
    room = 65000
    yield "headers", invite(stranger, "bomb1", 10000 * ["a:b"], body="")
    yield "same header", invite(stranger, "bomb2", 9000 * ["k:b"], body="")
    yield "line", invite(stranger, "bomb3", ["X: " + 60 * 1024 * "x"], body="")
    yield "Vias", invite(stranger, "bomb4", [f"v:SIP/2.0/UDP {i}" for i in range(3400)], body="")
    yield "Via list", invite(stranger, "bomb5", ["v:" + ",".join(4500 * ["SIP/2.0/UDP h"])], body="")
    yield "Contacts", invite(stranger, "bomb6", ["m:" + ",".join(12000 * ["<s:a>"])], body="")
    yield "Routes", invite(stranger, "bomb7", ["Route:" + ",".join(5000 * ["<sip:a;lr>"])], body="")
    yield "Record-Routes", invite(stranger, "bomb8", ["Record-Route:" + ",".join(5000 * ["<sip:a;lr>"])], body="")
    yield "parameters", invite(stranger, "bomb9", ["m:<sip:a>" + 15000 * ";a=b"], body="")
    yield "identities", invite(stranger, "bomb10", ["P-Asserted-Identity:" + ",".join(5000 * ["<sip:1@a>"])], body="")
    yield "folds", invite(stranger, "bomb11", ["Subject:" + 15000 * "\r\n x"], body="")
    yield "quotes", invite(stranger, "bomb12", ['m:"' + 30000 * '\\"' + '" <sip:a>'], body="")
    yield "escapes", invite(stranger, "bomb13", ["m:<sip:" + 20000 * "%41" + "@a>"], body="")
    yield "Requires", invite(stranger, "bomb14", ["Require:" + ",".join(20000 * ["aa"])], body="")
    yield "languages", invite(stranger, "bomb15", ["Accept-Language:" + ",".join(20000 * ["aa"])], body="")
    yield "Authorization", invite(stranger, "bomb16", ["Authorization: Digest " + ",".join(10000 * ["a=b"])], body="")
    yield "branch", invite(stranger, "b" * 20000, body="")
    yield "parentheses", invite(stranger, "bomb18", ["Subject:" + 30000 * "(", "Server:" + 15000 * "(", "User-Agent: " + 7000 * "(a"], body="")
    yield "commas", invite(stranger, "bomb19", ["Allow:" + 60000 * ","], body="")
    yield "errors", invite(stranger, "bomb20", 5000 * ["Expires:x"], body="")
    yield "crowd", b"".join(invite(stranger, f"crowd{i}", body="") for i in range(150))[:room]


TOO_MUCH = {"headers", "same header", "Vias", "Via list", "Contacts", "Routes", "Record-Routes", "identities", "Requires", "languages",
            "Authorization", "commas", "errors"}  # more than 512 header lines and commas


@pytest.mark.parametrize("source", ["known", "unknown"])
def test_a_bomb_is_dropped_before_it_costs_time(bench, source):
    with bench.stranger(source) as stranger:
        for name, raw in bombs(stranger):
            stranger.send(raw[:65507])
            codes = [m.code for m in stranger.answers(within=60) if m.code >= 200]
            assert len(codes) <= 1, (name, codes)
            if name in TOO_MUCH:
                assert codes == [], (name, codes)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_bomb_ends_its_connection_and_no_other(bench, transport):
    with bench.stranger("known", transport) as other, bench.stranger("known", transport) as stranger:
        other.alive()
        headers = 10000 * ["a:b"]
        for at in range(0, len(headers), 100):
            stranger.send("\r\n".join(["OPTIONS sip:x SIP/2.0" if at == 0 else "a:b", *headers[at:at + 100], ""]).encode())
            if stranger.closed:
                break
        deadline = time.monotonic() + 5
        while stranger.next(deadline):
            pass
        assert stranger.closed
        other.alive()


def test_a_long_body_on_a_stream_is_no_bomb(bench):
    """Its lines are none of the head's, in whatever pieces it comes."""
    with bench.stranger("known", "tcp") as stranger:
        body = "v=0\r\n" + 1000 * "a=candidate:1 1 UDP 1,2,3\r\n"
        raw = invite(stranger, "longbody", body=body)
        for at in range(0, len(raw), 999):
            stranger.send(raw[at:at + 999])
        assert [m.code for m in stranger.answers() if m.code >= 200] == [CALLEE_CODE]
    assert bench.callee.requests("INVITE")[-1].body == body


def test_datagrams_that_begin_like_no_message_are_not_even_looked_at(bench):
    """STUN and SigComp, which the stack would take for its own."""
    with bench.stranger("unknown") as stranger:
        magic = bytes.fromhex("0001000c2112a442") + bytes(12) + bytes(12)
        for raw in (magic, b"\x01\x01" + magic[2:], b"\xf8" * 100, b"\xff" * 1000, b"\x00", b" OPTIONS"):
            stranger.send(raw)
        assert stranger.answers() == []


def test_five_thousand_vias_on_a_stream_end_the_connection_and_nothing_else(bench):
    with bench.stranger("known", "tcp") as stranger:
        stranger.send(invite(stranger, "vias", [f"Via: SIP/2.0/TCP host{i}.example.com" for i in range(5000)], body=""))
        deadline = time.monotonic() + 15
        while stranger.next(deadline):
            pass
        assert stranger.closed
