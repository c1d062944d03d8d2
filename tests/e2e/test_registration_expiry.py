"""what expiry is asked, what is adopted, when the binding is refreshed."""

import pytest

import peer as peers
import sip
from times import between, seconds_between
from until import stays


def test_auto_asks_an_hour_in_contact_and_header_and_adopts_what_is_granted(lab):
    registrar = lab.kamailio(digest=False)
    registrar.grant_at_most(120)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    asked = registrar.wait_for_register("carrier-a")
    assert (asked.contact_expires, asked.expires) == (3600, 3600)
    registrar.wait_for_binding("carrier-a", expires=120)
    status = api.wait_for_state("carrier-a", "registered")
    assert (status["requested_expiry"], status["granted_expiry"]) == (3600, 120)
    assert 119 <= seconds_between(status["registered_at"], status["binding_expires_at"]) <= 121
    assert 56.5 <= seconds_between(status["registered_at"], status["next_attempt_at"]) <= 60.5


def test_a_binding_is_refreshed_at_half_its_life_and_asks_the_hour_again(lab):
    registrar = lab.peer(peers.granting(12))
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    first = registrar.wait_for_register()
    second = registrar.wait_for_register(count=2, within=8)
    third = registrar.wait_for_register(count=3, within=8)
    assert between(first, second, 5.6, 6.3)
    assert between(second, third, 5.6, 6.3)
    assert {m.contact_expires for m in (first, second, third)} == {3600}
    assert {m.expires for m in (first, second, third)} == {3600}


@pytest.mark.parametrize("granted, pause", [(1, 1), (2, 1), (6, 3)])
def test_a_tiny_grant_is_refreshed_at_half_but_not_sooner_than_a_second(lab, granted, pause):
    registrar = lab.peer(peers.granting(granted))
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    first, second = registrar.wait_for_register(), registrar.wait_for_register(count=2)
    assert between(first, second, pause * 0.94, pause + 0.4)


def test_the_expires_header_counts_when_our_contact_carries_none(lab):
    def answer(request, peer):
        contact = ("Contact", f"<{request.contact_uri}>")
        return sip.response(request, 200, headers=[contact, ("Expires", "90")], contact=False)
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", lab.peer(answer))
    assert lab.api().wait_for_state("carrier-a", "registered")["granted_expiry"] == 90


def test_the_expiry_of_our_own_contact_counts_among_others(lab):
    def answer(request, peer):
        others = [("Contact", "<sip:carrier-a@192.0.2.1:5060>;expires=33"), ("Contact", f"<{request.contact_uri}>;expires=77"),
                  ("Contact", '"carrier-a" <sip:carrier-a@192.0.2.2>;q=0.5;expires=44'), ("Expires", "55")]
        return sip.response(request, 200, headers=others, contact=False)
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", lab.peer(answer))
    assert lab.api().wait_for_state("carrier-a", "registered")["granted_expiry"] == 77


def test_an_answer_without_any_expiry_grants_what_was_asked(lab):
    def answer(request, peer):
        return sip.response(request, 200, headers=[("Contact", f"<{request.contact_uri}>")], contact=False)
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", lab.peer(answer))
    assert lab.api().wait_for_state("carrier-a", "registered")["granted_expiry"] == 3600


def test_a_grant_of_nothing_is_a_rejection(lab):
    registrar = lab.peer(lambda request, peer: sip.response(request, 200, contact=False,
                                                            headers=[("Contact", f"<{request.contact_uri}>;expires=0")]))
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    status = lab.api().wait_for_state("carrier-a", "waiting")
    assert status["reason"] == "rejected" and status["last_code"] == 200


def test_a_200_that_lists_only_the_contacts_of_others_is_a_rejection(lab):
    registrar = lab.peer(lambda request, peer: sip.response(request, 200, contact=False,
                                                            headers=[("Contact", "<sip:carrier-a@192.0.2.1>;expires=600")]))
    lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
    assert lab.api().wait_for_state("carrier-a", "waiting")["reason"] == "rejected"


def test_a_fixed_expiry_is_asked_and_a_smaller_grant_bounds_the_binding(lab):
    registrar = lab.kamailio(digest=False)
    registrar.grant_at_most(60)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, register_period=200)
    registrar.wait_for_register("carrier-a", contact_expires=200, expires=200)
    status = api.wait_for_state("carrier-a", "registered")
    assert (status["requested_expiry"], status["granted_expiry"]) == (200, 60)
    assert 59 <= seconds_between(status["registered_at"], status["binding_expires_at"]) <= 61
    assert 28 <= seconds_between(status["registered_at"], status["next_attempt_at"]) <= 30.5


