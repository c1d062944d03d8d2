"""Who may do what; a secret goes in and never comes out."""

import base64
import json
import time

from api import Api
from daemon import Daemon
from lab import ADMIN_PASSWORD
from until import stays, until

SECRET = "hunter2-very-hidden"
ANOTHER = "swordfish-also-hidden"


def test_every_call_needs_a_token_also_from_loopback(quiet):
    anonymous = quiet.api(token=None)
    for path in ("/status", "/registrations", "/sip-parameters", "/revisions", "/schema", "/trace", "/events", "/session"):
        answer = anonymous.get(path).expect(401)
        assert "WWW-Authenticate" in answer.headers
    anonymous.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(401)


def forged(token, **changes):
    """The token with other header members, and its signature kept."""
    head, body, signature = token.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    decoded.update(changes)
    return ".".join([base64.urlsafe_b64encode(json.dumps(decoded).encode()).decode().rstrip("="), body, signature])


def test_a_forged_token_is_refused(quiet):
    good = quiet.api().token
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    later = base64.urlsafe_b64encode(json.dumps({**claims, "exp": claims["exp"] + 9999}).encode()).decode().rstrip("=")
    for token in (f"{none}.{body}.", f"{none}.{body}.{signature}", forged(good, alg="HS512"), f"{head}.{later}.{signature}", "x.y.z", "", "a" * 9000,
                  good[:-2] + ("AA" if not good.endswith("AA") else "BB")):
        assert quiet.api(token=token or "x").get("/status").status in (400, 401, 431), token[:80]


def test_a_log_in_answers_with_a_token_and_a_log_out_ends_it(lab):
    lab.start("mgmtd")
    api = lab.api(token=None)
    answer = api.post("/session", username="admin", password=ADMIN_PASSWORD).expect(200).json
    assert set(answer) >= {"token", "expires_at", "role", "username", "must_change_password"}
    assert (answer["role"], answer["username"], answer["must_change_password"]) == ("admin", "admin", False)
    mine = lab.api(token=answer["token"])
    assert "token" not in mine.get("/session").expect(200).json
    mine.delete("/session").expect(204)
    mine.get("/status").expect(401)
    lab.restart("mgmtd")
    lab.api(token=answer["token"]).get("/status").expect(401)


def test_a_token_is_good_over_a_restart(lab):
    api = lab.start("mgmtd").api()
    api.get("/status").expect(200)
    lab.restart("mgmtd")
    lab.api().get("/status").expect(200)


def test_a_wrong_password_and_an_unknown_user_are_told_alike(lab):
    lab.start("mgmtd")
    api = lab.api(token=None)
    answers = [api.post("/session", username=name, password="wrong, whoever it is") for name in ("admin", "nobody", "no name/at all")]
    assert {answer.status for answer in answers} == {401}
    assert len({(answer["type"], answer["title"], answer["detail"]) for answer in answers}) == 1


def test_the_first_admin_must_change_the_password_before_anything_is_written(lab):
    lab.launch("mgmtd").stop()
    first_start = lab.command("mgmtd")
    cut = first_start.index("--admin-password-file")
    del first_start[cut:cut + 2]
    first_start[first_start.index("--state") + 1] = lab.directory / "fresh"


    daemon = Daemon("mgmtd", first_start, lab.directory / "fresh.log")
    try:
        url = daemon.wait_ready()[0]
        path = lab.directory / "fresh" / "initial-admin-password"
        assert path.stat().st_mode & 0o777 == 0o600 and (lab.directory / "fresh").stat().st_mode & 0o777 == 0o700
        password = path.read_text().strip()
        assert len(password) >= 12 and password not in daemon.log()
        api = Api(url, password=password)
        api.get("/status").expect(200)
        api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(403, "password_change_required")
        api.put("/session/password", current=password, new="short").expect(422)
        api.put("/session/password", current="not this one at all", new="a much better password").expect(403)
        api.put("/session/password", current=password, new="a much better password").expect(204)
        until(lambda: not path.exists(), 2, "end of the initial password's file")
        api = Api(url, password="a much better password")
        api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=60).expect(200)
    finally:
        assert daemon.stop() == 0


