"""Changes of the configuration while calls are up: what is up goes on, what comes next is new."""

import threading
import time

import pytest

import sip
from dialog import ANSWER
from exchange import APPLIED, NUMBER
from until import until


def test_a_call_outlives_its_gateway(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    exchange.api.delete("/routing-gateways/gateway", query=APPLIED).expect(200)
    info = call.request("INFO", "x", content_type="text/plain")
    leg.expect("INFO").reply(200)
    info.expect(200)
    call.request("BYE").expect(200)
    leg.hung_up()
    record = exchange.cdr(call)
    told = [record[name] for name in ("routing_gateway", "mapping_gateway", "code", "hung_up_by")]
    assert told == ["gateway", "caller", 200, "caller"]
    assert record["answered_at"] and record["callee_in"] == NUMBER
    caller.invite(NUMBER).refused(404)


def test_a_call_outlives_the_gateway_it_came_from(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    exchange.api.delete("/mapping-gateways/caller", query=APPLIED).expect(200)
    caller.invite(NUMBER).refused(403)
    leg.request("BYE").expect(200)
    call.hung_up()
    assert exchange.cdr(call)["mapping_gateway"] == "caller"


def test_requests_of_a_caller_that_was_deleted_still_pass_in_its_call(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    exchange.api.delete("/mapping-gateways/caller", query=APPLIED).expect(200)
    call.request("BYE").expect(200)
    leg.hung_up()


def test_a_ringing_call_outlives_its_gateway_and_is_answered(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.ringing(caller, callee)
    exchange.api.delete("/routing-gateways/gateway", query=APPLIED).expect(200)
    exchange.api.delete("/mapping-gateways/caller", query=APPLIED).expect(200)
    leg.reply(200, body=ANSWER)
    call.answered()
    leg.expect("ACK")
    call.request("BYE").expect(200)
    leg.hung_up()
    record = exchange.cdr(call)
    assert (record["routing_gateway"], record["mapping_gateway"]) == ("gateway", "caller")


def test_a_name_that_was_deleted_and_made_again_is_a_new_gateway(exchange):
    """A call of the old one does not take a place of the new one."""
    caller, callee = exchange.caller(), exchange.gateway(capacity=1)
    call, leg = exchange.talking(caller, callee)
    exchange.api.delete("/routing-gateways/gateway", query=APPLIED).expect(200)
    other = exchange.gateway(capacity=1)
    second, second_leg = exchange.talking(caller, other, NUMBER + "2")
    call.request("BYE").expect(200)
    leg.hung_up()
    exchange.is_over(call)
    exchange.wait_status("gateway", calls=1)
    second.request("BYE").expect(200)


@pytest.mark.parametrize("kind, name, code", [("routing-gateways", "gateway", 503), ("mapping-gateways", "caller", 403)])
def test_a_locked_gateway_gets_no_new_call_and_keeps_those_it_has(exchange, kind, name, code):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    exchange.change(kind, name, locked=True)
    caller.invite(NUMBER).refused(code)
    exchange.wait_status(name, kind, routable=False)
    call.request("BYE").expect(200)
    leg.hung_up()
    exchange.change(kind, name, locked=False)
    exchange.talking(caller, callee)


def test_a_call_goes_on_at_the_address_that_its_gateway_had(exchange):
    caller, old = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, old)
    new = exchange.phone(user="new")
    exchange.change("routing-gateways", "gateway", host=new.host, port=new.port)
    call.request("BYE").expect(200)
    leg.hung_up()
    exchange.talking(caller, new)


def test_a_change_that_comes_while_a_call_is_being_set_up_does_not_mix_two_revisions(exchange):
    """The gateways of the search are those of its beginning."""
    caller, first, second = exchange.caller(), exchange.gateway("first", priority=1), exchange.gateway("second", priority=2)
    call = caller.invite(NUMBER)
    leg = first.incoming()
    exchange.change("routing-gateways", "second", callee_rewrite=[{"match": "880", "replace": "99"}])
    leg.reply(503)
    assert sip.user_of(second.incoming().invite.uri) in (NUMBER, "99" + NUMBER[3:])
    call.expect(100)


def test_new_settings_are_seen_by_the_next_call(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    for prefix in ("11", "22", "33"):
        exchange.change("routing-gateways", "gateway", callee_rewrite=[{"match": "880", "replace": prefix}])
        caller.invite(NUMBER)
        leg = callee.incoming()
        assert sip.user_of(leg.invite.uri) == prefix + NUMBER[3:]
        leg.reply(486)


def test_a_smaller_capacity_ends_no_call(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    ends = [exchange.talking(caller, callee, f"{NUMBER}{n}") for n in range(3)]
    exchange.change("routing-gateways", "gateway", capacity=2)
    caller.invite(NUMBER).refused(503)
    exchange.wait_status("gateway", calls=3)
    for call, leg in ends[:2]:
        call.request("BYE").expect(200)
        leg.hung_up()
        exchange.is_over(call)
    exchange.talking(caller, callee)


def test_a_timeout_that_changes_does_not_touch_a_call_that_rings(exchange):
    exchange.set(SS_SIP_TIMEOUT_RINGING=60)
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.ringing(caller, callee)
    exchange.set(SS_SIP_TIMEOUT_RINGING=1)
    leg.hears_nothing("CANCEL", seconds=1.5)


def test_changes_of_other_things_do_not_touch_a_call(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    before = len(caller.arrivals), len(callee.arrivals)
    for n in range(20):
        exchange.make("routing-gateways", f"other-{n}", host="192.0.2.1", port=5060, prefixes=["7"])
    assert (len(caller.arrivals), len(callee.arrivals)) == before


def test_mgmtd_may_die_and_come_back_while_calls_go_on(own_exchange):
    exchange = own_exchange
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    exchange.lab.kill("mgmtd")
    second, second_leg = exchange.talking(caller, callee, NUMBER + "2")
    call.request("BYE").expect(200)
    leg.hung_up()
    exchange.lab.start("mgmtd")
    exchange.api = exchange.lab.api()
    second.request("BYE").expect(200)
    second_leg.hung_up()
    for one in (call, second):
        assert exchange.cdr(one)["code"] == 200


def test_a_restarted_switch_takes_calls_as_before(own_exchange):
    exchange = own_exchange
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    exchange.lab.kill("switchcore")
    exchange.lab.start("switchcore")
    exchange.lab.wait_switch()
    call.request("BYE").expect(481)
    exchange.talking(caller, callee)
    assert len(exchange.calls()) == 1


def test_a_stopped_switch_hangs_up_its_calls(own_exchange):
    exchange = own_exchange
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    ringing, ringing_leg = exchange.ringing(caller, callee, NUMBER + "2")
    caller.polite()
    callee.polite()
    exchange.lab.stop("switchcore")
    call.expect("BYE")
    leg.expect("BYE")
    ringing_leg.expect("CANCEL")
    assert ringing.invite.final().code in (480, 487, 500, 503)
    exchange.lab.start("switchcore")
    exchange.lab.wait_switch()
    assert exchange.cdr(call)["hung_up_by"] == "switch"


@pytest.mark.heavy
def test_two_hundred_changes_a_second_lose_no_call_and_no_change(exchange):
    """Calls at 100/s for ten seconds while the gateways that they use are edited all the time."""
    caller, callee = exchange.sipp(calls=1000, rate=100)
    for n in range(10):
        exchange.make("routing-gateways", f"beside-{n}", host="192.0.2.1", port=5060, prefixes=["7"], note="0")
    caller.start()
    stop, done, last, failed = threading.Event(), [0] * 4, [None] * 4, []
    before = exchange.api.get("/status")["mgmtd"]["stored_revision"]

    def edit(worker):
        api, n = exchange.lab.api(), 0
        while not stop.is_set():
            name, note = "sipp" if n % 3 == 0 else f"beside-{worker}", f"{worker}-{n}"
            answer = api.patch(f"/routing-gateways/{name}", priority=100 + n % 7, note=note)
            if answer.status != 200:
                failed.append(repr(answer))
            if name != "sipp":
                last[worker] = note
            n += 1
            done[worker] = n
            time.sleep(max(0, begin + n / 50 - time.monotonic()))
    begin = time.monotonic()
    threads = [threading.Thread(target=edit, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    try:
        caller.wait_success(within=60)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    callee.wait_success(within=20)
    took = time.monotonic() - begin
    assert not failed, failed[:3]
    assert sum(done) > 100 * took, f"{sum(done)} changes in {took:.1f} s"
    assert (caller.count("SuccessfulCall"), caller.count("FailedCall")) == (1000, 0)
    assert [exchange.api.get(f"/routing-gateways/beside-{worker}").expect(200)["note"] for worker in range(4)] == last
    status = exchange.api.get("/status").expect(200)
    assert status["mgmtd"]["stored_revision"] == before + sum(done), "each change is a revision"
    stored = status["mgmtd"]["stored_revision"]
    until(lambda: exchange.api.get("/status")["switchcore"]["applied_revision"] == stored, 3, "every change applied")
