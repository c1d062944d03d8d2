"""Idempotency-Key: a change that is asked again is not done again."""

import sqlite3
import threading

import pytest

BODY = {"name": "a", "server": "192.0.2.1", "username": "u", "password": "hush-hush", "enabled": False}


def keyed(key):
    return {"Idempotency-Key": key}


def same(one, other):
    return (one.status, one.text, one.etag, one.headers.get("Location")) == (other.status, other.text, other.etag, other.headers.get("Location"))


@pytest.fixture
def api(lab):
    return lab.start("mgmtd").api()


def revisions(api):
    return api.get("/status")["mgmtd"]["stored_revision"]


def test_the_same_request_gets_the_same_answer_and_is_done_once(api):
    first = api.post("/registrations", BODY, headers=keyed("k-1")).expect(201)
    assert first.headers["Location"] == "/api/v1/registrations/a" and first.etag == '"r1"'
    api.change("a", note="changed since")
    assert same(first, api.post("/registrations", BODY, headers=keyed("k-1")))
    assert revisions(api) == 2 and api.get("/registrations/a")["note"] == "changed since"
    api.post("/registrations", BODY, headers=keyed("k-2")).expect(409, "exists")
    api.post("/registrations", BODY).expect(409, "exists")


def test_another_request_with_the_key_is_refused(api):
    api.post("/registrations", BODY, headers=keyed("k")).expect(201)
    api.post("/registrations", {**BODY, "name": "b"}, headers=keyed("k")).expect(422, "idempotency_key_reused")
    api.post("/mapping-gateways", BODY, headers=keyed("k")).expect(422)
    api.post("/registrations", BODY, query={"comment": "why"}, headers=keyed("k")).expect(422, "idempotency_key_reused")
    assert revisions(api) == 1


def test_a_change_set_that_changes_nothing_is_remembered_too(api):
    changes = {"changes": [{"op": "put", "kind": "sip-parameters", "name": "SS_SIP_USER_AGENT_EXPIRE", "value": 120}]}
    api.post("/changes", changes).expect(200)
    nothing = api.post("/changes", changes, headers=keyed("k")).expect(200)
    assert nothing["changed"] is False
    api.patch("/sip-parameters", SS_SIP_USER_AGENT_EXPIRE=300).expect(200)
    assert same(nothing, api.post("/changes", changes, headers=keyed("k")))
    assert api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE")["value"] == 300


def test_what_was_refused_or_only_tried_is_not_remembered(api):
    broken = {**BODY, "inbound_mapping": "pbx"}
    api.post("/registrations", broken, headers=keyed("k")).expect(422)
    api.post("/mapping-gateways", name="pbx", sources=["192.0.2.1"]).expect(201)
    api.post("/registrations", broken, query={"dry_run": "true"}, headers=keyed("k")).expect(200)
    api.post("/registrations", broken, headers=keyed("k")).expect(201)


@pytest.mark.parametrize("key", ["", "k" * 256, "\x7f", "caf\xe9"])
def test_what_is_no_key_is_refused(api, key):
    api.post("/registrations", BODY, headers={"Idempotency-Key": key.encode("latin-1")}).expect(400)
    assert revisions(api) == 0


@pytest.mark.threads
def test_of_many_at_once_one_is_done_and_all_get_its_answer(lab, api):
    answers, lock, ready = [], threading.Lock(), threading.Barrier(16)

    def ask(own):
        ready.wait(10)
        answer = own.post("/registrations", BODY, headers=keyed("k"))
        with lock:
            answers.append(answer)
    threads = [threading.Thread(target=ask, args=(lab.api(token=api.token),)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 16 and all(same(answers[0], answer.expect(201)) for answer in answers)
    assert revisions(api) == 1


def test_the_answer_outlasts_a_crash_with_the_word_that_was_given(lab):
    """With a switch that acts at once, `applied` is not what it was when the change was stored."""
    api = lab.start("mgmtd", "switchcore").api()
    lab.wait_switch()
    first = api.post("/registrations", BODY, query={"wait": "applied"}, headers=keyed("k")).expect(201)
    assert first["applied"] == "yes"
    api.change("a", note="one more transaction, after which the amended answer is stored")
    lab.kill("mgmtd")
    lab.start("mgmtd")
    assert same(first, lab.api().post("/registrations", BODY, query={"wait": "applied"}, headers=keyed("k")))


def test_keys_are_those_of_a_day_and_of_a_bounded_number(lab, api):
    api.post("/registrations", BODY, headers=keyed("old")).expect(201)
    api.post("/registrations", {**BODY, "name": "b"}, headers=keyed("young")).expect(201)
    lab.stop("mgmtd")
    with sqlite3.connect(lab.state / "tandem.db") as db:
        db.execute("UPDATE answers SET at = at - 86401 WHERE key = 'old'")
        db.executemany("INSERT INTO answers (actor, key, fingerprint, at, status, revision, bytes, body)"
                       " VALUES ('admin', ?, x'00', unixepoch(), 200, 1, 2, '{}')", [(f"fill-{n}",) for n in range(10050)])
    db.close()
    lab.start("mgmtd")
    api = lab.api()
    api.post("/registrations", BODY, headers=keyed("old")).expect(409, "exists")  # asked anew
    api.post("/registrations", {**BODY, "name": "c"}, headers=keyed("new")).expect(201)  # makes room
    lab.stop("mgmtd")
    with sqlite3.connect(lab.state / "tandem.db") as db:
        keys = {key for key, in db.execute("SELECT key FROM answers")}
        assert not any("hush-hush" in body for body, in db.execute("SELECT body FROM answers"))
    db.close()
    assert len(keys) == 10000 and "new" in keys and "fill-10049" in keys and not keys & {"old", "young", "fill-0"}
    lab.start("mgmtd")
