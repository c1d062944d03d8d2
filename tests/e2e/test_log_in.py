"""Logging in: guesses are slowed down, browsers use a cookie, and what is refused is kept in a log of its own."""

import concurrent.futures
import json

import pytest

from lab import ADMIN_PASSWORD
from test_users import PASSWORD, Stream, create, log_in
from until import until

WRONG = "wrong, whoever it is"


@pytest.fixture
def admin(lab):
    return lab.start("mgmtd").api()


def try_in(lab, username, password=WRONG):
    return lab.api(token=None).post("/session", username=username, password=password)


# ---- guessing

def test_wrong_passwords_delay_the_account_for_the_right_one_too(lab, admin):
    create(admin, "anna")
    for _ in range(3):
        try_in(lab, "anna").expect(401)
    refused = try_in(lab, "anna", PASSWORD).expect(429, "too_many_requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    until(lambda: try_in(lab, "anna").status == 401, 5, "the next try")
    refused = try_in(lab, "anna").expect(429)
    assert 3 <= int(refused.headers["Retry-After"]) <= 4, "twice the delay"
    assert try_in(lab, "admin", ADMIN_PASSWORD).status == 200, "another account is not delayed"
    admin.get("/status").expect(200)


def test_a_log_in_that_succeeds_clears_the_failures_before_it(lab, admin):
    create(admin, "anna")
    for _ in range(3):
        for _ in range(2):
            try_in(lab, "anna").expect(401)
        try_in(lab, "anna", PASSWORD).expect(200)


def test_an_address_has_twenty_tries_a_minute_also_at_once(lab, admin):
    with concurrent.futures.ThreadPoolExecutor(15) as pool:
        statuses = sorted(pool.map(lambda n: try_in(lab, f"nobody-{n}").status, range(30)))
    assert statuses == [401] * 20 + [429] * 10
    refused = try_in(lab, "admin", ADMIN_PASSWORD).expect(429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    admin.get("/status").expect(200)


def test_a_session_left_open_is_no_way_to_guess_its_password(lab, admin):
    create(admin, "anna")
    anna = log_in(lab, "anna")
    for _ in range(3):
        anna.put("/session/password", current=WRONG, new=WRONG + "!").expect(403, "wrong_password")
    anna.put("/session/password", current=PASSWORD, new=WRONG + "!").expect(429)


# ---- the cookie

class Browser:
    """Keeps the cookie, and knows the CSRF token."""

    def __init__(self, lab, username="admin", password=ADMIN_PASSWORD):
        self.api = lab.api(token=None)
        self.answer = self.api.post("/session", username=username, password=password).expect(200)
        self.csrf = self.answer["csrf_token"]

    def write(self, **headers):
        return self.api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", {"value": 60},
                            headers={"X-CSRF-Token": self.csrf, **{k.replace("_", "-"): v for k, v in headers.items()}})


def test_the_cookie_is_the_session_and_is_out_of_reach_of_scripts(lab, admin):
    browser = Browser(lab)
    cookie = browser.answer.headers["Set-Cookie"]
    for word in ("tandem_session=" + browser.answer["token"], "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=28800"):
        assert word in cookie
    assert "Secure" not in cookie and "Domain" not in cookie
    assert set(browser.answer.json) == {"token", "expires_at", "role", "username", "csrf_token", "must_change_password"}
    session = browser.api.get("/session").expect(200)
    assert session.json == {k: v for k, v in browser.answer.json.items() if k != "token"}
    stream = Stream(browser.api)
    browser.api.delete("/session").expect(403, "csrf_token_required")
    gone = browser.api.delete("/session", headers={"X-CSRF-Token": browser.csrf}).expect(204)
    assert "tandem_session=;" in gone.headers["Set-Cookie"] and "Max-Age=0" in gone.headers["Set-Cookie"]
    assert stream.ends()
    assert not browser.api.session.cookies
    browser.api.get("/session").expect(401)


def test_a_write_by_cookie_needs_the_csrf_token_of_this_session(lab, admin):
    browser, other = Browser(lab), Browser(lab)
    assert browser.csrf != other.csrf
    browser.write().expect(200)
    for wrong in ("", "x", other.csrf, browser.csrf[:-1], browser.csrf + "0", browser.csrf.upper() if browser.csrf.upper() != browser.csrf else "x"):
        browser.write(X_CSRF_Token=wrong).expect(403, "csrf_token_required")
    browser.api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=61).expect(403, "csrf_token_required")
    browser.api.post("/preview/register", registration="x").expect(403, "csrf_token_required")
    browser.api.put("/session/password", current=ADMIN_PASSWORD, new=PASSWORD).expect(403, "csrf_token_required")
    browser.api.get("/registrations").expect(200)


