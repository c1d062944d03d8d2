"""The whole configuration as one document: GET and PUT /config, sealed secrets, and the way to another machine."""

import copy
import json
import pathlib
import re
import subprocess
import threading

import jsonschema
import pytest

from lab import BUILD, Lab

PASSPHRASE = "correct horse battery"
SECRETS = ("hush-hush-1", "hush-hush-2", "hush-hush-3")
README = pathlib.Path(__file__).parents[2] / "README.md"


def commands(name):
    """The blocks of the README that a test carries out."""
    found = re.findall(rf"<!-- test: {name} -->\n```sh\n(.*?)```", README.read_text(), re.S)
    assert found, f"README.md has no block {name}"
    return found


def fill(api):
    """Something of every kind, with references and secrets."""
    api.registration("carrier-a", Peerless, password=SECRETS[0], note="äöü \"quoted\"")
    api.registration("carrier-b", Peerless, enabled=False, password=None)
    api.post("/mapping-gateways", name="pbx", authentication="digest", username="pbx", password=SECRETS[1], sources=["192.0.2.0/24"],
             callee_rewrite=[{"match": "00", "replace": "+"}]).expect(201)
    api.post("/routing-gateways", name="out", host="192.0.2.1", registration="carrier-a", inbound_mapping="pbx", prefixes=["", "49"],
             password=SECRETS[2], sip={"timeout_invite": 5}).expect(201)
    api.patch("/sip-parameters", SS_SIP_USER_AGENT_EXPIRE=120, SS_SIP_TIMEOUT_INVITE=20).expect(200)
    return api


class Peerless:
    """Nobody answers there."""
    host, port = "192.0.2.9", 5060


def config(api):
    """The document without what differs between machines."""
    document = api.get("/config").expect(200).json
    return {name: value for name, value in document.items() if name not in ("revision", "at")}


def assert_same_secrets(api):
    """A write of the very secret that is there changes nothing."""
    for path, secret in (("/registrations/carrier-a", SECRETS[0]), ("/mapping-gateways/pbx", SECRETS[1]), ("/routing-gateways/out", SECRETS[2])):
        assert api.patch(path, password=secret).expect(200)["changed"] is False, path


@pytest.fixture
def full(lab):
    return fill(lab.start("mgmtd").api())


@pytest.fixture
def fresh(tmp_path):
    """Another machine."""
    directory = tmp_path / "fresh"
    directory.mkdir()
    other = Lab(directory)
    yield other
    other.close()
    assert not other.problems, other.problems


def test_the_document_holds_all_that_is_set_as_the_description_says_and_no_secret(full):
    answer = full.get("/config").expect(200)
    document = answer.json
    assert document["revision"] == full.get("/revisions", limit=1)["items"][0]["revision"] and answer.etag == f'"r{document["revision"]}"'
    assert document["sip-parameters"] == {"SS_SIP_USER_AGENT_EXPIRE": 120, "SS_SIP_TIMEOUT_INVITE": 20}
    assert [o["name"] for o in document["registrations"]] == ["carrier-a", "carrier-b"]
    for kind in ("registrations", "routing-gateways", "mapping-gateways"):
        for shown in document[kind]:
            one = full.get(f"/{kind}/{shown['name']}").json
            assert shown == {name: value for name, value in one.items() if name not in ("revision", "changed_at", "changed_by")}
    assert not any(secret in answer.text for secret in SECRETS) and '"secret"' not in answer.text
    assert full.request("GET", "/config", headers={"If-None-Match": answer.etag}).status == 304
    description = full.get("/openapi.json").json
    sealed = full.post("/config/export", passphrase=PASSPHRASE).expect(200)
    for body in (document, sealed.json):
        jsonschema.Draft202012Validator({"$ref": "#/components/schemas/Configuration"},
                                        resolver=jsonschema.RefResolver.from_schema(description)).validate(body)


