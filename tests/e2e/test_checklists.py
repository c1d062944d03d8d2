"""Checklists: each state of each item is reached by what really happens."""

import sqlite3

import pytest

import peer as peers
import sip
from exchange import APPLIED, NUMBER
from test_advice import REWRITE, UNREGISTER, answering, behind_nat, call, registered, users
from until import until

REGISTRATION = ["nat", "delay", "unregister", "backup", "failover", "intervals", "credentials"]
GATEWAY = ["reads", "mode", "reply", "request", "callee", "caller", "traced", "billing"]


def items(api, which, words, **query):
    listed = api.get(f"/checklists/{which}", **query).expect(200)["items"]
    assert [item["n"] for item in listed] == list(range(1, len(words) + 1))
    assert all(item["text"] and item["detail"] for item in listed), listed
    for path in (path for item in listed for path in item["evidence"]):
        api.get(path.removeprefix("/api/v1")).expect(200)
    return dict(zip(words, listed))


def states(api, which, words, **query):
    return {word: item["state"] for word, item in items(api, which, words, **query).items()}


def registration(api, name):
    return states(api, "outbound-registration", REGISTRATION, registration=name)


def gateway(api, **query):
    return states(api, "gateway-headers", GATEWAY, **{"gateway": "gateway", **query})


def mend(api, which, words, word, **query):
    """Sends the fix of an item that warns."""
    item = items(api, which, words, **query)[word]
    assert item["state"] == "warning" and item["fix"], item
    api.post("/changes", body=item["fix"], query=APPLIED).expect(200)


# ------------------------------------------------------------------ outbound registration

def test_a_registration_that_nobody_uses(exchange):
    registered(exchange, "trunk", peers.accept)
    assert registration(exchange.api, "trunk") == {
        "nat": "done", "delay": "manual", "unregister": "done", "backup": "todo", "failover": "todo", "intervals": "todo", "credentials": "done"}


def test_a_registration_that_is_not_registered_yet(exchange):
    registered(exchange, "trunk", peers.refusing(503), state="waiting")
    found = registration(exchange.api, "trunk")
    assert (found["nat"], found["credentials"]) == ("todo", "todo")


def test_a_registration_with_every_trouble(exchange):
    exchange.set(**{UNREGISTER: False})
    registered(exchange, "trunk", behind_nat, retry_delay=300)
    exchange.gateway("through-trunk", registration="trunk")
    found = registration(exchange.api, "trunk")
    assert (found["nat"], found["delay"], found["unregister"], found["backup"]) == ("warning",) * 4
    for word in ("nat", "delay", "unregister"):
        mend(exchange.api, "outbound-registration", REGISTRATION, word, registration="trunk")
        until(lambda: registration(exchange.api, "trunk")[word] == "done", 3, f"{word} done")
    exchange.gateway("second")
    assert registration(exchange.api, "trunk")["backup"] == "done"


def test_refused_credentials_are_a_warning(exchange):
    registered(exchange, "trunk", peers.challenging(sip.Challenge(), "wrong", "another"), state="waiting")
    assert registration(exchange.api, "trunk")["credentials"] == "warning"


@pytest.mark.parametrize("how", ["skipped", "tried"])
def test_a_call_that_went_on_to_another_gateway_is_failover_tried(exchange, how):
    registered(exchange, "trunk", peers.accept)
    caller = exchange.caller()
    exchange.gateway("through-trunk", registration="trunk", priority=1).always(503)
    exchange.gateway("second", priority=2).always(486)
    assert registration(exchange.api, "trunk")["failover"] == "todo"
    if how == "skipped":
        exchange.change("registrations", "trunk", enabled=False)
    call(exchange, caller, 486)
    assert registration(exchange.api, "trunk")["failover"] == "done"


# ------------------------------------------------------------------ gateway headers

def test_a_gateway_before_its_first_call(exchange):
    exchange.gateway()
    assert gateway(exchange.api) == {"reads": "manual", "mode": "manual", "reply": "done", "request": "done", "callee": "todo",
                                     "caller": "todo", "traced": "todo", "billing": "todo"}


