"""A flood of INVITEs from a source that nobody knows: it costs no memory, and the calls of known sources go through.

Now and then the socket's buffer overflows for everybody: so these peers send again what is not answered, as every SIP peer does.
"""

import collections
import pathlib
import socket
import threading

import pytest

from dialog import ANSWER
from exchange import NUMBER
from lab import loopback_address
from prometheus import scrape
from until import until

FLOOD = 200_000
CALLS = 10  # before the flood, and after it; while it lasts, one after the other
GROWTH_KB = 16 * 1024  # calls of the known source, the answers on their way, and holes in the heap


class Flood(threading.Thread):
    """`count` INVITEs as fast as the loopback interface takes them, each of another call; codes = how often each answer came."""

    def __init__(self, switch, count, host=None, number=NUMBER):
        super().__init__(daemon=True)
        self.host, self.switch, self.count, self.number, self.sent = host or loopback_address(), switch, count, number, 0
        self.codes = collections.Counter()

    def run(self):
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.bind((self.host, 0))
        own.connect(self.switch)
        own.setblocking(False)
        port = own.getsockname()[1]
        text = (f"INVITE sip:{self.number}@{self.switch[0]} SIP/2.0\r\nVia: SIP/2.0/UDP {self.host}:{port};rport;branch=z9hG4bK%d\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:1@{self.host}>;tag=%d\r\nTo: <sip:{self.number}@{self.switch[0]}>\r\n"
                f"Call-ID: %d@{self.host}\r\nCSeq: 1 INVITE\r\nContact: <sip:1@{self.host}:{port}>\r\nContent-Length: 0\r\n\r\n")
        while self.sent < self.count:
            try:
                own.send((text % (self.sent, self.sent, self.sent)).encode())
                self.sent += 1
            except BlockingIOError:  # a full socket buffer
                pass
            self.read(own)
        own.settimeout(1)
        self.read(own)
        own.close()

    def read(self, own):
        """What is there; with a time-out also what comes after it."""
        try:
            while True:
                self.codes[int(own.recv(4096).split(b" ", 2)[1])] += 1
        except (BlockingIOError, TimeoutError):
            pass


def memory(daemon):
    """KiB of its own, without what it shares (the status segment)."""
    for line in pathlib.Path(f"/proc/{daemon.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise AssertionError("no RssAnon")


def final_of(outgoing, within=30):
    """The final response, with retransmissions (RFC 3261 17.1.1.2)."""
    for turn in range(100):
        try:
            return until(lambda: next((m for m in outgoing.responses if m.code >= 200), None), min(0.5 * 2 ** turn, 4), "an answer")
        except AssertionError:
            within -= min(0.5 * 2 ** turn, 4)
            assert within > 0, f"no answer to {outgoing!r}"
            outgoing.again()


def call_through(caller):
    """A call from its INVITE to its BYE."""
    call = caller.invite(NUMBER)
    answer = final_of(call.invite)
    assert answer.code == 200, answer
    call.learn(answer)
    call.ack(call.invite)
    bye = final_of(call.request("BYE"))
    assert bye.code == 200, bye


@pytest.mark.heavy
def test_more_calls_than_it_can_handle_are_refused_and_those_there_go_on(own_exchange):
    exchange = own_exchange
    caller, callee = exchange.caller(), exchange.gateway()
    callee.always(200, body=ANSWER)
    call = caller.invite(NUMBER)
    call.learn(final_of(call.invite))
    call.ack(call.invite)
    nowhere = "9" + NUMBER
    flood = Flood(exchange.lab.sip_port(), FLOOD, host=caller.host, number=nowhere)
    flood.start()
    until(lambda: flood.codes[503] > 100, 30, lambda: f"refusals: {flood.codes}")
    bye = final_of(call.request("BYE"))
    assert bye.code == 200, bye
    flood.join()
    assert flood.codes[404] > 0, flood.codes  # those for which there was time
    exchange.lab.switchcore.wait_log("overloaded: ", within=15)
    assert scrape(exchange.api).get("tandem_calls_refused_overload_total") >= flood.codes[503]
    call_through(caller)


def flooded(exchange):
    switchcore = exchange.lab.switchcore
    caller, callee = exchange.caller(), exchange.gateway()
    callee.always(200, body=ANSWER)
    for _ in range(CALLS):
        call_through(caller)
    before = peak = memory(switchcore)
    flood = Flood(exchange.lab.sip_port(), FLOOD)
    flood.start()
    while flood.is_alive():
        call_through(caller)
        peak = max(peak, memory(switchcore))
    for _ in range(CALLS):
        call_through(caller)
    assert flood.sent == FLOOD
    until(lambda: not exchange.calls(), 40, "the end of every call")
    return before, max(peak, memory(switchcore)), memory(switchcore)


@pytest.mark.heavy
@pytest.mark.parametrize("answer", ["403", "401", "silence"])
def test_a_flood_of_strangers_costs_no_memory_and_no_call(own_exchange, answer):
    exchange = own_exchange
    if answer == "silence":
        exchange.set(SS_REPLY_UNAUTHORIZED=False)
    if answer == "401":  # an account that may call from anywhere: each stranger is challenged
        exchange.make("mapping-gateways", "roaming", authentication="digest", password="secret")
    before, peak, after = flooded(exchange)
    exchange.lab.switchcore.wait_log("datagrams of unknown sources dropped", within=15)
    print(f"{answer}: {before} KiB before, {peak} at most, {after} after")
    assert peak - before < GROWTH_KB, (before, peak, after)
