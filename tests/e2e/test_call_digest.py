"""Callers known by a password: challenges, wrong answers, stale nonces, and what a stranger is told (RFC 3261 22, RFC 8760)."""

import time

import pytest

import dialog
import sip
from dialog import ANSWER
from exchange import NUMBER
from until import until

ACCOUNT = {"authentication": "digest", "username": "alice", "password": "wonderland"}


def digest_caller(exchange, **fields):
    return exchange.caller(**{**ACCOUNT, **fields})


def again(call, *headers):
    """The same call with credentials, as a user agent sends it: same Call-ID and From, next CSeq (RFC 3261 22.2)."""
    first = call.invite.message
    return call.phone.invite(NUMBER, headers=[("Call-ID", first.call_id), ("From", first["from"]), ("CSeq", f"{first.cseq + 1} INVITE"), *headers])


def challenged(phone, code=401):
    """(the call, its challenge)"""
    call = phone.invite(NUMBER)
    return call, call.refused(code)


def stale(response):
    return all(sip.digest_parameters(value).get("stale", "").lower() == "true" for value in response.all("www-authenticate"))


@pytest.mark.parametrize("code", [401, 407])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_the_right_password_makes_a_call(exchange, code, algorithm):
    exchange.set(SS_SIP_AUTHENTICATION_CODE=code)
    caller, callee = digest_caller(exchange), exchange.gateway()
    call, challenge = challenged(caller, code)
    callee.hears_nothing(0.1)
    call = again(call, sip.answer_to(challenge, "alice", "wonderland", algorithm=algorithm))
    leg = callee.incoming()
    assert leg.invite["authorization"] is None and leg.invite["proxy-authorization"] is None
    leg.reply(200, body=ANSWER)
    call.answered()
    leg.expect("ACK")
    call.bye_of = call.request("BYE")
    leg.hung_up()
    call.bye_of.expect(200)
    assert exchange.cdr(call)["mapping_gateway"] == "caller"


def test_a_challenge_offers_both_algorithms_and_gives_nothing_away(exchange):
    _, challenge = challenged(digest_caller(exchange))
    offers = [sip.digest_parameters(value) for value in challenge.all("www-authenticate")]
    assert [offer.get("algorithm", "MD5") for offer in offers] == ["MD5", "SHA-256"]
    assert all(offer["qop"] == "auth" and offer["nonce"] and offer["realm"] for offer in offers)
    assert challenge["proxy-authenticate"] is None
    for secret in (b"wonderland", b"alice", b"caller"):
        assert secret not in challenge.raw.partition(b"WWW-Authenticate")[2]


@pytest.mark.parametrize("retry", [0, 1, 3])
def test_so_many_wrong_answers_are_challenged_again_and_the_next_gets_403(exchange, retry):
    exchange.set(SS_SIP_AUTHENTICATION_RETRY=retry)
    caller, callee = digest_caller(exchange), exchange.gateway()
    call, challenge = challenged(caller)
    for _ in range(retry):
        call = again(call, sip.answer_to(challenge, "alice", "guess"))
        challenge = call.refused(401)
        assert not stale(challenge)
    again(call, sip.answer_to(challenge, "alice", "guess")).refused(403)
    callee.hears_nothing(0.1)


def test_a_right_answer_among_wrong_ones_is_let_in_and_clears_the_count(exchange):
    exchange.set(SS_SIP_AUTHENTICATION_RETRY=1)
    caller, callee = digest_caller(exchange), exchange.gateway().always(486)
    for _ in range(3):
        call, challenge = challenged(caller)
        call = again(call, sip.answer_to(challenge, "alice", "guess"))
        again(call, sip.answer_to(call.refused(401), "alice", "wonderland")).refused(486)
    assert len(callee.requests("INVITE")) == 3


def test_first_requests_without_an_answer_count_for_nothing(exchange):
    exchange.set(SS_SIP_AUTHENTICATION_RETRY=0)
    caller, callee = digest_caller(exchange), exchange.gateway()
    for _ in range(5):
        call, challenge = challenged(caller)
    again(call, sip.answer_to(challenge, "alice", "wonderland"))
    callee.incoming()


def test_a_nonce_older_than_the_exchange_may_take_is_stale(exchange):
    exchange.set(SS_SIP_AUTHENTICATION_TIMEOUT=1)
    caller, callee = digest_caller(exchange), exchange.gateway()
    call, challenge = challenged(caller)
    ended = time.monotonic() + 1.1
    until(lambda: time.monotonic() > ended, 2, "end of the exchange")
    call = again(call, sip.answer_to(challenge, "alice", "wonderland"))
    challenge = call.refused(401)
    assert stale(challenge), challenge.raw.decode()
    callee.hears_nothing(0.1)
    again(call, sip.answer_to(challenge, "alice", "wonderland"))
    callee.incoming()


