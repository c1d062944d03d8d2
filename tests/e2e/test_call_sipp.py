"""SIPp on both sides: many calls at once, message by message as the scenarios say."""

import pytest

from until import until


def carried(exchange, caller, callee, calls):
    """Every call went through, and no message of it was sent twice."""
    caller.start()
    caller.wait_success(within=30 + calls / 20)
    callee.wait_success(within=10)
    for side in (caller, callee):
        counts = [side.count(column) for column in ("SuccessfulCall", "FailedCall", "Retransmissions")]
        assert counts == [calls, 0, 0], (side.command[0:2], counts, side.errors()[-2000:])
    until(lambda: not exchange.calls(), 3, "the end of every call")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_hundred_calls_pass(exchange, transport):
    carried(exchange, *exchange.sipp(calls=100, rate=50, transport=transport), 100)


def test_a_hundred_calls_pass_a_record_routing_proxy(exchange):
    carried(exchange, *exchange.sipp(calls=100, rate=25, via=exchange.proxy), 100)


@pytest.mark.heavy
def test_a_thousand_calls_at_a_hundred_a_second_without_a_failed_or_repeated_message(exchange):
    carried(exchange, *exchange.sipp(calls=1000, rate=100), 1000)
    until(lambda: len(exchange.cdrs(gateway="sipp")) == 1000, 10, lambda: f"1000 records; {len(exchange.cdrs(gateway='sipp'))}")
    records = exchange.cdrs(gateway="sipp")
    assert {(r["code"], r["hung_up_by"]) for r in records} == {(200, "caller")} and len({r["id"] for r in records}) == 1000
