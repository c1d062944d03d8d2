"""What the switch tells of its calls: CDRs, /calls, the status of gateways."""

import datetime

import pytest

from dialog import ANSWER
from exchange import NUMBER
from test_events import Listener
from times import parsed
from until import until

FIELDS = {"id", "setup_at", "ringing_at", "answered_at", "ended_at", "mapping_gateway", "routing_gateway", "registration",
          "request_uri_in", "to_in", "callee_in", "original", "routed", "to_out", "invite_use_contact", "billing_callee", "caller_in", "caller_out", "call_id_in",
          "call_id_out", "code", "phrase", "hung_up_by", "pdd_ms", "duration_ms", "tried", "skipped"}


def hang_up(exchange, call, leg):
    call.request("BYE").expect(200)
    leg.hung_up()
    return exchange.cdr(call)


def test_the_record_of_an_answered_call_is_complete(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    before = datetime.datetime.now(datetime.timezone.utc).timestamp()
    call, leg = exchange.talking(caller, callee, caller="4930111")
    record = hang_up(exchange, call, leg)
    assert FIELDS <= set(record), FIELDS - set(record)
    expected = {"mapping_gateway": "caller", "routing_gateway": "gateway", "callee_in": NUMBER, "original": NUMBER, "routed": NUMBER,
                    "to_out": NUMBER, "billing_callee": NUMBER, "request_uri_in": NUMBER, "to_in": NUMBER, "caller_in": "4930111",
                    "caller_out": "4930111", "code": 200, "phrase": "OK", "hung_up_by": "caller", "invite_use_contact": "off",
                    "tried": [{"gateway": "gateway", "code": 200}], "skipped": [], "registration": None}
    assert {name: record[name] for name in expected} == expected
    assert (record["call_id_in"], record["call_id_out"]) == (call.call_id, leg.call_id)
    times = [parsed(record[name]) for name in ("setup_at", "ringing_at", "answered_at", "ended_at")]
    assert before - 0.01 <= times[0] and times == sorted(times)
    assert abs(record["duration_ms"] - 1000 * (times[3] - times[2])) < 2
    assert abs(record["pdd_ms"] - 1000 * (times[1] - times[0])) < 2


@pytest.mark.parametrize("mode, billing, to", [(False, "998801234567", "998801234567"), (True, "8801234567", "8801234567")])
def test_the_vector_of_the_two_modes(exchange, mode, billing, to):
    exchange.set(SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=mode)
    caller, callee = exchange.caller(), exchange.gateway(callee_rewrite=[{"match": "880", "replace": "99880"}])
    call, leg = exchange.talking(caller, callee, "8801234567")
    assert leg.invite.uri == f"sip:998801234567@{callee.host}:{callee.port}" and leg.invite.user == to
    record = hang_up(exchange, call, leg)
    assert (record["billing_callee"], record["to_out"], record["original"], record["routed"]) == (billing, to, "8801234567", "998801234567")
    assert record["invite_use_contact"] == ("on" if mode else "off")


@pytest.mark.parametrize("mode, to", [(False, "7001"), (True, "8801234567")])
def test_the_vector_of_the_request_line(exchange, mode, to):
    exchange.set(SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT=mode)
    caller, callee = exchange.caller(sip={"callee": "request_line"}), exchange.gateway(prefixes=["7"])
    call, leg = exchange.talking(caller, callee, "7001", to="<sip:8801234567@switch>")
    assert leg.invite.uri.startswith("sip:7001@") and leg.invite.user == to
    record = hang_up(exchange, call, leg)
    assert (record["callee_in"], record["original"], record["routed"], record["billing_callee"]) == ("7001", "8801234567", "7001", to)
    assert (record["request_uri_in"], record["to_in"]) == ("7001", "8801234567")


def test_a_stranger_leaves_no_record(exchange):
    """Or a scanner could fill the disk."""
    stranger, caller = exchange.phone(), exchange.caller()
    call = stranger.invite(NUMBER)
    call.refused(403)
    known = caller.invite(NUMBER)
    known.refused(404)
    exchange.cdr(known)
    assert call.call_id not in {item["call_id_in"] for item in exchange.cdrs()}


@pytest.mark.parametrize("fields, code", [({"locked": True}, 403), ({"denied_prefixes": ["88"]}, 403)])
def test_a_refused_call_of_a_known_caller_leaves_a_record(exchange, fields, code):
    caller = exchange.caller(**fields)
    exchange.gateway()
    call = caller.invite(NUMBER)
    call.refused(code)
    record = exchange.cdr(call)
    assert (record["code"], record["mapping_gateway"], record["routing_gateway"], record["hung_up_by"]) == (code, "caller", None, "switch")
    assert record["answered_at"] is None and record["ringing_at"] is None and record["tried"] == [] and record["callee_in"] == NUMBER


def test_what_was_tried_and_skipped_is_told(exchange):
    caller = exchange.caller()
    exchange.gateway("locked", priority=1, locked=True)
    exchange.gateway("broken", priority=2).always(500)
    good = exchange.gateway("good", priority=3)
    call = caller.invite(NUMBER)
    leg = good.incoming()
    leg.reply(200, body=ANSWER)
    call.answered()
    leg.expect("ACK")
    record = hang_up(exchange, call, leg)
    assert record["tried"] == [{"gateway": "broken", "code": 500}, {"gateway": "good", "code": 200}]
    assert record["skipped"] == [{"gateway": "locked", "why": "locked"}] and record["routing_gateway"] == "good"


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_who_hung_up_is_told(exchange, who):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    one, other = (call, leg) if who == "caller" else (leg, call)
    one.request("BYE")
    other.hung_up()
    assert exchange.cdr(call)["hung_up_by"] == who


def test_a_refusal_by_the_callee_is_told_as_such(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.ringing(caller, callee)
    leg.reply(486, "Gone Fishing")
    call.refused(486)
    record = exchange.cdr(call)
    assert (record["code"], record["phrase"], record["hung_up_by"]) == (486, "Gone Fishing", "callee")
    assert not record["duration_ms"] and record["ringing_at"] and record["answered_at"] is None


def test_records_are_found_by_number_gateway_code_and_time(exchange):
    caller, callee = exchange.caller("filter-caller"), exchange.gateway("filter-gateway")
    answered, leg = exchange.talking(caller, callee, NUMBER + "77", caller="4930999")
    hang_up(exchange, answered, leg)
    busy = caller.invite(NUMBER + "88")
    callee.incoming().reply(486)
    busy.refused(486)
    later = exchange.cdr(busy)
    ids = lambda **query: {item["call_id_in"] for item in exchange.cdrs(**query)}
    both, first, second = {answered.call_id, busy.call_id}, {answered.call_id}, {busy.call_id}
    assert ids(number=NUMBER + "77") == first and ids(number="4930999") == first
    assert ids(gateway="filter-gateway") == both == ids(gateway="filter-caller")
    assert ids(gateway="filter-gateway", code=486) == second
    assert answered.call_id in ids(gateway="filter-gateway", until=later["setup_at"])
    assert ids(gateway="nobody") == set()


def test_a_call_is_listed_from_its_setup_to_its_end(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER, caller="4930111")
    leg = callee.incoming()
    item = exchange.call(call, phase="setup", routing_gateway="gateway")
    assert (item["mapping_gateway"], item["caller_in"], item["callee_in"], item["answered_at"]) == ("caller", "4930111", NUMBER, None)
    leg.reply(180)
    call.expect(180)
    assert exchange.call(call, phase="ringing")["ringing_at"]
    leg.reply(200, body=ANSWER)
    call.answered()
    item = exchange.call(call, phase="answered")
    assert item["answered_at"] and item["call_id_out"] == leg.call_id and item["routed"] == NUMBER
    assert exchange.api.get(f"/calls/{item['id']}").expect(200)["call_id_in"] == call.call_id
    until(lambda: exchange.api.get("/status")["calls"]["active"] == 1, 2, "one active call")
    call.request("BYE").expect(200)
    leg.hung_up()
    exchange.is_over(call)
    assert exchange.cdr(call)["id"] == item["id"]
    exchange.api.get(f"/calls/{item['id']}").expect(404)


def test_a_call_that_is_hung_up_by_the_api_ends_on_both_sides(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.talking(caller, callee)
    item = exchange.call(call, phase="answered")
    assert exchange.api.delete(f"/calls/{item['id']}").status in (200, 202, 204)
    call.hung_up()
    leg.hung_up()
    exchange.is_over(call)
    assert exchange.cdr(call)["hung_up_by"] == "switch"


def test_a_ringing_call_that_is_hung_up_by_the_api_is_cancelled(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg = exchange.ringing(caller, callee)
    exchange.api.delete(f"/calls/{exchange.call(call)['id']}")
    leg.expect("CANCEL").reply(200)
    leg.reply(487)
    assert call.invite.final().code in (480, 487, 503)
    record = exchange.cdr(call)
    assert (record["hung_up_by"], record["answered_at"]) == ("switch", None)


def test_a_call_that_is_not_there_cannot_be_hung_up(exchange):
    exchange.api.delete("/calls/0000000000000001").expect(404)
    assert exchange.api.delete("/calls/none").status in (400, 404, 422)


def test_the_status_of_a_gateway_counts_its_calls_and_codes(exchange):
    caller, callee = exchange.caller("counted-caller"), exchange.gateway("counted-gateway", capacity=9)
    for code in (486, 404):
        call = caller.invite(NUMBER)
        callee.incoming().reply(code)
        call.refused(code)
    call, leg = exchange.talking(caller, callee)
    for kind, name in (("routing-gateways", "counted-gateway"), ("mapping-gateways", "counted-caller")):
        status = exchange.wait_status(name, kind, calls=1)
        assert status["routable"] is True and not status["why"]
        assert [item["code"] for item in status["last_codes"]][:3] in ([200, 404, 486], [404, 486])
        assert (status["last_hour"]["calls"], status["last_hour"]["answered"]) == (3, 1)
    assert exchange.status("counted-gateway")["capacity"] == 9
    call.request("BYE").expect(200)
    leg.hung_up()
    exchange.wait_status("counted-gateway", calls=0)
    exchange.wait_status("counted-caller", "mapping-gateways", calls=0)


def test_kill_9_loses_no_record_of_a_call_that_had_ended(own_exchange):
    exchange = own_exchange
    caller, _ = exchange.caller(), exchange.gateway().always(486)
    exchange.lab.kill("mgmtd")      # nobody takes the records away
    calls = [caller.invite(NUMBER) for _ in range(30)]
    for call in calls:
        call.refused(486)
    exchange.lab.kill("switchcore")
    exchange.lab.start("mgmtd", "switchcore")
    exchange.api = exchange.lab.api()
    exchange.lab.wait_switch()

    def kept():
        found = [item["call_id_in"] for item in exchange.cdrs()]
        assert len(found) == len(set(found)), "none twice"
        return len(set(found) & {call.call_id for call in calls}) >= len(calls) - 1
    until(kept, 5, lambda: f"30 records; {len(exchange.cdrs())}")


def test_a_restart_of_mgmtd_takes_no_record_twice(own_exchange):
    exchange = own_exchange
    caller, _ = exchange.caller(), exchange.gateway().always(486)
    calls = []
    for _ in range(3):
        calls.append(caller.invite(NUMBER))
        calls[-1].refused(486)
        exchange.cdr(calls[-1])
        exchange.lab.kill("mgmtd")
        exchange.lab.start("mgmtd")
        exchange.api = exchange.lab.api()
    for call in calls:
        exchange.cdr(call)


def test_the_events_tell_the_life_of_a_call(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    listener = Listener(exchange.lab)
    call, leg = exchange.talking(caller, callee)
    call.request("BYE").expect(200)
    leg.hung_up()
    listener.wait("call", call_id_in=call.call_id, phase="ended")
    phases = [data["phase"] for _, event, data in listener.received if event == "call" and data["call_id_in"] == call.call_id]
    assert phases == ["setup", "ringing", "answered", "ended"]