def test_who_was_refused_may_try_again_after_the_exchange(exchange):
    exchange.set(SS_SIP_AUTHENTICATION_RETRY=0, SS_SIP_AUTHENTICATION_TIMEOUT=1)
    caller, callee = digest_caller(exchange), exchange.gateway()
    call, challenge = challenged(caller)
    again(call, sip.answer_to(challenge, "alice", "guess")).refused(403)
    ended = time.monotonic() + 1.1
    until(lambda: time.monotonic() > ended, 2, "end of the exchange")
    call, challenge = challenged(caller)
    again(call, sip.answer_to(challenge, "alice", "wonderland"))
    callee.incoming()


def test_one_nonce_serves_several_calls_while_its_count_rises_and_never_twice(exchange):
    caller, callee = digest_caller(exchange), exchange.gateway().always(486)
    _, challenge = challenged(caller)
    for count in (1, 2, 3):
        caller.invite(NUMBER, headers=[sip.answer_to(challenge, "alice", "wonderland", count=count)]).refused(486)
    replayed = caller.invite(NUMBER, headers=[sip.answer_to(challenge, "alice", "wonderland", count=2)]).refused(401)
    assert stale(replayed)
    assert len(callee.requests("INVITE")) == 3


def test_an_answer_without_qop_is_taken_once(exchange):
    """RFC 3261 22.4, for old peers."""
    caller, callee = digest_caller(exchange), exchange.gateway().always(486)
    _, challenge = challenged(caller)
    credentials = sip.answer_to(challenge, "alice", "wonderland", qop=False)
    caller.invite(NUMBER, headers=[credentials]).refused(486)
    caller.invite(NUMBER, headers=[credentials]).refused(401)
    assert len(callee.requests("INVITE")) == 1


def test_an_answer_from_another_address_opens_nothing_and_counts_for_nothing(exchange):
    exchange.set(SS_SIP_AUTHENTICATION_RETRY=0)
    caller, thief, callee = exchange.phone(), exchange.phone(), exchange.gateway()
    exchange.make("mapping-gateways", "anywhere", **ACCOUNT)
    call = caller.invite(NUMBER, caller="alice")
    challenge = call.refused(401)
    for password in ("wonderland", "guess"):
        assert thief.invite(NUMBER, headers=[sip.answer_to(challenge, "alice", password)]).refused(401)
    caller.invite(NUMBER, headers=[sip.answer_to(challenge, "alice", "wonderland")])
    callee.incoming()


@pytest.mark.parametrize("name", ["mallory", "Alice", ""])
def test_another_user_name_is_a_wrong_answer_like_any_other(exchange, name):
    exchange.set(SS_SIP_AUTHENTICATION_RETRY=1)
    caller, callee = digest_caller(exchange), exchange.gateway()
    call, challenge = challenged(caller)
    call = again(call, sip.answer_to(challenge, name, "wonderland"))
    again(call, sip.answer_to(call.refused(401), name, "wonderland")).refused(403)
    callee.hears_nothing(0.1)


def test_without_a_user_name_the_gateways_name_is_meant(exchange):
    caller, callee = exchange.caller(authentication="digest", password="wonderland"), exchange.gateway()
    call, challenge = challenged(caller)
    again(call, sip.answer_to(challenge, "caller", "wonderland"))
    callee.incoming()


@pytest.mark.parametrize("password", ["", "wonderland"])
def test_without_a_password_nobody_is_let_in(exchange, password):
    caller, callee = exchange.caller(authentication="digest", username="alice"), exchange.gateway()
    call, challenge = challenged(caller)
    again(call, sip.answer_to(challenge, "alice", password)).refused(401)
    callee.hears_nothing(0.1)


@pytest.mark.parametrize("header", ["Digest", "Basic YWxpY2U6d29uZGVybGFuZA==", 'Digest username="alice"', 'Digest realm="other", nonce="x", response="y"'])
def test_headers_that_are_no_answer_are_challenged_or_refused_and_open_nothing(exchange, header):
    caller, callee = digest_caller(exchange), exchange.gateway()
    assert caller.invite(NUMBER, headers=[("Authorization", header)]).invite.final().code in (400, 401)
    callee.hears_nothing(0.1)


def test_what_follows_in_the_call_is_not_challenged(exchange):
    caller, callee = digest_caller(exchange), exchange.gateway()
    call, challenge = challenged(caller)
    call = again(call, sip.answer_to(challenge, "alice", "wonderland"))
    leg = callee.incoming()
    leg.reply(200, body=ANSWER)
    call.answered()
    leg.expect("ACK")
    change = call.reinvite()
    leg.expect("INVITE").reply(200, body=ANSWER)
    change.expect(200)
    call.ack(change)
    leg.expect("ACK")
    bye = call.request("BYE")
    leg.hung_up()
    bye.expect(200)