def test_a_write_by_cookie_from_another_origin_is_refused(lab, admin):
    browser = Browser(lab)
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
                    {"Origin": "http://127.0.0.1:1"}, {"Origin": "null", "Sec_Fetch_Site": "cross-site"}):
        browser.write(**headers).expect(403, "cross_origin")
    for headers in ({"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}, {"Origin": lab.url},
                    {"Origin": lab.url, "Sec_Fetch_Site": "same-origin"}):
        browser.write(**headers).expect(200)


def test_the_bearer_token_goes_before_the_cookie(lab, admin):
    create(admin, "anna", "viewer")
    browser = Browser(lab)
    viewer = log_in(lab, "anna").token
    as_viewer = {"Authorization": f"Bearer {viewer}"}
    assert browser.api.request("GET", "/session", headers=as_viewer)["username"] == "anna"
    browser.api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", {"value": 60}, headers=as_viewer).expect(403, "forbidden")
    browser.api.request("GET", "/session", headers={"Authorization": "Bearer x"}).expect(401)
    by_bearer = {"Authorization": f"Bearer {browser.answer['token']}"}
    browser.api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", {"value": 60}, headers=by_bearer).expect(200)


def test_a_broken_cookie_is_no_session(lab, admin):
    for value in ("tandem_session=", "tandem_session=x.y.z", "tandem_session", "=", ";;;", "other=1", "tandem_session=" + "a" * 9000,
                  'tandem_session="' + admin.token):
        assert lab.api(token=None).request("GET", "/status", headers={"Cookie": value}).status == 401, value[:60]
    lab.api(token=None).request("GET", "/status", headers={"Cookie": f"a=b; tandem_session={admin.token}; c=d"}).expect(200)


# ---- the log of what was refused

def test_what_was_refused_is_told_without_any_value(lab, admin):
    create(admin, "anna", "viewer")
    anna = log_in(lab, "anna")
    try_in(lab, "anna", "not the password at all").expect(401)
    try_in(lab, "my secret typed as name", "x").expect(401)
    anna.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(403)
    admin.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=7).expect(422)
    admin.put("/registrations/a", {"server": "192.0.2.1", "username": "u", "password": "p\nhush-hush"}).expect(422)
    admin.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", {"value": 60}, headers={"If-Match": '"r99"'}).expect(412)
    request_id = admin.delete("/users/admin").expect(409)["request_id"]
    lab.api(token=None).delete("/registrations/a").expect(401)
    admin.get("/registrations/none").expect(404)
    anna.get("/users").expect(403)
    admin.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE?dry_run=true", value=7).expect(422)
    admin.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE?dry_run=true", {"value": 60}, headers={"If-Match": '"r99"'})
    anna.put("/registrations/b?dry_run=true", {"server": "192.0.2.1", "username": "u"}).expect(403)
    items = admin.pages("/refusals", limit=3)
    seen = [(i["actor"], i["method"], i["path"].removeprefix("/api/v1"), i["status"], i["code"], i["pointers"]) for i in reversed(items)]
    assert seen == [
        ("anna", "POST", "/session", 401, "unauthorized", []), (None, "POST", "/session", 401, "unauthorized", []),
        ("anna", "PUT", "/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", 403, "forbidden", []),
        ("admin", "PUT", "/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", 422, "invalid", ["/value"]),
        ("admin", "PUT", "/registrations/a", 422, "invalid", ["/password"]),
        ("admin", "PUT", "/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", 412, "precondition_failed", []),
        ("admin", "DELETE", "/users/admin", 409, "own_account", []), (None, "DELETE", "/registrations/a", 401, "unauthorized", []),
        ("anna", "PUT", "/registrations/b", 403, "forbidden", [])]
    assert items[2]["request_id"] == request_id
    assert all(i["address"] == "127.0.0.1" and i["at"] and i["left_out"] == 0 for i in items)
    lab.restart("mgmtd")
    assert admin.pages("/refusals") == items
    text = json.dumps(items) + lab.log("mgmtd") + (lab.state / "refusals.log").read_text()
    for secret in ("my secret", "not the password", "hush-hush"):
        assert secret not in text
    assert admin.get("/status")["mgmtd"]["stored_revision"] == 0, "the history knows nothing of it"


def test_a_cursor_that_is_none_is_refused(lab, admin):
    for cursor in ("x", "0", "-1", "1e3", "99999999999999999999"):
        admin.get("/refusals", cursor=cursor).expect(422)
    assert admin.get("/refusals", cursor="7").expect(200)["items"] == []