def test_a_grant_above_a_fixed_expiry_does_not_lengthen_it(lab):
    registrar = lab.peer(lambda request, peer: sip.response(request, 200, expires=7200))
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, register_period=20)
    status = api.wait_for_state("carrier-a", "registered")
    assert 19 <= seconds_between(status["registered_at"], status["binding_expires_at"]) <= 21
    first = registrar.wait_for_register()
    second = registrar.wait_for_register(count=2, within=12)
    assert between(first, second, 9.4, 10.3) and second.contact_expires == 20


def test_the_global_expiry_reaches_the_registrar_without_a_restart(lab):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    registrar.wait_for_binding("carrier-a", expires=3600)
    api.patch("/sip-parameters", SS_SIP_USER_AGENT_EXPIRE=120).expect(200)
    registrar.wait_for_binding("carrier-a", expires=120, within=2)
    api.patch("/sip-parameters", SS_SIP_USER_AGENT_EXPIRE="auto").expect(200)
    registrar.wait_for_binding("carrier-a", expires=3600, within=2)


def test_a_registration_of_its_own_expiry_ignores_the_global_one(lab):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("own", registrar, register_period=900)
    api.registration("common", registrar)
    registrar.wait_for_binding("own", expires=900)
    registrar.wait_for_binding("common", expires=3600)
    before = len(registrar.registers("own"))
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=120).expect(200)
    registrar.wait_for_binding("common", expires=120)
    assert len(registrar.registers("own")) == before


def test_too_brief_is_raised_at_once_remembered_and_shown(lab):
    registrar = lab.kamailio(digest=False)
    registrar.refuse_shorter_than("carrier-a", 600)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, register_period=60)
    first = registrar.wait_for_register("carrier-a", contact_expires=60)
    second = registrar.wait_for_register("carrier-a", contact_expires=600, expires=600)
    assert between(first, second, 0, 1) and second.call_id == first.call_id and second.cseq == first.cseq + 1
    status = api.wait_for_state("carrier-a", "registered")
    assert status["raised_to"] == 600 and status["granted_expiry"] == 600
    api.post("/registrations/carrier-a/refresh", query={"wait": "outcome"}).expect(200)
    assert registrar.registers("carrier-a")[-1].contact_expires == 600
    assert len(registrar.registers("carrier-a")) == 3, "the raise was forgotten"


def test_a_raise_is_forgotten_when_the_setting_changes(lab):
    registrar = lab.kamailio(digest=False)
    registrar.refuse_shorter_than("carrier-a", 600)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, register_period=60)
    api.wait_for_state("carrier-a", "registered", raised_to=600)
    registrar.serve("carrier-a")
    api.change("carrier-a", register_period=70)
    registrar.wait_for_binding("carrier-a", expires=70)
    assert api.wait_for_state("carrier-a", "registered", granted_expiry=70)["raised_to"] is None


def test_a_second_too_brief_in_one_attempt_is_a_rejection(lab):
    registrar = lab.peer(lambda request, peer: sip.response(request, 423, headers=[("Min-Expires", str(request.expires + 100))]))
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, register_period=60)
    status = api.wait_for_state("carrier-a", "waiting")
    assert (status["reason"], status["last_code"]) == ("rejected", 423)
    assert [m.expires for m in registrar.registers()] == [60, 160]


@pytest.mark.parametrize("header", [("Min-Expires", "86401"), ("Min-Expires", "4294967297"), ("Min-Expires", "soon"), None])
def test_an_absurd_min_expires_is_a_rejection(lab, header):
    registrar = lab.peer(peers.refusing(423, "", *([header] if header else [])))
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, register_period=60)
    assert api.wait_for_state("carrier-a", "waiting")["reason"] == "rejected"
    assert len(registrar.registers()) == 1


def test_a_refresh_that_is_out_shows_as_refreshing_and_the_state_stays_registered(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    since = api.wait_for_state("carrier-a", "registered", refreshing=False)["since"]
    registrar.answer = peers.silent
    api.post("/registrations/carrier-a/refresh").expect(202)
    assert api.wait_for_state("carrier-a", "registered", refreshing=True)["since"] == since
    stays(lambda: api.status("carrier-a")["state"] == "registered", 0.5, "registered while its refresh is out")