def test_a_cancel_is_not_challenged(exchange):
    """RFC 3261 22.1: it cannot be sent again with credentials."""
    caller, callee = digest_caller(exchange), exchange.gateway()
    call, challenge = challenged(caller)
    call = again(call, sip.answer_to(challenge, "alice", "wonderland"))
    leg = callee.incoming()
    leg.reply(180)
    call.expect(180)
    call.invite.cancel().expect(200)
    leg.expect("CANCEL").reply(200)
    leg.reply(487)
    call.refused(487)


def test_the_code_of_challenges_changes_without_a_restart(exchange):
    caller = digest_caller(exchange)
    for code, name in ((401, "www-authenticate"), (407, "proxy-authenticate"), (401, "www-authenticate")):
        exchange.set(SS_SIP_AUTHENTICATION_CODE=code)
        assert challenged(caller, code)[1][name]


def test_a_changed_password_counts_from_the_next_answer_on(exchange):
    caller, callee = digest_caller(exchange), exchange.gateway()
    call, challenge = challenged(caller)
    exchange.change("mapping-gateways", "caller", password="looking-glass")
    call = again(call, sip.answer_to(challenge, "alice", "wonderland"))
    again(call, sip.answer_to(call.refused(401), "alice", "looking-glass"))
    callee.incoming()


def test_the_trace_shows_no_answer_to_a_challenge(exchange):
    caller, callee = digest_caller(exchange), exchange.gateway()
    call, challenge = challenged(caller)
    credentials = sip.answer_to(challenge, "alice", "wonderland")
    again(call, credentials)
    callee.incoming()
    text = exchange.api.request("GET", "/trace", query={"call_id": call.call_id}, headers={"Accept": "text/plain"}).text
    assert text.count("INVITE sip:") >= 2 and "Authorization:" in text
    assert sip.digest_parameters(credentials[1])["response"] not in text


# ------------------------------------------------------------------ from anywhere, and strangers

def test_an_account_without_sources_may_call_from_anywhere(exchange):
    exchange.make("mapping-gateways", "anywhere", **ACCOUNT)
    callee = exchange.gateway()
    for phone in (exchange.phone(), exchange.phone()):
        call = phone.invite(NUMBER, caller="alice")
        again(call, sip.answer_to(call.refused(401), "alice", "wonderland"))
        callee.incoming().reply(486)


def test_two_accounts_behind_one_address_are_told_apart(exchange):
    phone, callee = exchange.phone(), exchange.gateway()
    exchange.make("mapping-gateways", "first", **ACCOUNT)
    exchange.make("mapping-gateways", "second", authentication="digest", username="bob", password="builder")
    for name, password, gateway in (("alice", "wonderland", "first"), ("bob", "builder", "second")):
        call = phone.invite(NUMBER)
        call = again(call, sip.answer_to(call.refused(401), name, password))
        callee.incoming().reply(486)
        call.refused(486)
        assert exchange.cdr(call)["mapping_gateway"] == gateway


def test_an_account_with_sources_is_none_elsewhere(exchange):
    digest_caller(exchange)
    stranger, callee = exchange.phone(), exchange.gateway()
    stranger.invite(NUMBER, caller="alice").refused(403)
    callee.hears_nothing(0.1)


def test_a_stranger_is_told_nothing_when_nothing_is_to_be_told(exchange):
    exchange.set(SS_REPLY_UNAUTHORIZED=False)
    exchange.make("mapping-gateways", "anywhere", **ACCOUNT)
    stranger, callee = exchange.phone(), exchange.gateway()
    stranger.invite(NUMBER, caller="mallory").invite.unanswered()
    stranger.invite(NUMBER, headers=[("Authorization", 'Digest username="mallory", realm="tandem", nonce="x", uri="sip:x", response="y"')]).invite.unanswered(0.3)
    callee.hears_nothing(0.1)


def test_a_known_source_is_challenged_also_when_strangers_are_told_nothing(exchange):
    exchange.set(SS_REPLY_UNAUTHORIZED=False)
    caller, callee = digest_caller(exchange), exchange.gateway()
    call, challenge = challenged(caller)
    again(call, sip.answer_to(challenge, "alice", "wonderland"))
    callee.incoming()


def test_digest_and_address_callers_live_side_by_side(exchange):
    trusted, digest, callee = exchange.caller("plain"), digest_caller(exchange), exchange.gateway().always(486)
    trusted.invite(NUMBER).refused(486)
    challenged(digest)
    assert isinstance(trusted.invite(NUMBER), dialog.Call)