# ---- secrets

def everything_readable(lab, api):
    """All that anyone can read back, as one text."""
    texts = []
    for path in ("/registrations", "/registrations/carrier-a", "/registrations/carrier-a/status", "/registrations/carrier-a/attempts",
                 "/revisions", "/status", "/trace", "/schema", "/openapi.json"):
        texts.append(api.get(path).expect(200).text)
    texts.append(api.get("/registrations/carrier-a", effective="true").expect(200).text)
    texts.append(api.request("GET", "/trace", headers={"Accept": "text/plain"}).text)
    texts += [api.get(f"/revisions/{item['revision']}").expect(200).text for item in api.pages("/revisions")]
    texts.append(lab.log("mgmtd"))
    texts.append(lab.log("switchcore"))
    return "\n".join(texts)


def test_a_secret_never_comes_out_again(lab):
    registrar = lab.kamailio()
    registrar.account("carrier-a", SECRET)
    lab.extra = {"mgmtd": ["--log-level", "debug"], "switchcore": ["--log-level", "debug"]}
    api = lab.start("mgmtd", "switchcore").api()
    answers = [api.registration("carrier-a", registrar, password=SECRET)]
    registrar.wait_for_binding("carrier-a")
    answers.append(api.get("/registrations/carrier-a"))
    assert answers[1]["password"] == {"set": True}
    answers.append(api.change("carrier-a", password=ANOTHER))
    answers.append(api.patch("/registrations/carrier-a", {"password": SECRET}, query={"dry_run": "true"}).expect(200))
    answers.append(api.patch("/registrations/carrier-a", {"password": ANOTHER + "\n"}).expect(422))
    answers.append(api.patch("/registrations/carrier-a", {"password": ANOTHER + "p" * 128}).expect(422))
    answers.append(api.post("/changes", changes=[{"op": "patch", "kind": "registrations", "name": "carrier-a",
                                                  "value": {"password": SECRET, "port": -1}}]).expect(422))
    api.patch("/registrations/carrier-a", b'{"password": "' + SECRET.encode() + b'", }').expect(400)
    api.wait_for_state("carrier-a", "waiting", reason="credentials")
    text = everything_readable(lab, api) + "".join(answer.text for answer in answers)
    for secret in (SECRET, ANOTHER, ADMIN_PASSWORD):
        assert secret not in text


def test_a_secret_is_kept_cleared_or_replaced_as_written(lab):
    registrar = lab.kamailio()
    registrar.account("carrier-a", SECRET)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, password=SECRET)
    registrar.wait_for_binding("carrier-a")
    api.change("carrier-a", password={"set": True}, note="kept")
    document = api.get("/registrations/carrier-a").json
    api.put("/registrations/carrier-a", {**document, "privacy": "id"}).expect(200)
    until(lambda: registrar.registers("carrier-a")[-1]["privacy"] == "id" and registrar.registers("carrier-a")[-1].credentials, 3,
          "signed REGISTER with the kept password")
    without = {k: v for k, v in document.items() if k != "password"}
    api.put("/registrations/carrier-a", without).expect(200)
    assert api.get("/registrations/carrier-a")["password"] == {"set": True}, "left out = kept"
    api.patch("/registrations/carrier-a", password={"set": "yes"}).expect(422)
    answer = api.change("carrier-a", password=None)
    assert answer["diff"][0]["fields"][0]["pointer"] == "/password"
    assert api.get("/registrations/carrier-a")["password"] == {"set": False}
    api.wait_for_state("carrier-a", "waiting", reason="credentials")


