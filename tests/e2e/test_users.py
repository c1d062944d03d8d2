"""Users: who may log in, and as what; what an administrator does ends sessions at once."""

import concurrent.futures
import json
import time

import pytest

from lab import ADMIN_PASSWORD
from until import until

PASSWORD = "a password of length"
ANOTHER = "another one of length"


@pytest.fixture
def admin(lab):
    return lab.start("mgmtd").api()


def create(admin, name, role="operator", **fields):
    return admin.post("/users", username=name, password=PASSWORD, role=role, **fields).expect(201)


def log_in(lab, name, password=PASSWORD):
    return lab.api(username=name, password=password)


class Stream:
    """An open event stream."""

    def __init__(self, api, within=10):
        headers = {"Authorization": f"Bearer {api.token}"} if api.token else {}
        self.response = api.session.get(f"{api.base}/events", headers=headers, stream=True, timeout=within)
        assert self.response.status_code == 200, self.response.text
        self.lines = self.response.iter_lines(chunk_size=1)
        next(self.lines)  # the greeting

    def ends(self, within=10):
        """True once the server ended it, which a heartbeat or two may come before."""
        deadline = time.monotonic() + within
        for _ in self.lines:
            assert time.monotonic() < deadline, "the stream goes on"
        return True


def test_a_user_is_made_shown_changed_and_removed_without_its_password(lab, admin):
    made = create(admin, "anna")
    assert made.headers["Location"] == "/api/v1/users/anna" and made.etag
    shown = admin.get("/users/anna").expect(200)
    assert shown.json == made.json and shown.etag == made.etag
    assert (shown["username"], shown["role"], shown["must_change_password"]) == ("anna", "operator", False)
    assert shown["password"] == {"set": True} and shown["changed_by"] == "admin"
    admin.put("/users/anna", shown.json).expect(200)
    assert admin.get("/users/anna").etag == made.etag, "GET then PUT changes nothing"
    api = log_in(lab, "anna")
    api.get("/status").expect(200)
    assert api.get("/session")["role"] == "operator"
    assert [u["username"] for u in admin.pages("/users", limit=1)] == ["admin", "anna"]
    admin.delete("/users/anna").expect(204)
    admin.get("/users/anna").expect(404)
    api.get("/status").expect(401)
    everything = admin.get("/users").text + admin.get("/revisions").text + admin.get("/account-changes").text + lab.log("mgmtd") + made.text
    assert PASSWORD not in everything and "argon2" not in everything
    for path in lab.state.iterdir():
        assert PASSWORD.encode() not in path.read_bytes(), path


def test_what_is_wrong_with_a_user_is_told_all_at_once(admin):
    answer = admin.post("/users", username="a b", password="short", role="root", must_change_password="no", colour="red").expect(422)
    for pointer, code in (("/username", "bad_format"), ("/password", "bad_format"), ("/role", "not_an_option"),
                          ("/must_change_password", "wrong_type"), ("/colour", "unknown_field")):
        assert "got" not in answer.violation(pointer, code)
    assert admin.post("/users", username="anna").expect(422).violation("/password", "required")
    assert admin.post("/users", password=PASSWORD, role="viewer").expect(422).violation("/username", "required")
    create(admin, "anna")
    admin.post("/users", username="anna", password=PASSWORD, role="viewer").expect(409, "exists")
    admin.patch("/users/nobody", role="viewer").expect(404)
    admin.delete("/users/nobody").expect(404)
    admin.put("/users/a%20b", password=PASSWORD, role="viewer").expect(422)
    admin.patch("/users/anna", username="bert").expect(422)
    create(admin, "n" * 63)
    admin.delete("/users/" + "n" * 64).expect(404)
    admin.get("/users/" + "n" * 63).expect(200)


def test_a_user_that_was_changed_meanwhile_is_not_overwritten(admin):
    first = create(admin, "anna").etag
    admin.patch("/users/anna", {"role": "viewer"}, headers={"If-Match": first}).expect(200)
    refused = admin.patch("/users/anna", {"role": "admin"}, headers={"If-Match": first}).expect(412)
    assert refused.etag == admin.get("/users/anna").etag != first
    admin.put("/users/anna", {"role": "admin"}, headers={"If-None-Match": "*"}).expect(412)
    admin.put("/users/bert", {"role": "viewer", "password": PASSWORD}, headers={"If-None-Match": "*"}).expect(201)
    admin.delete("/users/bert", headers={"If-Match": '"u1"'}).expect(412)
    assert admin.get("/users/anna")["role"] == "viewer"


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"password": ANOTHER}, {"must_change_password": True}, None],
                         ids=["role", "password", "must_change_password", "deletion"])
def test_a_change_of_a_user_ends_its_sessions_and_streams_at_once(lab, admin, change):
    create(admin, "anna")
    anna = log_in(lab, "anna")
    stream = Stream(anna)
    anna.get("/status").expect(200)
    if change:
        admin.patch("/users/anna", change).expect(200)
    else:
        admin.delete("/users/anna").expect(204)
    anna.get("/status").expect(401)
    assert stream.ends()
    admin.get("/status").expect(200)
    if change == {"role": "viewer"}:
        admin.patch("/users/anna", role="operator").expect(200)
        anna.get("/status").expect(401)
        lab.restart("mgmtd")
        anna.get("/status").expect(401)


