"""confirm_within: a change that goes back by itself unless somebody says that it may stay."""

import time

import pytest

from by_hand import add_user, database
from lab import ADMIN_PASSWORD
from times import seconds_between
from until import until

TRUNK = {"server": "192.0.2.1", "username": "u", "enabled": False}
SOON = {"confirm_within": 60}


def pull_deadline(lab, revision, seconds):
    """The deadline becomes one in so many seconds from now.  mgmtd is not running."""
    with database(lab) as tandem:
        changed = tandem.execute("UPDATE confirmations SET deadline = ? WHERE revision = ?", (int((time.time() + seconds) * 1e6), revision))
        assert changed.rowcount == 1


def run_out(lab, *revisions):
    """mgmtd dies, and while it is down the deadlines pass."""
    lab.kill("mgmtd")
    for revision in revisions:
        pull_deadline(lab, revision, -1)
    lab.start("mgmtd")


def confirmation(api, revision):
    return api.get(f"/revisions/{revision}").expect(200)["confirmation"]


def wait_state(api, revision, state, within=5):
    return until(lambda: (lambda now: now if now["state"] == state else None)(confirmation(api, revision)), within,
                 lambda: f"{state}: {confirmation(api, revision)}")


@pytest.fixture
def api(lab):
    """A trunk at revision 1."""
    api = lab.start("mgmtd").api()
    api.post("/registrations", name="a", **TRUNK, password="first").expect(201)
    return api


def test_the_answer_tells_until_when_and_only_of_what_changes_something(api):
    answer = api.patch("/registrations/a", {"port": 5070}, query={"confirm_within": 3600}).expect(200)
    assert abs(seconds_between(answer["resource"]["changed_at"], answer["confirm_by"]) - 3600) < 5
    assert confirmation(api, 2) == {"state": "pending", "confirm_by": answer["confirm_by"], "settled_at": None, "settled_by": None,
                                    "rolled_back_by": None, "detail": None}
    assert confirmation(api, 1) is None
    assert "confirm_by" not in api.patch("/registrations/a", {"port": 5070}, query=SOON).expect(200).json
    assert "confirm_by" not in api.patch("/registrations/a", {"port": 5071}, query={**SOON, "dry_run": "true"}).expect(200).json
    api.patch("/registrations/a", {"port": 70000}, query=SOON).expect(422)
    for seconds in (59, 3601, 0, "x"):
        api.patch("/registrations/a", {"port": 5072}, query={"confirm_within": seconds}).expect(422)


def test_a_change_that_is_not_confirmed_goes_back_when_its_time_has_come(api, lab):
    answer = api.patch("/registrations/a", {"port": 5070, "password": "second"}, query={**SOON, "comment": "bold"}).expect(200)
    lab.kill("mgmtd")
    pull_deadline(lab, 2, 1.5)
    lab.start("mgmtd")
    assert api.get("/registrations/a")["port"] == 5070, "the time has not come"
    now = wait_state(api, 2, "rolled_back")
    item = api.get("/registrations/a").json
    assert (item["port"], item["revision"], item["changed_by"]) == (0, 3, "admin") and now["rolled_back_by"] == 3
    back, forth = api.get("/revisions/3").json, api.get("/revisions/2").json
    assert back["comment"] == "not confirmed within 60 s: undoes revision 2" and forth["comment"] == "bold"
    assert {field["pointer"] for field in back["changes"][0]["fields"]} == {"/port", "/password"}
    assert (back["actor"], back["address"], back["request_id"]) == (forth["actor"], forth["address"], forth["request_id"])
    assert seconds_between(now["confirm_by"], now["settled_at"]) < 2
    assert answer["revision"] == 2 and api.get("/audit/verify")["valid"] is True
    assert "revision 2: not confirmed within 60 s: rolled back" in lab.mgmtd.log()