def test_a_secret_survives_a_restart_and_is_encrypted_at_rest(lab):
    registrar = lab.kamailio()
    registrar.account("carrier-a", SECRET)
    api = lab.start("mgmtd").api()
    api.registration("carrier-a", registrar, password=SECRET)
    lab.kill("mgmtd")
    for path in lab.state.iterdir():
        assert SECRET.encode() not in path.read_bytes(), path
        assert path.stat().st_mode & 0o077 == 0, f"{path} can be read by others"
    for path in lab.run.iterdir():
        path.unlink()
    lab.start("mgmtd", "switchcore")
    registrar.wait_for_binding("carrier-a")


def test_files_and_directories_belong_to_the_owner_alone(quiet):
    assert quiet.state.stat().st_mode & 0o777 == 0o700
    for path in [*quiet.state.iterdir(), *quiet.run.iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_message_ring_shows_the_message_and_masks_the_credentials(lab):
    registrar = lab.kamailio()
    registrar.account("carrier-a", SECRET)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, password=SECRET)
    registrar.wait_for_binding("carrier-a")
    items = until(lambda: [i for i in api.get("/trace", registration="carrier-a").expect(200)["items"]] or None, 3, "a trace")
    until(lambda: len(api.get("/trace", registration="carrier-a")["items"]) == 4, 3, "four messages")
    items = api.get("/trace", registration="carrier-a")["items"]
    assert [(i["direction"], i["summary"].split(" ")[0]) for i in items] == [("out", "REGISTER"), ("in", "401"), ("out", "REGISTER"), ("in", "200")] \
        or [i["direction"] for i in items] == ["out", "in", "out", "in"]
    sent = registrar.registers("carrier-a")
    assert items[0]["message"].encode() == sent[0].raw, "byte for byte what the registrar received"
    signed = items[2]["message"]
    assert "Authorization: " in signed and sent[1].credentials["response"] not in signed and sent[1].credentials["nonce"] not in signed
    for item in items:
        assert set(item) == {"seq", "at", "direction", "transport", "local", "remote", "registration", "call_id", "summary", "message"}
        assert item["transport"] == "udp" and item["registration"] == "carrier-a" and item["call_id"] == sent[0].call_id
        assert item["remote"] == f"{registrar.host}:{registrar.port}" and item["local"] == "%s:%d" % lab.sip_port()
    text = api.request("GET", "/trace", query={"registration": "carrier-a"}, headers={"Accept": "text/plain"}).expect(200)
    assert text.headers["Content-Type"].startswith("text/plain") and "REGISTER sip:" in text.text and "SIP/2.0 401" in text.text
    assert sent[1].credentials["response"] not in text.text
    assert api.get("/trace", call_id=sent[0].call_id)["items"] == items
    assert api.get("/trace", call_id="no such call")["items"] == []
    assert api.get("/trace", since=items[-1]["at"])["items"][0]["seq"] >= items[-1]["seq"] - 3


def test_a_switch_without_a_trace_keeps_no_message(lab):
    lab.start("mgmtd", "switchcore", switchcore=["--trace-bytes", "0"]).wait_switch()
    peer = lab.peer()
    lab.api().registration("carrier-a", peer)
    lab.api().wait_for_state("carrier-a", "registered")
    assert lab.api().get("/trace").expect(200)["items"] == []


def test_the_trace_holds_tcp_messages_too(lab):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar, transport="tcp")
    registrar.wait_for_binding("carrier-a")
    until(lambda: len(api.get("/trace", registration="carrier-a")["items"]) == 2, 3, "request and answer")
    assert {i["transport"] for i in api.get("/trace", registration="carrier-a")["items"]} == {"tcp"}


def test_reading_the_trace_does_not_hold_up_the_api(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered")
    begin = time.monotonic()
    for _ in range(20):
        api.get("/trace").expect(200)
    assert time.monotonic() - begin < 5
    stays(lambda: api.get("/status").status == 200, 0.2, "answers")
