"""API tokens of scripts; and what is no token of ours, however well it is made."""

import base64
import datetime
import hashlib
import hmac
import json
import time

import pytest

from test_users import PASSWORD, Stream, create, log_in
from until import until


def later(**duration):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**duration)).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_until(text):
    return (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


@pytest.fixture
def admin(lab):
    return lab.start("mgmtd").api()


def test_a_token_is_shown_once_and_works_until_it_is_revoked(lab, admin):
    made = admin.post("/tokens", name="nightly", role="operator", expires_at=later(days=30)).expect(201)
    token = made["token"]
    assert made.headers["Location"] == "/api/v1/tokens/nightly" and made.headers["Cache-Control"] == "no-store"
    shown = admin.get("/tokens/nightly").expect(200).json
    assert set(shown) == {"name", "role", "created_at", "created_by", "expires_at", "last_used_at"}
    assert (shown["name"], shown["role"], shown["created_by"], shown["last_used_at"]) == ("nightly", "operator", "admin", None)
    assert abs(seconds_until(shown["expires_at"]) - 30 * 86400) < 60
    script = lab.api(token=token)
    assert script.get("/session").expect(200)["username"] == "token:nightly" and script.get("/session")["role"] == "operator"
    answer = script.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(200)
    revision = admin.get(f"/revisions/{answer['revision']}").expect(200)
    assert (revision["actor"], revision["token"]) == ("token:nightly", "nightly")
    assert admin.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE")["changed_by"] == "token:nightly"
    script.put("/session/password", current=PASSWORD, new=PASSWORD + "2").expect(403)
    script.delete("/session").expect(403)
    stream = Stream(script)
    admin.delete("/tokens/nightly").expect(204)
    script.get("/status").expect(401)
    assert stream.ends()
    admin.delete("/tokens/nightly").expect(404)
    admin.post("/tokens", name="nightly", role="operator").expect(201)
    script.get("/status").expect(401)
    lab.restart("mgmtd")
    script.get("/status").expect(401)
    everything = admin.get("/tokens").text + admin.get("/account-changes").text + admin.get("/revisions").text + lab.log("mgmtd")
    assert token not in everything
    for path in lab.state.iterdir():
        assert token.encode() not in path.read_bytes(), path


def test_a_token_outlives_restarts_and_whoever_made_it(lab, admin):
    create(admin, "anna", "admin")
    token = log_in(lab, "anna").post("/tokens", name="t", role="viewer").expect(201)["token"]
    admin.delete("/users/anna").expect(204)
    lab.restart("mgmtd")
    lab.api(token=token).get("/status").expect(200)
    assert admin.get("/tokens/t")["created_by"] == "anna"


def test_the_end_of_a_token_is_at_most_a_year_away(admin):
    for wrong in (later(seconds=-5), later(days=370), "tomorrow", 7):
        assert admin.post("/tokens", name="t", role="viewer", expires_at=wrong).expect(422).violation("/expires_at")
    assert admin.post("/tokens", role="viewer").expect(422).violation("/name", "required")
    assert admin.post("/tokens", name="a b", role="x", more=1).expect(422).violation("/role", "not_an_option")
    admin.post("/tokens", name="t", role="viewer", expires_at=later(days=365)).expect(201)
    default = admin.post("/tokens", name="u", role="viewer").expect(201)
    assert abs(seconds_until(default["expires_at"]) - 90 * 86400) < 60
    admin.post("/tokens", name="u", role="viewer").expect(409, "exists")
    assert [t["name"] for t in admin.pages("/tokens", limit=1)] == ["t", "u"]


def test_a_token_that_has_run_out_is_refused_and_its_stream_ends(lab, admin):
    token = admin.post("/tokens", name="brief", role="viewer", expires_at=later(seconds=6)).expect(201)["token"]
    script = lab.api(token=token)
    stream = Stream(script)
    assert stream.ends()
    script.get("/status").expect(401)
    admin.post("/tokens", name="brief", role="viewer").expect(201)  # the name is free again


def test_when_a_token_was_used_last_is_shown_and_kept_over_a_restart(lab, admin):
    token = admin.post("/tokens", name="t", role="viewer").expect(201)["token"]
    lab.api(token=token).get("/status").expect(200)
    used = admin.get("/tokens/t")["last_used_at"]
    assert abs(seconds_until(used)) < 30
    assert admin.get("/tokens")["items"][0]["last_used_at"] == used
    lab.restart("mgmtd")
    assert admin.get("/tokens/t")["last_used_at"] == used


# ---- tokens that are none

def encoded(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def sign(key, header, claims, digest=hashlib.sha256):
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(hmac.new(key, text.encode(), digest).digest())}"


HEADER = {"alg": "HS256", "typ": "JWT"}


@pytest.fixture(scope="module")
def forge(quiet):
    """(key, claims of a good token): whoever has both can make good ones, so that only what a test spoils is wrong."""
    claims = decoded(quiet.api().token.split(".")[1])
    return (quiet.state / "jwt.key").read_bytes(), claims


def refused(quiet, token):
    assert quiet.api(token=token).get("/status").status == 401, token[:200]


def test_a_token_made_as_ours_are_is_taken(quiet, forge):
    key, claims = forge
    quiet.api(token=sign(key, HEADER, claims)).get("/status").expect(200)


@pytest.mark.parametrize("header", [
    {"alg": "none"}, {"alg": "None"}, {"alg": "NONE"}, {"alg": "HS384"}, {"alg": "HS512"}, {"alg": "RS256"}, {"alg": "ES256"}, {"alg": "PS256"},
    {"alg": "hs256"}, {"alg": ""}, {"alg": None}, {"alg": ["HS256"]}, {"typ": "JWT"}, {"alg": "HS256", "crit": ["exp"]},
    b'{"alg":"none","alg":"HS256"}', b'{"alg":"HS256","alg":"none"}', b"{}", b"[]", b""], ids=repr)
def test_another_algorithm_is_refused_whoever_signed_it(quiet, forge, header):
    key, claims = forge
    token = sign(key, header, claims)
    refused(quiet, token)
    refused(quiet, token.rpartition(".")[0] + ".")  # without a signature
    refused(quiet, sign(key, header, claims, hashlib.sha512))
    refused(quiet, sign(b"", header, claims))


@pytest.mark.parametrize("header", [
    {**HEADER, "kid": "../../../../dev/null"}, {**HEADER, "kid": "' UNION SELECT 'x"}, {**HEADER, "jku": "http://127.0.0.1:1/keys"},
    {**HEADER, "jwk": {"kty": "oct", "k": ""}}, {**HEADER, "x5u": "http://127.0.0.1:1/"}], ids=repr)
def test_a_key_that_the_token_brings_or_names_is_not_used(quiet, forge, header):
    key, claims = forge
    for foreign in (b"", b"\0", bytes(32), b"secret", hashlib.sha256(key).digest()):
        refused(quiet, sign(foreign, header, claims))


@pytest.mark.parametrize("changes", [
    {"exp": ("now", -1)}, {"exp": 0}, {"exp": -1}, {"exp": "4102444800"}, {"exp": None}, {"exp": 1e300}, {"nbf": ("now", 600)},
    {"nbf": None}, {"nbf": "1"}, {"iss": "another"}, {"iss": None}, {"iss": ["tandem"]}, {"aud": "another"}, {"aud": None}, {"aud": ["tandem-api"]},
    {"sub": "nobody"}, {"sub": None}, {"sub": ""}, {"sub": "token:none"}, {"sub": "token:"}, {"jti": None}, {"jti": ""}, {"jti": "x" * 33},
    {"cred": None}, {"cred": ""}, {"cred": "0" * 32}], ids=repr)
def test_claims_that_are_not_ours_are_refused_though_signed(quiet, forge, changes):
    key, claims = forge
    changes = {k: int(time.time()) + v[1] if isinstance(v, tuple) else v for k, v in changes.items()}
    spoilt = {k: v for k, v in {**claims, **changes}.items() if v is not None}
    refused(quiet, sign(key, HEADER, spoilt))


def test_a_log_in_is_no_api_token_nor_the_other_way_round(quiet, forge):
    key, claims = forge
    admin = quiet.api()
    token = admin.post("/tokens", name="mine", role="viewer").expect(201)["token"]
    of_script = decoded(token.split(".")[1])
    refused(quiet, sign(key, HEADER, {**of_script, "sub": "admin"}))
    refused(quiet, sign(key, HEADER, {**claims, "sub": "token:mine"}))
    refused(quiet, sign(key, HEADER, {**of_script, "jti": claims["jti"]}))
    assert quiet.api(token=sign(key, HEADER, {**of_script, "role": "admin"})).get("/session")["role"] == "viewer"
    admin.delete("/tokens/mine").expect(204)
    refused(quiet, token)


def test_a_token_that_was_tampered_with_or_is_huge_is_refused(quiet, forge):
    key, claims = forge
    good = quiet.api().token
    for at in range(0, len(good), 7):
        spoilt = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1:]
        if at < len(good) - 1:
            refused(quiet, spoilt)
    for size in (3000, 14000, 100_000):
        assert quiet.api(token=sign(key, HEADER, {**claims, "padding": "x" * size})).get("/status").status in (401, 431)
    assert quiet.api(token="." * 5000).get("/status").status in (401, 431)
    until(lambda: quiet.api().get("/status").status == 200, 5, "an answer after all that")