def test_a_gateway_that_takes_rewritten_numbers(exchange):
    caller = exchange.caller()
    exchange.gateway(callee_rewrite=REWRITE).always(486)
    call(exchange, caller, 486)
    assert gateway(exchange.api) == {"reads": "done", "mode": "done", "reply": "done", "request": "done", "callee": "done", "caller": "done",
                                     "traced": "done", "billing": "manual"}
    found = items(exchange.api, "gateway-headers", GATEWAY, gateway="gateway")
    assert "99" + NUMBER in found["traced"]["detail"] and "99" + NUMBER in found["billing"]["detail"]
    exchange.change("routing-gateways", "gateway", sip={"invite_use_contact": "on"})
    assert gateway(exchange.api)["traced"] == "todo", "the last call was made in the other mode"
    call(exchange, caller, 486)
    assert gateway(exchange.api)["traced"] == "done"


def test_a_gateway_in_the_wrong_mode(exchange):
    caller, phone = exchange.caller(), exchange.gateway(callee_rewrite=REWRITE, sip={"invite_use_contact": "on"})
    answering(phone, lambda request: users(request)[0] != users(request)[1])
    call(exchange, caller, 404, times=3)
    found = gateway(exchange.api)
    assert (found["reads"], found["mode"]) == ("warning", "warning")
    mend(exchange.api, "gateway-headers", GATEWAY, "mode", gateway="gateway")
    call(exchange, caller, 486)
    found = gateway(exchange.api)
    assert (found["reads"], found["mode"]) == ("done", "done")


def test_addresses_and_callers_other_than_recommended_are_for_people_to_judge(exchange):
    exchange.caller(sip={"callee": "diversion", "caller": "p_asserted_identity"})
    exchange.gateway(sip={"reply_address": "via", "request_address": "contact"})
    found = gateway(exchange.api, mapping_gateway="caller")
    assert [found[word] for word in ("reply", "request", "callee", "caller")] == ["manual"] * 4


def test_a_contact_that_cannot_be_reached_and_a_request_line_that_differs_are_warnings(exchange):
    caller, phone = exchange.caller(), exchange.gateway(sip={"request_address": "contact"})
    phone.contact_uri = "sip:gateway@172.20.1.1"
    host, port = caller.switch
    for _ in range(10):
        attempt = caller.invite("", uri=f"sip:7001@{host}:{port}", to=f"<sip:{NUMBER}@{host}>")
        leg = phone.incoming()
        leg.reply(180)
        leg.reply(486)
        attempt.invite.expect(180)
        attempt.invite.expect(486)
    exchange.cdr(attempt)
    found = gateway(exchange.api)
    assert (found["request"], found["callee"]) == ("warning", "warning")
    for word in ("request", "callee"):
        mend(exchange.api, "gateway-headers", GATEWAY, word, gateway="gateway")
        assert gateway(exchange.api)[word] == "done"


def test_an_invite_that_is_not_what_the_record_says_is_a_warning(exchange):
    """The trace shows what left: the record is made to tell another number."""
    caller = exchange.caller()
    exchange.gateway().always(486)
    record = call(exchange, caller, 486)
    with sqlite3.connect(exchange.lab.state / "cdr.db", timeout=10) as database:
        database.execute("UPDATE cdrs SET routed = '4711' WHERE printf('%016x', id) = ?", (record["id"],))
    database.close()
    found = items(exchange.api, "gateway-headers", GATEWAY, gateway="gateway")["traced"]
    assert found["state"] == "warning" and "4711" in found["detail"]


# ------------------------------------------------------------------ which

@pytest.mark.parametrize("which, count", [("gateway-headers", 8), ("outbound-registration", 7)])
def test_without_a_subject_every_item_is_for_people_to_judge(exchange, which, count):
    answer = exchange.api.get(f"/checklists/{which}").expect(200)
    assert answer["checklist"] == which and [item["state"] for item in answer["items"]] == ["manual"] * count


def test_an_unknown_checklist_names_those_there_are(exchange):
    problem = exchange.api.get("/checklists/nothing").expect(404)
    assert "gateway-headers" in problem["detail"] and "outbound-registration" in problem["detail"]


@pytest.mark.parametrize("which, query", [("outbound-registration", {"registration": "nobody"}), ("gateway-headers", {"gateway": "nobody"}),
                                          ("gateway-headers", {"gateway": "gateway", "mapping_gateway": "nobody"})])
def test_an_unknown_subject_is_named(exchange, which, query):
    exchange.gateway()
    (violation,) = exchange.api.get(f"/checklists/{which}", **query).expect(422)["errors"]
    assert violation["code"] == "unknown_reference" and "nobody" in violation["detail"]
