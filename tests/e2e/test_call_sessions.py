"""Session timers (RFC 4028), each leg on its own: what a peer is offered and answered, and how its session is refreshed."""

import pytest

from dialog import ANSWER, OFFER
from exchange import NUMBER
from until import until

TIMER = ("Supported", "timer")
HOLD = OFFER.replace("sendrecv", "sendonly").replace("2890844526 IN", "2890844527 IN")
ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")


def asks(seconds, refresher=None, *more):
    """Headers of a peer that knows session timers."""
    return [TIMER, ("Session-Expires", f"{seconds};refresher={refresher}" if refresher else str(seconds)), *more]


def says(message):
    """(interval, refresher) of a message, or None."""
    value = message["session-expires"]
    if value is None:
        return None
    interval, _, refresher = value.partition(";refresher=")
    return int(interval), refresher or None


def features(message, header="supported"):
    return {tag.strip() for value in message.all(header) for tag in value.split(",")}


def talking(exchange, call_headers=(), answer_headers=(), caller=None, callee=None):
    """(caller's end, callee's end, the INVITE that the callee got, the 2xx that the caller got) of a call that is up."""
    caller, callee = caller or exchange.caller(), callee or exchange.gateway()
    call = caller.invite(NUMBER, headers=list(call_headers))
    leg = callee.incoming()
    leg.reply(200, headers=list(answer_headers), body=ANSWER)
    answer = call.answered()
    leg.expect("ACK")
    return call, leg, leg.invite, answer


# The INVITE to a gateway.