def test_a_confirmed_change_stays(api, lab):
    api.patch("/registrations/a", {"port": 5070}, query=SOON).expect(200)
    assert api.post("/revisions/2/confirm").expect(200).json == {"revision": 2, "state": "confirmed"}
    api.post("/revisions/2/confirm").expect(200)
    now = confirmation(api, 2)
    assert (now["state"], now["settled_by"]) == ("confirmed", "admin") and now["settled_at"]
    run_out(lab, 2)
    api.patch("/registrations/a", {"note": "x"}).expect(200)
    assert api.get("/registrations/a")["port"] == 5070 and confirmation(api, 2)["state"] == "confirmed"


def test_the_history_tells_which_changes_wait(api, lab):
    def waiting(**query):
        return [item["revision"] for item in api.pages("/revisions", pending="true", **query)]

    assert waiting() == []
    for port in range(5071, 5076):
        api.patch("/registrations/a", {"port": port}, query=SOON if port != 5073 else {}).expect(200)
    api.patch("/sip-parameters", {"SS_REPLY_UNAUTHORIZED": False}, query=SOON).expect(200)
    assert waiting() == [7, 6, 5, 3, 2] and waiting(limit=1) == [7, 6, 5, 3, 2]
    assert waiting(kind="registrations") == [6, 5, 3, 2] and waiting(kind="registrations", name="a", limit=1) == [6, 5, 3, 2]
    assert waiting(actor="nobody") == []
    api.post("/revisions/5/confirm").expect(200)
    run_out(lab, 3)
    wait_state(api, 3, "rolled_back")
    assert waiting() == [7, 6, 2]
    assert len(api.get("/revisions", pending="false").expect(200)["items"]) >= 7


def test_the_deadline_outlasts_kills_and_what_passed_while_down_goes_back_at_the_start(api, lab):
    for port in (5070, 5071):
        revision = api.patch("/registrations/a", {"port": port}, query=SOON).expect(200)["revision"]
        lab.kill("mgmtd")
        lab.start("mgmtd")
        assert confirmation(api, revision)["state"] == "pending"
        run_out(lab, revision)
        wait_state(api, revision, "rolled_back", within=1)
        assert api.get("/registrations/a")["port"] == 0


def test_what_was_edited_since_stays_and_is_named(api, lab):
    changes = [{"op": "put", "kind": "registrations", "name": "b", "value": TRUNK},
               {"op": "patch", "kind": "registrations", "name": "a", "value": {"port": 5070}},
               {"op": "put", "kind": "sip-parameters", "name": "SS_SIP_USER_AGENT_EXPIRE", "value": 90}]
    answer = api.post("/changes", {"changes": changes}, query=SOON).expect(200)
    assert answer["confirm_by"]
    api.patch("/registrations/a", note="edited").expect(200)
    run_out(lab, 2)
    assert wait_state(api, 2, "rolled_back")["rolled_back_by"] == 4
    assert api.get("/revisions/4")["comment"] == "not confirmed within 60 s: undoes revision 2; changed since and kept: registrations/a"
    assert api.get("/registrations/a")["port"] == 5070
    api.get("/registrations/b").expect(404)
    assert api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE")["source"] == "default"


def test_a_deleted_object_comes_back_unless_it_was_made_anew(api, lab):
    api.post("/registrations", name="b", **TRUNK).expect(201)
    api.post("/changes", {"changes": [{"op": "delete", "kind": "registrations", "name": name} for name in ("a", "b")]}, query=SOON).expect(200)
    api.post("/registrations", name="b", **TRUNK, port=1).expect(201)
    api.delete("/registrations/b").expect(200)
    run_out(lab, 3)
    wait_state(api, 3, "rolled_back")
    assert api.get("/registrations/a").expect(200)["password"] == {"set": True}
    api.get("/registrations/b").expect(404)
    assert "kept: registrations/b" in api.get("/revisions/6")["comment"]


