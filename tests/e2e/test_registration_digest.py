"""a challenge is answered once per realm and attempt, never in a loop."""

import pytest

import peer as peers
import sip
from sip import Challenge
from until import stays

QUIET_S = 1.5  # so long nothing more may come


def assert_quiet_after(registrar, count):
    """Just so many REGISTERs, retransmissions apart."""
    stays(lambda: len(registrar.registers()) == count, QUIET_S, lambda: f"{count} REGISTERs wanted: {registrar.registers()}")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_kamailio_accepts_our_digest(lab, algorithm):
    registrar = lab.kamailio(algorithm=algorithm)
    registrar.account("carrier-a", "s3cret!\"\\ü")
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, password="s3cret!\"\\ü")
    registrar.wait_for_binding("carrier-a", expires=3600)
    first, second = registrar.registers("carrier-a")
    assert not first.credentials and second.call_id == first.call_id and second.cseq == first.cseq + 1
    given = second.credentials
    assert given["username"] == "carrier-a" and given["qop"] == "auth" and given["nc"] == "00000001" and given["cnonce"]
    assert given["uri"] == second.uri and given.get("algorithm", "MD5") == algorithm
    api.wait_for_state("carrier-a", "registered", reason=None)


def test_the_auth_username_signs_and_the_username_stays_in_from_and_to(lab):
    registrar = lab.kamailio()
    registrar.account("login-7", "secret")
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar, auth_username="login-7")
    registrar.wait_for_binding("carrier-a")
    signed = registrar.registers("carrier-a")[-1]
    assert signed.credentials["username"] == "login-7"
    assert "sip:carrier-a@" in signed["from"] and "sip:carrier-a@" in signed["to"]


def test_the_topmost_challenge_that_we_support_is_answered(lab):
    unknown, best, old = Challenge(algorithm="SHA-512-256-sess"), Challenge(algorithm="SHA-256"), Challenge(algorithm="MD5")

    def answer(request, peer):
        if best.accepts(request, "carrier-a", "secret"):
            return sip.response(request, 200)
        return sip.response(request, 401, headers=[("WWW-Authenticate", str(c)) for c in (unknown, best, old)])
    registrar = lab.peer(answer)
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    lab.api().wait_for_state("carrier-a", "registered")
    assert len(registrar.registers()) == 2


def test_a_proxy_challenge_is_answered_with_proxy_authorization(lab):
    registrar = lab.peer(peers.challenging(Challenge(), "carrier-a", "secret", code=407))
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    lab.api().wait_for_state("carrier-a", "registered")
    signed = registrar.registers()[-1]
    assert signed["proxy-authorization"] and not signed["authorization"]


def test_a_challenge_without_qop_is_answered_the_old_way(lab):
    registrar = lab.peer(peers.challenging(Challenge(qop=None), "carrier-a", "secret"))
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    lab.api().wait_for_state("carrier-a", "registered")


def test_proxy_and_registrar_of_two_realms_are_each_answered_once(lab):
    proxy, registrar_realm = Challenge(realm="proxy"), Challenge(realm="registrar")

    def answer(request, peer):
        given = {realm: sip.Message(f"REGISTER {request.uri} SIP/2.0\r\nAuthorization: {value}\r\n\r\n".encode())
                 for realm in ("proxy", "registrar")
                 for value in request.all("authorization") + request.all("proxy-authorization") if f'realm="{realm}"' in value}
        if "proxy" not in given or not proxy.accepts(given["proxy"], "carrier-a", "secret"):
            return sip.response(request, 407, headers=[("Proxy-Authenticate", str(proxy))])
        if "registrar" not in given or not registrar_realm.accepts(given["registrar"], "carrier-a", "secret"):
            return sip.response(request, 401, headers=[("WWW-Authenticate", str(registrar_realm))])
        return sip.response(request, 200)
    registrar = lab.peer(answer)
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    lab.api().wait_for_state("carrier-a", "registered")
    assert len(registrar.registers()) == 3


def test_a_stale_nonce_is_answered_once_more(lab):
    first, second = Challenge(), Challenge(stale=True)
    registrar = lab.peer(peers.in_turn(peers.refusing(401, "", ("WWW-Authenticate", str(first))),
                                       peers.refusing(401, "", ("WWW-Authenticate", str(second))),
                                       peers.challenging(second, "carrier-a", "secret")))
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    lab.api().wait_for_state("carrier-a", "registered")
    assert len(registrar.registers()) == 3


def test_a_registrar_that_calls_every_nonce_stale_is_not_followed_for_ever(lab):
    registrar = lab.peer(lambda request, peer: sip.response(request, 401, headers=[("WWW-Authenticate", str(Challenge(stale=True)))]))
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    assert lab.api().wait_for_state("carrier-a", "waiting")["reason"] == "credentials"
    assert_quiet_after(registrar, len(registrar.registers()))
    assert len(registrar.registers()) <= 3


def test_a_wrong_password_is_tried_once_and_shown_as_credentials(lab):
    registrar = lab.kamailio()
    registrar.account("carrier-a", "another")
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    status = api.wait_for_state("carrier-a", "waiting")
    assert (status["reason"], status["last_code"], status["consecutive_failures"]) == ("credentials", 401, 1)
    assert_quiet_after(registrar, 2)


def test_a_403_after_our_credentials_is_about_the_credentials(lab):
    registrar = lab.peer(peers.in_turn(peers.refusing(401, "", ("WWW-Authenticate", str(Challenge()))), peers.refusing(403)))
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    status = lab.api().wait_for_state("carrier-a", "waiting")
    assert (status["reason"], status["last_code"]) == ("credentials", 403)


def test_an_unasked_403_is_a_rejection(lab):
    registrar = lab.peer(peers.refusing(403))
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    assert lab.api().wait_for_state("carrier-a", "waiting")["reason"] == "rejected"
    assert_quiet_after(registrar, 1)


def test_a_challenge_without_a_password_is_about_the_credentials(lab):
    registrar = lab.kamailio()
    api = lab.start("mgmtd", "switchcore").api()
    api.post("/registrations", name="carrier-a", server=registrar.host, port=registrar.port, username="carrier-a").expect(201)
    assert api.wait_for_state("carrier-a", "waiting")["reason"] == "credentials"
    assert_quiet_after(registrar, 1)


def test_a_refresh_after_the_nonce_ran_out_is_answered_again(lab):
    registrar = lab.kamailio(nonce_expire=1)
    registrar.account("carrier-a", "secret")
    registrar.grant_at_most(10)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered")
    until_refreshed = registrar.wait_for_register("carrier-a", count=4, within=8)
    assert until_refreshed.credentials
    assert api.status("carrier-a")["failures"] == 0