def test_an_invite_offers_the_interval_and_leaves_the_choice_of_the_refresher(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    caller.invite(NUMBER)
    invite = callee.incoming().invite
    assert says(invite) == (600, None) and invite["min-se"] == "90" and "timer" in features(invite)
    exchange.set(SS_SIP_SESSION_TTL=1800)
    caller.invite(NUMBER)
    assert says(callee.incoming().invite) == (1800, None)


def test_what_the_caller_asks_for_stays_on_its_side(exchange):
    _, leg, invite, answer = talking(exchange, asks(1000, "uac", ("Min-SE", "700")))
    assert says(invite) == (600, None) and invite["min-se"] == "90"
    assert says(answer) == (700, "uac"), "what the parameter says, within the caller's Min-SE"


@pytest.mark.parametrize("header", [("Session-Expires", "1800;refresher=uac"), ("Require", "timer")])
def test_what_the_callee_says_stays_on_its_side(exchange, header):
    _, _, _, answer = talking(exchange, answer_headers=[header, TIMER])
    assert says(answer) is None and not features(answer, "require") and "timer" not in features(answer)


def test_a_422_is_obeyed_at_the_same_gateway(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER)
    first = callee.incoming()
    first.reply(422, headers=[("Min-SE", "1800")])
    second = callee.incoming()
    assert says(second.invite) == (1800, None) and second.invite["min-se"] == "1800"
    assert second.invite.call_id == first.invite.call_id and second.invite.cseq == first.invite.cseq + 1
    second.reply(200, headers=asks(1800, "uac"), body=ANSWER)
    call.answered()
    second.expect("ACK")
    assert [(item["gateway"], item["code"]) for item in exchange.cdr_after(call)["tried"]] == [("gateway", 200)]


@pytest.mark.parametrize("min_se", [None, "90", "600", "7201", "4294967296"])
def test_a_422_that_cannot_be_obeyed_goes_on_to_the_next_gateway(exchange, min_se):
    caller, callee = exchange.caller(), exchange.gateway(priority=1)
    second = exchange.gateway("second", priority=2)
    call = caller.invite(NUMBER)
    callee.incoming().reply(422, headers=[("Min-SE", min_se)] if min_se else [])
    invite = second.incoming()
    assert says(invite.invite) == (600, None), "what one gateway asks for is not offered to the next"
    invite.reply(486)
    call.refused(486)


def test_a_gateway_that_never_has_enough_is_left(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call = caller.invite(NUMBER)
    for min_se in (700, 800, 900):
        callee.incoming().reply(422, headers=[("Min-SE", str(min_se))])
    refused = call.refused(503)
    assert refused["min-se"] is None, "the caller has nothing to do with it"


# The INVITE of a caller.

@pytest.mark.parametrize("seconds", [1, 89])
def test_a_caller_that_asks_for_too_little_gets_422(exchange, seconds):
    caller, callee = exchange.caller(), exchange.gateway()
    refused = caller.invite(NUMBER, headers=asks(seconds)).refused(422)
    assert refused["min-se"] == "90"
    callee.hears_nothing()


def test_a_caller_that_does_not_know_422_is_let_in(exchange):
    _, _, _, answer = talking(exchange, [("Session-Expires", "60")])
    assert says(answer) is None


@pytest.mark.parametrize("headers, granted", [
    (asks(300), (300, "uas")), (asks(300, "uac"), (300, "uac")), (asks(300, "uas"), (300, "uas")), (asks(90, "uac"), (90, "uac")),
    (asks(5000, "uac"), (600, "uac")), ([TIMER], (600, "uas")), ([TIMER, ("Min-SE", "900")], (900, "uas")),
    ([("k", "timer"), ("x", "300;refresher=uac")], (300, "uac"))])
def test_a_2xx_says_interval_and_refresher_to_a_caller_that_knows_timers(exchange, headers, granted):
    _, _, _, answer = talking(exchange, headers)
    assert says(answer) == granted and features(answer, "require") == {"timer"} and "timer" in features(answer)


def test_an_interval_that_a_proxy_asked_for_is_granted_without_require(exchange):
    _, _, _, answer = talking(exchange, [("Session-Expires", "300")])
    assert says(answer) == (300, "uas") and answer["require"] is None


def test_a_caller_without_timers_hears_nothing_of_them(exchange):
    _, leg, _, answer = talking(exchange, answer_headers=asks(600, "uas"))
    assert says(answer) is None and answer["require"] is None and "timer" not in features(answer)


def test_an_invite_that_requires_timer_is_let_in(exchange):
    _, _, _, answer = talking(exchange, [*asks(300, "uac"), ("Require", "timer")])
    assert says(answer) == (300, "uac")


# Off.

def test_a_gateway_whose_timer_is_off_is_offered_nothing(exchange):
    callee = exchange.gateway(sip={"session_timer": "off"})
    call, leg, invite, _ = talking(exchange, asks(300, "uac"), asks(600, "uac"), callee=callee)
    again = call.reinvite(HOLD, headers=asks(300, "uac"))
    offer = leg.expect("INVITE")
    offer.reply(200, body=ANSWER)
    assert says(again.expect(200)) == (300, "uac"), "that of the caller goes on"
    call.ack(again)
    leg.expect("ACK")
    call.request("BYE").expect(200)
    for message in (invite, offer, leg.hung_up()):
        assert says(message) is None and message["min-se"] is None and "timer" not in features(message)


def test_a_422_of_a_gateway_whose_timer_is_off_is_a_refusal(exchange):
    caller, callee = exchange.caller(), exchange.gateway(sip={"session_timer": "off"})
    call = caller.invite(NUMBER)
    callee.incoming().reply(422, headers=[("Min-SE", "1800")])
    call.refused(503)


def test_a_caller_whose_timer_is_off_is_answered_as_by_one_that_does_not_know_it(exchange):
    caller, callee = exchange.caller(sip={"session_timer": "off"}), exchange.gateway()
    _, _, invite, answer = talking(exchange, asks(60, "uac"), caller=caller, callee=callee)
    assert says(answer) is None and "timer" not in features(answer) and says(invite) == (600, None)
    refused = caller.invite(NUMBER, headers=[("Require", "timer")]).refused(420)
    assert refused["unsupported"] == "timer"


# Refreshes that pass.

@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_refresh_that_passes_refreshes_both_legs_by_their_own_terms(exchange, who, method):
    call, leg, _, _ = talking(exchange, asks(300, "uac"), asks(200, "uac"))
    exchange.set(SS_SIP_SESSION_TTL=90)     # of new calls only
    one, other = (call, leg) if who == "caller" else (leg, call)
    mine, passed = ((300, "uac"), (200, "uac")) if who == "caller" else ((200, "uas"), (300, "uas"))
    again = one.request(method, HOLD, headers=asks(*mine))
    offer = other.expect(method)
    assert says(offer) == passed and offer["min-se"] == "90" and "timer" in features(offer)
    offer.reply(200, body=ANSWER, headers=asks(*passed))
    assert says(again.expect(200)) == mine
    if method == "INVITE":
        one.ack(again)
        other.expect("ACK")


def test_a_refresh_that_asks_for_too_little_gets_422_and_changes_nothing(exchange):
    call, leg, _, _ = talking(exchange, asks(300, "uac"))
    for method in ("INVITE", "UPDATE"):
        refused = call.request(method, HOLD, headers=asks(60)).expect(422)
        assert refused["min-se"] == "90"
    leg.hears_nothing()
    call.request("BYE").expect(200)
    leg.hung_up()


def test_a_422_to_what_passed_is_answered_here(exchange):
    call, leg, _, _ = talking(exchange, asks(300, "uac"), asks(600, "uac"))
    again = call.reinvite(HOLD, headers=asks(300, "uac"))
    leg.expect("INVITE").reply(422, headers=[("Min-SE", "900")])
    leg.expect("ACK")
    offer = leg.expect("INVITE")
    assert says(offer) == (900, "uac") and offer["min-se"] == "900" and offer.body == HOLD
    offer.reply(200, body=ANSWER, headers=asks(900, "uac"))
    assert says(again.expect(200)) == (300, "uac")
    call.ack(again)
    leg.expect("ACK")


def test_an_update_without_a_body_reaches_a_peer_that_takes_it_and_is_answered_for_one_that_does_not(exchange):
    caller, callee = exchange.caller(), exchange.gateway()
    call, leg, _, _ = talking(exchange, asks(300, "uac"), [ALLOW], caller, callee)
    update = call.request("UPDATE", headers=asks(300, "uac"))
    leg.expect("UPDATE").reply(200)
    assert says(update.expect(200)) == (300, "uac")
    call, leg, _, _ = talking(exchange, asks(300, "uac"), (), caller, callee)
    answer = call.request("UPDATE", headers=asks(300, "uac")).expect(200)
    assert says(answer) == (300, "uac") and answer["contact"] and features(answer, "require") == {"timer"}
    leg.hears_nothing()


# Our own refreshes.  The shortest there is comes after 9 s.

def often(exchange, **parameters):
    exchange.set(SS_SIP_SESSION_TTL=90, SS_SIP_SESSION_UPDATE_SEGMENT=10, **parameters)


@pytest.mark.slow
def test_a_refresh_by_update_carries_no_body_and_repeats_the_roles(exchange):
    often(exchange)
    call, leg, _, _ = talking(exchange, asks(90, "uac"), [*asks(90, "uac"), ALLOW])
    update = leg.expect("UPDATE", within=12)
    assert says(update) == (90, "uac") and update["min-se"] == "90" and "timer" in features(update)
    assert update.content == b"" and update["contact"] and update.uri == leg.phone.contact
    update.reply(200, headers=asks(90, "uac"))
    call.hears_nothing("UPDATE")
    again = leg.expect("UPDATE", within=12)
    assert again.cseq > update.cseq
    again.reply(481)
    call.hung_up()
    leg.hung_up()
    assert exchange.cdr(call)["hung_up_by"] == "switch"


@pytest.mark.slow
def test_a_refresh_by_reinvite_repeats_the_description_and_is_acknowledged(exchange):
    often(exchange)
    call, leg, _, answer = talking(exchange, asks(90, "uas"), asks(90, "uas"))
    invite = call.expect("INVITE", within=12)
    assert invite.body == ANSWER and invite["content-type"] == "application/sdp" and says(invite) == (90, "uac")
    assert invite["contact"] == answer["contact"] and leg.phone.requests("INVITE", call_id=leg.call_id) == [leg.invite]
    invite.reply(200, headers=asks(90, "uac"), body=OFFER)
    ack = call.expect("ACK")
    assert ack.content == b"" and ack.cseq == invite.cseq
    count = len([m for m in call.phone.arrivals if m.method == "ACK"])
    invite.reply_again()
    until(lambda: len([m for m in call.phone.arrivals if m.method == "ACK"]) > count, 2, "the ACK again")
    leg.hears_nothing()
    call.request("BYE").expect(200)
    leg.hung_up()


@pytest.mark.slow
def test_a_refresh_repeats_what_was_agreed_on_last(exchange):
    """Not what was offered and refused."""
    often(exchange)
    call, leg, _, _ = talking(exchange, (), asks(90, "uac"))
    again = call.reinvite(HOLD)
    leg.expect("INVITE").reply(200, body=ANSWER, headers=asks(90, "uac"))
    again.expect(200)
    call.ack(again)
    leg.expect("ACK")
    refused = call.reinvite(OFFER)
    leg.expect("INVITE").reply(488)
    leg.expect("ACK")
    refused.expect(488)
    refresh = leg.expect("INVITE", within=12)
    assert refresh.body == HOLD
    refresh.reply(200, body=ANSWER, headers=asks(90, "uac"))
    leg.expect("ACK")


@pytest.mark.slow
def test_an_invite_that_meets_a_refresh_has_to_wait(exchange):
    often(exchange)
    call, leg, _, _ = talking(exchange, (), asks(90, "uac"))
    refresh = leg.expect("INVITE", within=12)
    refresh.reply(100)
    call.reinvite(HOLD).expect(491)
    leg.reinvite(HOLD).expect(491)
    leg.request("UPDATE", HOLD).expect(491)
    refresh.reply(491)
    leg.expect("ACK")
    again = leg.expect("INVITE", within=5)
    assert again.cseq > refresh.cseq
    again.reply(200, body=ANSWER, headers=asks(90, "uac"))
    leg.expect("ACK")
    later = call.reinvite(HOLD)
    leg.expect("INVITE").reply(200, body=ANSWER, headers=asks(90, "uac"))
    later.expect(200)
    call.ack(later)
    leg.expect("ACK")


@pytest.mark.slow
def test_a_refresh_that_nobody_answers_ends_the_call_for_both(exchange):
    often(exchange, SS_SIP_RESEND_INTERVAL=[0.2, 0.4])
    call, leg, _, _ = talking(exchange, (), [*asks(90, "uac"), ALLOW])
    leg.expect("UPDATE", within=12)
    bye = call.hung_up(within=5)
    assert bye["reason"].startswith("Q.850;cause=102") and leg.hung_up()["reason"] == bye["reason"]
    assert exchange.cdr(call)["hung_up_by"] == "switch"


@pytest.mark.slow
def test_a_challenged_refresh_gets_its_answer(exchange):
    often(exchange)
    callee = exchange.gateway(username="us", password="secret")
    call, leg, _, _ = talking(exchange, (), [*asks(90, "uac"), ALLOW], callee=callee)
    leg.expect("UPDATE", within=12).reply(407, headers=[("Proxy-Authenticate", 'Digest realm="x", nonce="n", algorithm=MD5')])
    again = leg.expect("UPDATE")
    assert 'username="us"' in again["proxy-authorization"] and says(again) == (90, "uac")
    again.reply(200, headers=asks(90, "uac"))
    call.request("BYE").expect(200)
    leg.hung_up()


# Configuration.

def test_early_hang_up_is_at_most_a_third_of_the_interval(exchange):
    api = exchange.api
    path, early, ttl = "/sip-parameters", "SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP", "SS_SIP_SESSION_TTL"
    violation = api.patch(path, **{early: 201}).expect(422).violation(f"/{early}", "cross_field")
    assert violation["max"] == 200 and violation["got"] == 201 and "third" in violation["detail"]
    api.put(f"{path}/{early}", value=201).expect(422).violation("/value", "cross_field")
    exchange.set(**{early: 200})
    api.patch(path, **{ttl: 599}).expect(422).violation(f"/{ttl}", "cross_field")
    changes = [{"op": "put", "kind": "sip-parameters", "name": name, "value": value} for name, value in ((ttl, 300), (early, 101))]
    api.post("/changes", changes=changes).expect(422).violation("/changes/1/value", "cross_field")
    exchange.set(**{ttl: 7200, early: 2400})
    api.patch(path, **{ttl: None}).expect(422).violation(f"/{ttl}", "cross_field")
    api.delete(f"{path}/{ttl}").expect(422)
    exchange.set(**{ttl: None, early: None})


def test_a_preview_shows_the_interval_that_would_be_offered(exchange):
    exchange.caller()
    exchange.gateway()
    exchange.set(SS_SIP_SESSION_TTL=900)
    preview = exchange.api.post("/preview/invite", mapping_gateway="caller", callee=NUMBER, caller="1").expect(200)
    assert "\r\nSession-Expires: 900\r\n" in preview["message"] and preview["headers"]["session_expires"] == "900"
    exchange.change("routing-gateways", "gateway", sip={"session_timer": "off"})
    preview = exchange.api.post("/preview/invite", mapping_gateway="caller", callee=NUMBER, caller="1").expect(200)
    assert "Session-Expires" not in preview["message"] and preview["headers"]["session_expires"] is None