def test_when_everything_was_edited_since_no_revision_comes_of_it(api, lab):
    api.patch("/registrations/a", {"port": 5070}, query=SOON).expect(200)
    api.patch("/registrations/a", port=5071).expect(200)
    run_out(lab, 2)
    assert wait_state(api, 2, "rolled_back")["rolled_back_by"] is None
    assert api.get("/status")["mgmtd"]["stored_revision"] == 3


def test_what_others_have_come_to_need_stays_and_the_rest_goes_back(api, lab):
    changes = [{"op": "put", "kind": "registrations", "name": "b", "value": TRUNK},
               {"op": "patch", "kind": "registrations", "name": "a", "value": {"port": 5070}}]
    api.post("/changes", {"changes": changes}, query=SOON).expect(200)
    api.post("/routing-gateways", name="out", host="gw.example.net", registration="b").expect(201)
    run_out(lab, 2)
    now = wait_state(api, 2, "rolled_back")
    assert now["rolled_back_by"] == 4 and "registrations/b cannot go back" in now["detail"] and "out" in now["detail"]
    assert api.get("/registrations/a")["port"] == 0
    api.get("/registrations/b").expect(200)


def test_a_change_of_which_nothing_can_go_back_is_told_and_not_tried_again(api, lab):
    api.post("/registrations", {"name": "b", **TRUNK}, query=SOON).expect(201)
    api.post("/routing-gateways", name="out", host="gw.example.net", registration="b").expect(201)
    run_out(lab, 2)
    now = wait_state(api, 2, "failed")
    assert now["rolled_back_by"] is None and "referred to" in now["detail"]
    api.patch("/registrations/a", note="x").expect(200)
    assert api.get("/status")["mgmtd"]["stored_revision"] == 4 and lab.mgmtd.log().count("cannot be rolled back") == 1
    api.post("/revisions/2/confirm").expect(409, "too_late")


def test_a_confirmation_that_comes_too_late_or_for_nothing_is_refused(api, lab):
    api.post("/revisions/1/confirm").expect(409, "not_pending")
    for number in ("0", "99", "x"):
        api.post(f"/revisions/{number}/confirm").expect(404)
    api.patch("/registrations/a", {"port": 5070}, query=SOON).expect(200)
    run_out(lab, 2)
    wait_state(api, 2, "rolled_back")
    api.post("/revisions/2/confirm").expect(409, "too_late")


def test_a_restore_can_be_on_approval_too_and_an_operator_may_confirm(api, lab):
    api.patch("/registrations/a", port=5070).expect(200)
    lab.stop("mgmtd")
    add_user(lab, "olga", "operator")
    add_user(lab, "victor", "viewer")
    lab.start("mgmtd")
    api.post("/revisions/1/restore", query=SOON).expect(200)
    lab.api(username="victor", password=ADMIN_PASSWORD).post("/revisions/3/confirm").expect(403)
    lab.api(username="olga", password=ADMIN_PASSWORD).post("/revisions/3/confirm").expect(200)
    assert confirmation(api, 3)["settled_by"] == "olga"
    api.post("/revisions/2/restore", query=SOON).expect(200)
    run_out(lab, 4)
    wait_state(api, 4, "rolled_back")
    assert api.get("/registrations/a")["port"] == 0


def test_a_full_batch_of_changes_keeps_deadlines_apart(api, lab):
    """Each goes back alone, the older first."""
    for name in ("b", "c", "d"):
        api.post("/registrations", {"name": name, **TRUNK}, query=SOON).expect(201)
    api.post("/revisions/3/confirm").expect(200)
    lab.kill("mgmtd")
    pull_deadline(lab, 2, -2)
    pull_deadline(lab, 4, -1)
    lab.start("mgmtd")
    wait_state(api, 4, "rolled_back")
    assert [item["name"] for item in api.pages("/registrations")] == ["a", "c"]
    assert confirmation(api, 2)["rolled_back_by"] < confirmation(api, 4)["rolled_back_by"]
