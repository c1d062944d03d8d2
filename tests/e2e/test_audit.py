"""The audit: whatever is changed in the history by hand is found, and at which revision."""

import contextlib
import hashlib
import json
import shutil
import sqlite3
import subprocess

import pytest

from by_hand import database
from lab import BUILD

TRUNK = {"server": "192.0.2.1", "username": "u", "enabled": False}
LENGTH = 12


def offline(path, *options):
    done = subprocess.run([BUILD / "mgmtd", "--verify-audit", path, *options], capture_output=True, text=True, timeout=30)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A database with a history of LENGTH revisions, and its head; to be copied."""
    from lab import Lab
    lab = Lab(tmp_path_factory.mktemp("written"))
    api = lab.start("mgmtd").api()
    api.post("/registrations", {"name": "a", **TRUNK, "password": "hush"}, query={"comment": 'odd ,"changes":[ "words" \\ {}'}).expect(201)
    api.post("/registrations", name="b", **TRUNK).expect(201)
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=120).expect(200)
    api.delete("/registrations/b").expect(200)
    api.post("/changes", changes=[{"op": "put", "kind": "registrations", "name": name, "value": TRUNK} for name in ("c", "d", "e")]).expect(200)
    api.post("/routing-gateways", name="out", host="gw.example.net", registration="c").expect(201)
    for port in range(6):
        api.patch("/registrations/d", port=5070 + port).expect(200)
    head = api.get("/audit/head").expect(200).json
    assert head["revision"] == LENGTH
    online = api.get("/audit/verify").expect(200).json
    assert online == {"valid": True, "revisions": LENGTH, "first_bad": None, "why": None, "head": head}
    lab.stop("mgmtd")
    yield lab.state / "tandem.db", f"{head['revision']}:{head['hash']}"
    lab.close()
    assert not lab.problems


@pytest.fixture
def copy(written, tmp_path):
    path = tmp_path / "tandem.db"
    shutil.copy(written[0], path)
    return path


def by_hand(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            statement(connection) if callable(statement) else connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def chained(connection, revision, record):
    """Puts a record with the hashes that it needs, and mends all that follow: a chain written anew."""
    rows = dict(connection.execute("SELECT revision, record FROM revisions"))
    rows[revision] = record
    previous = bytes(32)
    connection.execute("DELETE FROM revisions")
    for number in sorted(rows):
        own = hashlib.sha256(previous + rows[number].encode()).digest()
        connection.execute("INSERT INTO revisions VALUES (?, ?, ?, ?)", (number, rows[number], previous, own))
        previous = own


def record_of(connection, revision):
    return connection.execute("SELECT record FROM revisions WHERE revision = ?", (revision,)).fetchone()[0]


def rewrite(revision, old, new):
    def statement(connection):
        record = record_of(connection, revision)
        assert old in record
        chained(connection, revision, record.replace(old, new))
    return statement


def swap(one, other):
    def statement(connection):
        first, second = record_of(connection, one), record_of(connection, other)
        connection.execute("UPDATE revisions SET record = ? WHERE revision = ?", (second, one))
        connection.execute("UPDATE revisions SET record = ? WHERE revision = ?", (first, other))
    return statement


def append(connection):
    chained(connection, LENGTH + 1, record_of(connection, LENGTH).replace(f'"revision":{LENGTH},', f'"revision":{LENGTH + 1},'))


def forget_last(connection):
    """The last revision as if it had never been, in all tables."""
    before = json.loads(record_of(connection, LENGTH))["changes"][0]["before"]
    last = json.loads(record_of(connection, LENGTH - 1))
    connection.execute("DELETE FROM revisions WHERE revision = ?", (LENGTH,))
    connection.execute("DELETE FROM changes WHERE revision = ?", (LENGTH,))
    connection.execute("UPDATE documents SET document = ?, revision = ?, changed_at = ?, changed_by = ? WHERE name = 'd'",
                       (json.dumps(before, separators=(",", ":"), ensure_ascii=False), LENGTH - 1, last["at"], last["actor"]))


FAULTS = {
    "a letter of a record": ("UPDATE revisions SET record = replace(record, '5071', '5072') WHERE revision = 8", 8, "hash"),
    "an actor": ("UPDATE revisions SET record = replace(record, '\"actor\":\"admin\"', '\"actor\":\"mallo\"') WHERE revision = 3", 3, "hash"),
    "a hash": ("UPDATE revisions SET hash = zeroblob(32) WHERE revision = 5", 5, "hash"),
    "the hash before": ("UPDATE revisions SET prev_hash = zeroblob(32) WHERE revision = 5", 5, "hash of the one before"),
    "a hash of another length": ("UPDATE revisions SET hash = x'00' WHERE revision = 5", 5, "hash"),
    "no record": ("UPDATE revisions SET record = '' WHERE revision = 7", 7, "hash"),
    "a NUL in a record": ("UPDATE revisions SET record = record || char(0) || 'x' WHERE revision = 7", 7, "hash"),
    "a removed revision": ("DELETE FROM revisions WHERE revision = 6", 6, "missing"),
    "the first one removed": ("DELETE FROM revisions WHERE revision = 1", 1, "missing"),
    "two that changed places": (swap(7, 8), 7, "hash"),
    "one before the first": ("INSERT INTO revisions VALUES (-3, '{}', zeroblob(32), zeroblob(32))", -3, "before the first"),
    "one appended": ("INSERT INTO revisions SELECT 13, record, hash, hash FROM revisions WHERE revision = 12", 13, "hash"),
    "one appended and chained": (append, 13, "index of changes lacks"),
    "one truncated": ("DELETE FROM revisions WHERE revision > 10", 11, "changed registrations/d"),
    "a number in a chained record": (rewrite(4, '"revision":4,', '"revision":44,'), 4, "calls itself 44"),
    "a chained record that is none": (rewrite(4, '"changes":[{', '"changes":[{ '), 4, "none that mgmtd writes"),
    "a document": ("UPDATE documents SET document = replace(document, '5075', '5076') WHERE name = 'd'", 12, "document of registrations/d"),
    "a user of a document": ("UPDATE documents SET changed_by = 'mallory' WHERE name = 'out'", 6, "document of routing-gateways/out"),
    "a document's revision": ("UPDATE documents SET revision = 11 WHERE name = 'd'", 12, "but 12 changed it last"),
    "a document removed": ("DELETE FROM documents WHERE name = 'c'", 5, "registrations/c is missing"),
    "a document made": ("INSERT INTO documents SELECT kind, 'x', 9, 9, 9, changed_at, changed_by, document FROM documents WHERE name = 'c'", 9,
                        "no revision ever made registrations/x"),
    "a document back from the dead": ("INSERT INTO documents SELECT kind, 'b', 9, 2, 2, changed_at, changed_by, document FROM documents"
                                      " WHERE name = 'c'", 4, "deleted it"),
    "a change taken from the index": ("DELETE FROM changes WHERE name = 'd' AND revision = 8", 8, "lacks"),
    "a change put into the index": ("INSERT INTO changes VALUES ('registrations', 'a', 4)", 4, "which it did not"),
    "a change of an object that never was": ("INSERT INTO changes VALUES ('x', 'y', 2)", 2, "which it did not"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_changed_by_hand_is_found_at_its_revision(copy, written, fault):
    statement, first_bad, why = FAULTS[fault]
    by_hand(copy, statement)
    done = offline(copy)
    assert done.returncode == 1 and done.stdout.startswith(f"not valid: first bad revision {first_bad}: ") and why in done.stdout, done.stdout
    assert done.stdout.count("\n") == 1 and done.stderr == ""


def test_an_untouched_history_is_valid_and_nothing_is_written_beside_it(copy, written):
    done = offline(copy)
    assert (done.returncode, done.stdout) == (0, f"valid: {LENGTH} revisions, head {written[1]}\n")
    assert [path.name for path in copy.parent.iterdir()] == ["tandem.db"]
    copy.chmod(0o400)
    copy.parent.chmod(0o500)
    assert offline(copy, "--audit-head", written[1]).returncode == 0
    copy.parent.chmod(0o700)


def test_a_head_kept_elsewhere_finds_what_the_chain_alone_cannot(copy, written):
    head = written[1]
    by_hand(copy, forget_last)
    assert offline(copy).returncode == 0, "cut short in all tables it is consistent"
    done = offline(copy, "--audit-head", head)
    assert done.returncode == 1 and f"first bad revision {LENGTH}: revision {LENGTH} and what followed are missing" in done.stdout
    shutil.copy(written[0], copy)
    by_hand(copy, rewrite(2, "192.0.2.1", "192.0.2.9"))
    assert offline(copy).returncode == 0, "written anew as a whole it is consistent: b was deleted again"
    done = offline(copy, "--audit-head", head)
    assert done.returncode == 1 and f"first bad revision {LENGTH}: " in done.stdout and "written anew" in done.stdout


def test_an_older_head_stays_good_as_the_history_grows(written, copy):
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        own = connection.execute("SELECT hash FROM revisions WHERE revision = 4").fetchone()[0]
    assert offline(copy, "--audit-head", f"4:{own.hex()}").returncode == 0
    assert offline(copy, "--audit-head", f"4:{own.hex().upper()}").returncode == 0
    assert offline(copy, "--audit-head", f"5:{own.hex()}").returncode == 1


def test_what_cannot_be_verified_is_told_in_one_line(tmp_path, copy):
    (tmp_path / "text.db").write_text("no database " * 100)
    (tmp_path / "empty.db").touch()
    (tmp_path / "folder.db").mkdir()
    for path in ("missing.db", "text.db", "empty.db", "folder.db"):
        done = offline(tmp_path / path)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and done.stderr.startswith("mgmtd: ") and path in done.stderr
    for head in ("", "12", "12:ab", "x:" + "0" * 64, "1:" + "g" * 64, "-1:" + "0" * 64):
        assert offline(copy, "--audit-head", head).returncode == 2
    assert subprocess.run([BUILD / "mgmtd", "--audit-head", "1:" + "0" * 64], capture_output=True, timeout=10).returncode == 2


def test_a_running_daemon_verifies_too_and_compares_with_a_head(lab, written):
    lab.state.mkdir(mode=0o700)
    for name in ("tandem.db", "secret.key", "jwt.key"):
        shutil.copy(written[0].parent / name, lab.state / name)
    api = lab.start("mgmtd").api()
    assert api.get("/audit/verify", head=written[1]).expect(200)["valid"] is True
    assert offline(lab.state / "tandem.db").returncode == 0, "while mgmtd runs on it"
    api.patch("/registrations/d", port=1).expect(200)
    head = api.get("/audit/head").expect(200).json
    assert head["revision"] == LENGTH + 1
    now = api.get("/audit/verify", head=f"{head['revision']}:{'0' * 64}").expect(200).json
    assert (now["valid"], now["first_bad"], now["revisions"]) == (False, LENGTH + 1, LENGTH + 1) and "written anew" in now["why"]
    for wrong in ("x" * 70, "1:" + "0" * 63 + "g", "1" * 66):
        assert api.get("/audit/verify", head=wrong).expect(422)["errors"][0]["parameter"] == "head"
    lab.stop("mgmtd")
    with database(lab) as tandem:
        tandem.execute("UPDATE revisions SET record = replace(record, '5071', '5072') WHERE revision = 8")
    lab.start("mgmtd")
    now = api.get("/audit/verify").expect(200).json
    assert (now["valid"], now["first_bad"], now["revisions"], now["head"]["revision"]) == (False, 8, 7, 7) and "hash" in now["why"]