def test_put_makes_one_revision_of_only_what_differs_and_deletes_what_is_not_named(full):
    document = full.get("/config").json
    unchanged = full.put("/config", document).expect(200)
    assert (unchanged["changed"], unchanged["revision"], unchanged["changes"]) == (False, document["revision"],
                                                                                  {"create": 0, "update": 0, "delete": 0})
    changed = copy.deepcopy(document)
    changed["registrations"][0]["note"] = "other"
    del changed["registrations"][1]
    changed["registrations"].append({"name": "carrier-0", "server": "192.0.2.3", "username": "u", "password": "fresh"})
    del changed["sip-parameters"]["SS_SIP_TIMEOUT_INVITE"]
    dry = full.put("/config", changed, query={"dry_run": "true"}).expect(200)
    assert dry["revision"] is None and dry["changes"] == {"create": 1, "update": 2, "delete": 1}
    assert config(full) == {k: v for k, v in document.items() if k not in ("revision", "at")}
    done = full.put("/config", changed, query={"comment": "all new"}).expect(200)
    assert done["revision"] == document["revision"] + 1 and done.etag == f'"r{done["revision"]}"'
    assert [(d["kind"], d["name"], d["op"]) for d in done["diff"]] == [(d["kind"], d["name"], d["op"]) for d in dry["diff"]]
    item = full.get("/revisions", limit=1)["items"][0]
    assert item["comment"] == "all new" and sorted((c["kind"], c["name"], c["op"]) for c in item["changes"]) == [
        ("registrations", "carrier-0", "create"), ("registrations", "carrier-a", "update"), ("registrations", "carrier-b", "delete"),
        ("sip-parameters", "SS_SIP_TIMEOUT_INVITE", "update")]
    assert full.get("/sip-parameters/SS_SIP_TIMEOUT_INVITE")["source"] == "default"
    assert full.get("/registrations/carrier-0")["password"] == {"set": True}
    assert_same_secrets(full)  # those that were shown as {"set": true} are kept


def test_put_obeys_the_preconditions_of_every_write(full):
    document = full.get("/config")
    full.change("carrier-a", note="meanwhile")
    now = full.get("/config").etag
    refused = full.put("/config", document.json, headers={"If-Match": document.etag}).expect(412)
    assert refused.etag == now
    full.put("/config", document.json, headers={"If-None-Match": "*"}).expect(412)
    full.put("/config", document.json, headers={"If-Match": now}).expect(200)
    assert full.get("/registrations/carrier-a")["note"] == "äöü \"quoted\""


def test_every_fault_is_told_with_its_place_and_nothing_is_changed(full):
    before = full.get("/config")
    document = before.json
    document["registrations"] = [o for o in document["registrations"] if o["name"] != "carrier-a"]  # out refers to it
    document["registrations"] += [{"name": "x", "server": 5}, {"name": "x", "server": "h", "username": "u"}, 7,
                                  {"name": "y", "server": "h", "username": "u", "password": {"set": True}},
                                  {"name": "z", "server": "h", "username": "u", "password": {"sealed": "abc"}}]
    document["sip-parameters"]["SS_NOT_THERE"] = 1
    document["mapping-gateways"] = None
    del document["routing-gateways"]
    answer = full.put("/config", document).expect(422)
    for pointer, code in (("/registrations/1/server", "wrong_type"), ("/registrations/1/username", "required"),
                          ("/registrations/2/name", "not_unique"), ("/registrations/3", "wrong_type"),
                          ("/registrations/4/password", "bad_format"), ("/registrations/5/password", "bad_format"),
                          ("/sip-parameters/SS_NOT_THERE", "unknown_field"), ("/mapping-gateways", "wrong_type"),
                          ("/routing-gateways", "required")):
        answer.violation(pointer, code)
    document = before.json
    document["registrations"] = []
    full.put("/config", document).expect(422).violation("/routing-gateways/0/registration", "unknown_reference")
    assert full.get("/config").text == before.text


@pytest.mark.parametrize("body, line, column", [
    ('{"registrations": [\n  {"name": "a", "server": "h"},\n  {"name": "b" "server": "h"}]}', 3, 23),
    ('{"registrations": [],\n "registrations": []}', 2, 2), ('{"at": "", "at": ""}', 1, 12), ('{"revision": 1, "revision": 1}', 1, 17),
    ('{"registrations": [{}', 1, 19), ("", 1, 1),
    ('{"registrations": [], "sip-parameters": {} "x": 1}', 1, 44), ('{"registrations": []} {}', 1, 23),
    ('{"registrations": [' + "[" * 40 + "]" * 40 + "]}", 1, 52)])
def test_what_is_not_json_is_told_with_line_and_column(full, body, line, column):
    answer = full.put("/config", body).expect(400, "not_json")
    fault = answer.violation("", "not_json")
    assert (fault["line"], fault["column"]) == (line, column), answer


