"""POST /backup, and back again."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import threading


from test_config import SECRETS, assert_same_secrets, commands, config, fill


def check_copy(path):
    """What is in it, once it is known to be whole: newest revision, documents."""
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        previous, count, last = bytes(32), 0, {}
        for number, record, before, digest in db.execute("SELECT revision, record, prev_hash, hash FROM revisions ORDER BY revision"):
            count += 1
            assert number == count and before == previous and digest == hashlib.sha256(previous + record.encode()).digest(), number
            previous = digest
            for change in json.loads(record)["changes"]:
                last[change["kind"], change["name"]] = change["after"]
        documents = {(kind, name): json.loads(text) for kind, name, text in db.execute("SELECT kind, name, document FROM documents")}
    db.close()
    assert documents == {key: after for key, after in last.items() if after is not None}
    return count, documents


def test_a_backup_under_load_is_one_moment_of_the_database(lab):
    api = fill(lab.start("mgmtd").api())
    # Enough pages for many steps.
    for first in range(0, 3000, 1000):
        api.post("/changes", changes=[{"op": "put", "kind": "registrations", "name": f"r{n:05}",
                                       "value": {"enabled": False, "server": "192.0.2.1", "username": "u", "note": "n" * 250}}
                                      for n in range(first, first + 1000)]).expect(200)
    done, stop = [], threading.Event()

    def write(own, name):
        while not stop.is_set():
            done.append(own.change(name, note=f"n{len(done)}")["revision"])
    threads = [threading.Thread(target=write, args=(lab.api(token=api.token), f"r{n:05}")) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for include_key in (False, True):
            before = len(done)
            backup = api.post("/backup", include_key=include_key).expect(200).json
            directory = lab.state / "backups" / backup["name"]
            count, documents = check_copy(directory / "tandem.db")
            assert backup["revision"] == count and backup["name"].endswith(f"-r{count}")
            assert max(done[:before], default=0) <= count  # what was answered before is in it
            assert sorted(backup["files"]) == sorted(p.name for p in directory.iterdir() if not p.name.endswith(("-wal", "-shm")))
            assert ("secret.key" in backup["files"]) == include_key
            assert backup["bytes"] == (directory / "tandem.db").stat().st_size
            assert all(p.stat().st_mode & 0o077 == 0 for p in [directory, *directory.iterdir()])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not list((lab.state / "backups").glob(".part*"))
    api.post("/backup", {}).expect(422).violation("/include_key", "required")
    api.post("/backup", {"include_key": 1}).expect(422).violation("/include_key", "wrong_type")


def test_a_backup_that_cannot_be_written_leaves_nothing_and_says_so(lab):
    api = fill(lab.start("mgmtd").api())
    (lab.state / "backups").write_text("in the way")
    answer = api.post("/backup", include_key=False).expect(503, "store_unavailable")
    assert "could not be made" in answer["detail"]
    (lab.state / "backups").unlink()
    api.post("/backup", include_key=False).expect(200)


def test_the_restore_drill_of_the_readme_brings_back_configuration_and_history(lab):
    api = fill(lab.start("mgmtd", "switchcore").api())
    lab.wait_switch()
    environment = {"PATH": "/usr/bin:/bin", "API": api.base, "TOKEN": api.token, "STATE": str(lab.state)}
    (block,) = commands("backup")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block + "\necho $NAME"], env=environment, capture_output=True, text=True, timeout=30)
    name = done.stdout.strip()
    assert done.returncode == 0 and (lab.state / "backups" / name).is_dir(), done
    saved, history = config(api), api.get("/revisions").json
    # Then everything goes wrong.
    api.delete("/routing-gateways/out").expect(200)
    api.delete("/registrations/carrier-a").expect(200)
    api.patch("/sip-parameters", SS_SIP_USER_AGENT_EXPIRE=7200).expect(200)
    lab.stop("mgmtd")
    (block,) = commands("restore")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], env={**environment, "NAME": name}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done
    lab.start("mgmtd")
    api = lab.api()
    assert config(api) == saved and api.get("/revisions").json == history
    assert_same_secrets(api)
    answer = api.patch("/sip-parameters", {"SS_SIP_USER_AGENT_EXPIRE": 300}, query={"wait": "applied", "timeout": 10}).expect(200)
    assert answer["applied"] == "yes" and answer["revision"] == history["items"][0]["revision"] + 1
    assert api.get("/registrations/carrier-a/status")["name"] == "carrier-a"


def test_a_backup_without_the_key_says_what_is_missing(lab, tmp_path):
    api = fill(lab.start("mgmtd").api())
    name = api.post("/backup", include_key=False).expect(200)["name"]
    lab.stop("mgmtd")
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    shutil.copy(lab.state / "backups" / name / "tandem.db", other)
    assert not any(secret.encode() in (other / "tandem.db").read_bytes() for secret in SECRETS)
    done = subprocess.run([lab.command("mgmtd")[0], "--state", other, "--run", lab.run, "--listen", "127.0.0.1:0"], capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 1 and "secret.key: is missing" in done.stderr, done
    shutil.copy(lab.state / "secret.key", other)
    done = subprocess.run([lab.command("mgmtd")[0], "--state", other, "--run", lab.run, "--export", "-"], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 0 and [o["name"] for o in json.loads(done.stdout)["registrations"]] == ["carrier-a", "carrier-b"], done
