"""A full disk, a read-only or locked database: 503, nothing lost, and all is well again by itself."""

import concurrent.futures
import errno
import os
import sqlite3
import subprocess

import pytest

from lab import BUILD
from test_reads import verified
from until import until

pytestmark = pytest.mark.threads

GOOD = {"server": "192.0.2.1", "username": "u", "enabled": False}


@pytest.fixture
def small(lab):
    """--state on a file system of its own, of 4 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    lab.state.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", lab.state], check=True)
    yield lab
    for name in ("switchcore", "mgmtd"):
        if name in lab.daemons:
            lab.stop(name)
    subprocess.run(["umount", "-l", lab.state], check=True)


def fill(directory):
    path = directory / "filler"
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            pass
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            pass
    return path


def refused_then_fine(lab, api, cure):
    """Writes get 503 and leave nothing; reads, the switch and the registrations go on; after the cure all is as before."""
    before = api.get("/status")["mgmtd"]
    refused = 0
    for number in range(200):
        answer = api.put(f"/registrations/full{number}", note="n" * 255, **GOOD)
        if answer.status == 503:
            answer.expect(503, "store_unavailable")
            refused += 1
            if refused >= 5:
                break
        else:
            answer.expect(201)
            before = api.get("/status")["mgmtd"]
    assert refused >= 5
    for number in range(5):
        api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=100 + number).expect(503, "store_unavailable")
    now = api.get("/status").expect(200)["mgmtd"]
    assert (now["stored_revision"], now["published_generation"]) == (before["stored_revision"], before["published_generation"])
    assert api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE")["value"] == "auto"
    api.get("/registrations").expect(200)
    api.get("/revisions").expect(200)
    assert api.status("carrier-a")["state"] == "registered"
    cure()
    answer = until(lambda: (lambda a: a if a.status == 200 else None)(api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=222)), 5,
                   "a write that goes through again")
    assert answer["revision"] == before["stored_revision"] + 1, "a refused change left a gap or a trace"
    lab.kill("mgmtd")
    lab.start("mgmtd")
    assert api.get("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE")["value"] == 222
    assert api.get("/status")["mgmtd"]["stored_revision"] == answer["revision"]


def registered(lab):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered")
    return api, registrar


def test_a_full_disk_is_503_and_recovers_by_itself(small):
    api, registrar = registered(small)
    filler = fill(small.state)
    refused_then_fine(small, api, filler.unlink)
    registrar.wait_for_binding("carrier-a", expires=222)
    small.stop("mgmtd")
    verified(small.state / "tandem.db")


@pytest.mark.parametrize("fault", [errno.EROFS, errno.EIO, errno.ENOSPC, f"fsync {errno.EIO}"])
def test_a_disk_that_fails_under_the_running_database_is_503_and_recovers_by_itself(lab, fault):
    """Read-only by the kernel's own decision, or broken: the write or only its syncing fails."""
    flag = lab.directory / "disk-is-broken"
    lab.env = {"LD_PRELOAD": str(BUILD / "tests/e2e/broken_disk.so"), "BROKEN_DISK_FLAG": str(flag), "BROKEN_DISK_DIRECTORY": str(lab.state),
               "ASAN_OPTIONS": "detect_leaks=1:verify_asan_link_order=0"}
    api, _ = registered(lab)
    flag.write_text(str(fault))
    refused_then_fine(lab, api, flag.unlink)


def test_a_database_locked_by_another_program_is_503_and_recovers_by_itself(lab):
    api, _ = registered(lab)
    other = sqlite3.connect(lab.state / "tandem.db", isolation_level=None, timeout=5)
    other.execute("BEGIN IMMEDIATE")
    refused_then_fine(lab, api, lambda: other.execute("ROLLBACK"))


def test_a_start_on_a_full_disk_is_one_line(small):
    fill(small.state)
    daemon = small.launch("mgmtd")
    assert daemon.wait_end(10) == 1
    assert len(daemon.log().splitlines()) <= 2 and str(small.state) in daemon.log()
    del small.daemons["mgmtd"]


def test_concurrent_writers_on_a_full_disk_get_an_answer_each(small):
    api, _ = registered(small)
    filler = fill(small.state)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: small.api().put(f"/registrations/x{n}", note="n" * 255, **GOOD), range(64)))
    assert {answer.status for answer in answers} <= {201, 503}
    created = {f"x{n}" for n, answer in enumerate(answers) if answer.status == 201}
    filler.unlink()
    assert {item["name"] for item in api.pages("/registrations")} - {"carrier-a"} == created