def test_a_document_of_several_mib_is_taken_here_and_only_here(full):
    document = full.get("/config").json
    document["registrations"] += [{"name": f"r{n:05}", "enabled": False, "server": "192.0.2.1", "username": "u" * 100, "note": "n" * 250,
                                   "password": f"secret-{n}"} for n in range(5000)]
    assert len(json.dumps(document)) > 2 << 20
    done = full.put("/config", document).expect(200)
    assert done["changes"]["create"] == 5000 and len(done["diff"]) == 100
    shown = full.get("/config").expect(200)
    assert len(shown["registrations"]) == 5002
    assert full.put("/config", shown.text).expect(200)["changed"] is False
    full.request("PUT", "/registrations/a", "x" * ((1 << 20) + 1)).expect(413)
    assert full.put("/config", {**document, "registrations": document["registrations"][:2]}).expect(200)["changes"]["delete"] == 5000
    assert full.get("/config").json["registrations"] == document["registrations"][:2]


def test_more_violations_than_are_told_are_said_to_be_there(full):
    document = full.get("/config").json
    document["registrations"] += [{"name": f"r{n}"} for n in range(9000)]
    errors = full.put("/config", document).expect(422)["errors"]
    assert len(errors) == 1001 and errors[-1]["code"] == "too_many" and errors[0]["pointer"] == "/registrations/2/server"


def test_an_object_changed_while_the_document_was_read_is_judged_as_it_is_then(full):
    """Many documents race with changes of one registration: each replacement wins wholly, also over what it did not know."""
    document = full.get("/config").json
    document["registrations"] += [{"name": f"r{n:04}", "enabled": False, "server": "h", "username": "u"} for n in range(3000)]
    text = json.dumps(document)
    full.put("/config", text).expect(200)
    stop = threading.Event()
    other = type(full)(full.url, token=full.token)

    def disturb():
        count = 0
        while not stop.is_set():
            count += 1
            other.change("carrier-a", note=f"n{count}", password="another")
            other.put("/registrations/extra", server="h", username="u")
            other.request("DELETE", "/registrations/extra")
    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(6):
            done = full.put("/config", text).expect(200)
            one = full.get(f"/revisions/{done['revision']}").json if done["changed"] else None
            for change in one["changes"] if one else ():
                assert change["name"] in ("carrier-a", "extra"), change
                if change["name"] == "carrier-a":
                    assert change["after"]["note"] == "äöü \"quoted\"" and change["after"]["password"] == {"set": True}
    finally:
        stop.set()
        thread.join()
    full.put("/config", text).expect(200)
    assert full.get("/registrations/carrier-a")["note"] == "äöü \"quoted\""
    full.request("GET", "/registrations/extra").expect(404)


# ---- secrets on the way

def test_an_export_makes_the_same_configuration_on_a_fresh_machine(full, fresh):
    sealed = full.post("/config/export", passphrase=PASSPHRASE).expect(200)
    assert not any(secret in sealed.text for secret in SECRETS)
    target = fresh.start("mgmtd").api()
    answer = target.put("/config", sealed.text, headers={"X-Passphrase": PASSPHRASE}).expect(200)
    assert answer["revision"] == 1 and answer["changes"]["create"] == 4
    assert config(target) == config(full)
    assert_same_secrets(target)
    assert PASSPHRASE not in fresh.log("mgmtd") and not any(secret in fresh.log("mgmtd") for secret in SECRETS)
    assert not any(secret in target.get("/revisions/1").text for secret in SECRETS)


def test_without_secrets_a_fresh_machine_says_which_are_missing(full, fresh):
    target = fresh.start("mgmtd").api()
    answer = target.put("/config", full.get("/config").text).expect(422)
    for pointer in ("/registrations/0/password", "/mapping-gateways/0/password", "/routing-gateways/0/password"):
        answer.violation(pointer, "bad_format")
    assert len(answer["errors"]) == 3 and target.get("/config")["revision"] == 0


@pytest.mark.parametrize("passphrase, code", [("wrong horse battery", "wrong_passphrase"), (None, "required")])
def test_a_wrong_or_missing_passphrase_is_one_error_and_changes_nothing(full, passphrase, code):
    sealed = full.post("/config/export", passphrase=PASSPHRASE).expect(200).json
    full.change("carrier-a", note="changed since")
    before = full.get("/config").text
    answer = full.put("/config", sealed, headers={"X-Passphrase": passphrase} if passphrase else None).expect(422)
    answer.violation("/secrets", code)
    assert len(answer["errors"]) == 1 and full.get("/config").text == before