def test_a_new_password_of_ones_own_ends_the_other_sessions_and_streams(lab, admin):
    create(admin, "anna")
    here, elsewhere = log_in(lab, "anna"), log_in(lab, "anna")
    stream = Stream(elsewhere)
    here.put("/session/password", current=PASSWORD, new=ANOTHER).expect(204)
    here.get("/status").expect(200)
    elsewhere.get("/status").expect(401)
    assert stream.ends()


def test_a_password_that_is_being_hashed_undoes_no_change_of_the_administrator(lab, admin):
    create(admin, "anna", "admin")
    anna = log_in(lab, "anna")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        changing = pool.submit(anna.put, "/session/password", current=PASSWORD, new=ANOTHER)
        admin.patch("/users/anna", role="viewer").expect(200)
        assert changing.result().status in (204, 401, 409), "before or after, or it did not take place"
    assert admin.get("/users/anna")["role"] == "viewer"


def test_there_is_always_an_administrator(lab, admin):
    admin.delete("/users/admin").expect(409, "own_account")
    admin.patch("/users/admin", role="operator").expect(409, "last_admin")
    admin.put("/users/admin", role="viewer").expect(409, "last_admin")
    script = lab.api(token=admin.post("/tokens", name="script", role="admin").expect(201)["token"])
    script.delete("/users/admin").expect(409, "last_admin")
    create(admin, "anna", "admin")
    anna = log_in(lab, "anna")
    anna.delete("/users/admin").expect(204)
    anna.patch("/users/anna", role="viewer").expect(409, "last_admin")
    lab.restart("mgmtd")
    anna.get("/users/admin").expect(404)
    assert [u["username"] for u in anna.get("/users")["items"]] == ["anna"]


def test_two_administrators_cannot_remove_each_other_at_once(lab, admin):
    """Both deletions stand in the writer's queue together; one of them wins."""
    create(admin, "anna", "admin")
    anna = log_in(lab, "anna")
    with_both = [(admin, "anna"), (anna, "admin")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda pair: pair[0].delete(f"/users/{pair[1]}").status, with_both))
    assert statuses[0] == 204 and statuses[1] in (401, 409)


def test_a_name_that_is_no_utf_8_is_told_with_its_bytes_replaced(lab, admin):
    answer = admin.get("/users/%ED%A0%80").expect(404)
    assert answer["detail"] == "there is no user ???"


def test_a_user_who_must_change_the_password_reads_but_does_not_write(lab, admin):
    create(admin, "anna", "admin", must_change_password=True)
    anna = log_in(lab, "anna")
    assert anna.get("/session")["must_change_password"] is True
    anna.get("/users").expect(200)
    anna.patch("/users/admin", role="admin").expect(403, "password_change_required")
    anna.post("/tokens", name="t", role="viewer").expect(403, "password_change_required")
    anna.put("/session/password", current=PASSWORD, new=ANOTHER).expect(204)
    assert anna.get("/session")["must_change_password"] is False
    anna.post("/tokens", name="t", role="viewer").expect(201)
    assert admin.get("/users/anna")["must_change_password"] is False


def test_who_changed_which_account_is_kept_and_is_no_revision(lab, admin):
    before = admin.get("/status")["mgmtd"]["stored_revision"]
    create(admin, "anna")
    admin.patch("/users/anna", role="admin", password=ANOTHER).expect(200)
    admin.patch("/users/anna", role="admin").expect(200)  # nothing changed
    anna = log_in(lab, "anna", ANOTHER)
    token = anna.post("/tokens", name="nightly", role="admin").expect(201)["token"]
    lab.api(token=token).delete("/users/anna").expect(204)
    assert admin.get("/status")["mgmtd"]["stored_revision"] == before
    lab.restart("mgmtd")
    items = admin.pages("/account-changes", limit=2)
    assert [(i["actor"], i["token"], i["op"], i["kind"], i["name"], i["fields"]) for i in items] == [
        ("token:nightly", "nightly", "delete", "users", "anna", ""), ("anna", None, "create", "tokens", "nightly", ""),
        ("admin", None, "update", "users", "anna", "role,password"), ("admin", None, "create", "users", "anna", "role,password")]
    assert all(i["address"] == "127.0.0.1" and i["request_id"] and i["at"] for i in items)
    assert ADMIN_PASSWORD not in json.dumps(items)
    log = (lab.directory / "mgmtd.log").read_text()
    assert "user anna: created by admin" in log and "user anna: deleted by token:nightly" in log


def test_the_first_passwords_file_goes_when_another_admin_sets_a_new_one(lab, admin):
    create(admin, "anna", "admin")
    anna = log_in(lab, "anna")
    path = lab.state / "initial-admin-password"
    path.write_text("as if it were still there")
    anna.patch("/users/admin", password=ANOTHER).expect(200)
    until(lambda: not path.exists(), 2, "end of the file")
    log_in(lab, "admin", ANOTHER).get("/status").expect(200)