def test_a_sealed_secret_opens_only_where_it_belongs_and_as_it_was(full):
    sealed = full.post("/config/export", passphrase=PASSPHRASE).expect(200).json
    moved = copy.deepcopy(sealed)
    moved["registrations"][1]["password"] = sealed["registrations"][0]["password"]
    text = sealed["mapping-gateways"][0]["password"]["sealed"]
    moved["mapping-gateways"][0]["password"]["sealed"] = ("A" if text[0] != "A" else "B") + text[1:]
    answer = full.put("/config", moved, headers={"X-Passphrase": PASSPHRASE}).expect(422)
    answer.violation("/registrations/1/password", "bad_format")
    answer.violation("/mapping-gateways/0/password", "bad_format")
    greedy = {**sealed, "secrets": {**sealed["secrets"], "memlimit": 1 << 40, "opslimit": 10 ** 6}}
    answer = full.put("/config", greedy, headers={"X-Passphrase": PASSPHRASE}).expect(422)
    answer.violation("/secrets/memlimit", "out_of_range")
    answer.violation("/secrets/opslimit", "out_of_range")
    full.post("/config/export", passphrase="short").expect(422).violation("/passphrase", "out_of_range")


def test_the_readme_moves_a_configuration(full, lab, tmp_path):
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    before = config(full)
    for block in commands("moving"):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=30,
                              env={"PATH": "/usr/bin:/bin", "API": full.base, "TOKEN": full.token})
        assert done.returncode == 0 and json.loads(done.stdout) == {"create": 0, "update": 0, "delete": 0}, done
    assert config(full) == before and "sealed" in (tmp_path / "sealed.json").read_text()


# ---- without a running mgmtd

def mgmtd(*words, **options):
    return subprocess.run([BUILD / "mgmtd", *[str(word) for word in words]], capture_output=True, text=True, timeout=60, **options)


def test_offline_export_and_import_move_the_configuration_with_its_secrets(full, lab, fresh, tmp_path):
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\nsecond line\n")
    words = ["--run", lab.run, "--passphrase-file", tmp_path / "passphrase"]
    busy = mgmtd("--state", lab.state, "--export", "-", *words)
    assert busy.returncode == 1 and "in use by another mgmtd" in busy.stderr and not busy.stdout
    before = config(full)
    lab.stop("mgmtd")
    file = tmp_path / "sealed.json"
    done = mgmtd("--state", lab.state, "--export", file, *words)
    assert done.returncode == 0, done
    assert file.stat().st_mode & 0o777 == 0o600 and not any(secret in file.read_text() for secret in SECRETS)
    plain = mgmtd("--state", lab.state, "--run", lab.run, "--export", "-")
    assert plain.returncode == 0 and {k: v for k, v in json.loads(plain.stdout).items() if k not in ("revision", "at")} == before
    done = mgmtd("--state", fresh.state, "--import", "-", *words, input=file.read_text())
    assert done.returncode == 0 and "made revision 1" in done.stderr, done
    target = fresh.start("mgmtd").api()
    assert config(target) == before
    assert_same_secrets(target)
    item = target.get("/revisions/1").json
    assert (item["actor"], item["address"], item["comment"]) == ("mgmtd", "local", "mgmtd --import")


def test_offline_import_says_what_is_wrong_and_changes_nothing(full, lab, tmp_path):
    before = config(full)
    document = full.get("/config").json
    lab.stop("mgmtd")
    common = ["--state", lab.state, "--run", lab.run]
    document["registrations"][0]["port"] = -1
    done = mgmtd(*common, "--import", "-", input=json.dumps(document))
    assert done.returncode == 1 and "/registrations/0/port: " in done.stderr and "nothing was changed" in done.stderr, done
    done = mgmtd(*common, "--import", "-", input='{\n"x" 1}')
    assert done.returncode == 1 and "line 2, column 5" in done.stderr, done
    done = mgmtd(*common, "--import", tmp_path / "nowhere")
    assert done.returncode == 1 and "nowhere: No such file" in done.stderr, done
    (tmp_path / "short").write_text("short\n")
    done = mgmtd(*common, "--export", "-", "--passphrase-file", tmp_path / "short")
    assert done.returncode == 1 and "12 to 1024 bytes" in done.stderr and not done.stdout, done
    assert mgmtd(*common, "--import", "-", "--export", "-").returncode == 2
    assert mgmtd(*common, "--passphrase-file", "x").returncode == 2
    done = mgmtd("--state", tmp_path / "nothing", "--run", lab.run, "--export", "-")
    assert done.returncode == 1 and "No such file" in done.stderr and not (tmp_path / "nothing").exists(), done
    lab.start("mgmtd")
    assert config(lab.api()) == before
