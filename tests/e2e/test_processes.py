"""Two processes in any order: either may start first, die, hang or find a ruined file; the other carries on."""

import os
import re
import signal
import socket
import sqlite3
import struct
import subprocess

import pytest

import peer as peers
from lab import BUILD, Lab
from times import between
from until import stays, until

ROOT = os.geteuid() == 0
LAYOUT_HASH_AT = 24  # in the block every segment begins with


def complaints(daemon, *words):
    """The lines of its log that hold one of the words."""
    return [line for line in daemon.log().splitlines() if any(word in line for word in words)]


def ends_with_one_line(daemon, *words, code=1):
    """It ends by itself, with this exit code and one line that says why."""
    assert daemon.wait_end(10) == code, daemon.log()
    daemon.ended_on_purpose = True
    last = daemon.log().splitlines()[-1]
    assert all(word in last for word in words), f"{words} not in {last!r}"
    assert not daemon.ready_path.read_text(), "it said that it was ready"


# ---- the command line

@pytest.mark.parametrize("program", ["mgmtd", "switchcore"])
def test_help_and_version_are_for_asking(program):
    for option in ("--help", "--version"):
        result = subprocess.run([BUILD / program, option], capture_output=True, text=True, timeout=10)
        assert result.returncode == 0 and result.stdout and not result.stderr
    for word in ("--run", "--log-level") + (("--state", "--listen") if program == "mgmtd" else ("--sip", "--stop-timeout")):
        assert word in subprocess.run([BUILD / program, "--help"], capture_output=True, text=True, timeout=10).stdout


@pytest.mark.parametrize("words", [
    ["mgmtd", "--nonsense"], ["mgmtd", "--listen", "127.0.0.1"], ["mgmtd", "--listen", "127.0.0.1:99999"], ["mgmtd", "--listen"],
    ["mgmtd", "--listen", "nowhere:80"], ["mgmtd", "more"], ["mgmtd", "--log-level", "loud"],
    ["switchcore", "--nonsense"], ["switchcore", "--sip", "127.0.0.1"], ["switchcore", "--sip", "sctp:127.0.0.1:5060"],
    ["switchcore", "--sip", "udp:127.0.0.1:65536"], ["switchcore", "--sip", "udp:127.0.0.1:0,advertise="],
    ["switchcore", "--register-rate", "-1"], ["switchcore", "--register-rate", "x"], ["switchcore", "--stop-timeout", "x"],
    ["switchcore", "--sip", "a=udp:127.0.0.1:0", "--sip", "a=udp:127.0.0.1:0"], ["switchcore", "more"]])
def test_a_wrong_command_line_is_exit_code_2_and_says_what(lab, words):
    program, *rest = words
    base = [BUILD / program, "--run", lab.run] + (["--state", lab.state] if program == "mgmtd" else [])
    result = subprocess.run([*base, *rest], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    assert result.returncode == 2, result.stderr
    assert 1 <= len(result.stderr.splitlines()) <= 2 and program in result.stderr
    assert not result.stdout


def test_a_listener_open_to_the_world_needs_tls_or_a_word(lab):
    lab.url = "http://0.0.0.0:0"
    daemon = lab.launch("mgmtd")
    assert daemon.wait_end(10) in (1, 2) and "--insecure-http" in daemon.log().splitlines()[-1]
    daemon.ended_on_purpose = True


# ---- order of starting

def test_the_switch_may_start_first_and_says_that_it_waits(lab):
    registrar = lab.peer()
    lab.start("switchcore")
    lab.switchcore.wait_log("wait")
    api = lab.start("mgmtd").api()
    lab.wait_switch()
    api.registration("carrier-a", registrar)
    registrar.wait_for_register()


def test_the_switch_runs_on_without_mgmtd_and_is_touched_by_nothing_when_it_is_back(lab):
    registrar = lab.peer(peers.granting(8))
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    other = lab.peer()
    api.registration("carrier-b", other)
    registrar.wait_for_register()
    api.wait_for_state("carrier-b", "registered")
    generation = api.get("/status")["mgmtd"]["published_generation"]
    lab.kill("mgmtd")
    registrar.wait_for_register(count=2, within=6)
    lab.start("mgmtd")
    lab.wait_switch()
    assert api.get("/status")["mgmtd"]["published_generation"] == generation, "a level segment is only attached to"
    third = registrar.wait_for_register(count=3, within=6)
    assert between(registrar.registers()[1], third, 3.6, 4.4)
    assert len(other.registers()) == 1
    status = api.status("carrier-b")
    assert status["state"] == "registered" and status["stale"] is False


def test_without_the_switch_changes_are_stored_and_its_state_is_told_within_two_seconds(lab):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered", stale=False)
    lab.kill("switchcore")
    lab.wait_switch("down", within=2.2)
    core = api.get("/status")["switchcore"]
    assert core["pid"] is None and core["applied_revision"] is None and core["heartbeat_age_ms"] is None
    stale = api.status("carrier-a")
    assert stale["stale"] is True and stale["state"] == "registered"
    answer = api.registration("carrier-b", registrar)
    assert answer["applied"] == "switchcore_down"
    api.post("/registrations/carrier-a/refresh").expect(503, "switchcore_down")
    assert api.status("carrier-b")["state"] in ("unregistered", "queued", "disabled", None) or api.status("carrier-b")["stale"]
    lab.start("switchcore")
    registrar.wait_for_binding("carrier-b")
    api.wait_for_state("carrier-a", "registered", stale=False)
    assert api.get("/status")["switchcore"]["applied_revision"] == answer["revision"]


def test_a_hung_switch_is_down_and_a_command_to_it_times_out(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered")
    lab.switchcore.pause()
    try:
        refused = api.post("/registrations/carrier-a/refresh")  # not answered, or known to be down by then
        refused.expect(refused.status, {503: "switchcore_down", 504: "switchcore_timeout"}[refused.status])
        lab.wait_switch("down", within=4)
        assert api.status("carrier-a")["stale"] is True
        assert api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", {"value": 600}, query={"wait": "applied"}).expect(200)["applied"] \
            in ("switchcore_down", "pending")
    finally:
        lab.switchcore.resume()
    lab.wait_switch("up")
    registrar.wait_for_register(expires=600)
    assert api.status("carrier-a")["stale"] is False


@pytest.mark.parametrize("order", [("mgmtd", "switchcore"), ("switchcore", "mgmtd")])
def test_a_clean_stop_and_start_in_either_order(lab, order):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    registrar.wait_for_binding("carrier-a")
    for name in order:
        lab.stop(name)
    for name in order:
        lab.start(name)
    lab.wait_switch()
    registrar.wait_for_binding("carrier-a")
    api.wait_for_state("carrier-a", "registered")


def test_sigint_is_a_clean_stop_too(lab):
    lab.start("mgmtd", "switchcore")
    for name in ("mgmtd", "switchcore"):
        assert lab.daemons[name].stop(sig=signal.SIGINT) == 0


# ---- files deleted or ruined

def test_all_segments_deleted_by_hand_are_made_again(lab):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered")
    for path in lab.run.iterdir():
        if path.is_file() or path.is_socket():
            path.unlink()
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", value=300).expect(200)
    stays(lambda: lab.mgmtd.running and lab.switchcore.running, 1, "both live")
    for name in ("switchcore", "mgmtd"):
        lab.kill(name)
    lab.start("mgmtd", "switchcore")
    lab.wait_switch()
    registrar.wait_for_binding("carrier-a", expires=300)
    assert api.wait_for_state("carrier-a", "registered")["stale"] is False


def ruin_layout(path):
    with open(path, "r+b") as file:
        file.seek(LAYOUT_HASH_AT)
        file.write(struct.pack("<Q", 0x1234567890abcdef))


def ruin_magic(path):
    with open(path, "r+b") as file:
        file.write(b"GARBAGE!")


def truncate(path):
    os.truncate(path, 5000)


def empty(path):
    os.truncate(path, 0)


def give_away(path):
    os.chown(path, 65534, 65534)


RUINS = [(ruin_layout, ("layout",)), (ruin_magic, ("config",)), (truncate, ("config",)), (empty, ("config",)),
         pytest.param(give_away, ("config",), marks=pytest.mark.skipif(not ROOT, reason="only root can give a file away"))]


@pytest.mark.parametrize("ruin, words", RUINS)
def test_a_ruined_config_segment_is_refused_by_the_switch_with_one_line_and_made_again_by_mgmtd(lab, ruin, words):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    registrar.wait_for_binding("carrier-a")
    for name in ("switchcore", "mgmtd"):
        lab.stop(name)
    ruin(lab.run / "config")
    switch = lab.launch("switchcore")
    until(lambda: complaints(switch, *words) or not switch.running, 5, lambda: f"a line with {words}: {switch.log()}")
    until(lambda: complaints(switch, *words), 1, lambda: f"a line with {words}: {switch.log()}")
    if ruin is ruin_layout:
        assert "1234567890abcdef" in complaints(switch, *words)[0].lower(), "both values"
    stays(lambda: len(complaints(switch, *words)) == 1, 1.5, lambda: f"one line: {switch.log()}")
    if not switch.running:
        assert switch.process.returncode == 1
        switch.ended_on_purpose = True
    if ruin is give_away:
        mgmtd = lab.launch("mgmtd")
        ends_with_one_line(mgmtd, "config")
        (lab.run / "config").unlink()
    lab.start("mgmtd")
    if not switch.running:
        lab.start("switchcore")
    lab.wait_switch()
    api.wait_for_state("carrier-a", "registered")


@pytest.mark.parametrize("ruin", [ruin_layout, ruin_magic, truncate, empty])
@pytest.mark.parametrize("name", ["status", "readers"])
def test_a_ruined_status_or_readers_file_is_made_again_by_who_writes_it(lab, ruin, name):
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    registrar.wait_for_binding("carrier-a")
    for daemon in ("switchcore", "mgmtd"):
        lab.stop(daemon)
    ruin(lab.run / name)
    lab.start("mgmtd", "switchcore")
    lab.wait_switch()
    api.wait_for_state("carrier-a", "registered", stale=False)


@pytest.mark.parametrize("ruin", [ruin_layout, ruin_magic])
def test_a_status_segment_of_another_layout_is_told_and_crashes_nobody(lab, ruin):
    """An old switch beside a new mgmtd."""
    api = lab.start("mgmtd", "switchcore").api()
    lab.wait_switch()
    ruin(lab.run / "status")
    lab.restart("mgmtd")
    until(lambda: api.get("/status")["switchcore"]["state"] in ("mismatch", "down"), 5, "a mismatch")
    assert ruin is not ruin_layout or api.get("/status")["switchcore"]["state"] == "mismatch"
    stays(lambda: lab.mgmtd.running and lab.switchcore.running, 1.5, "both live")
    assert len(complaints(lab.mgmtd, "status")) == 1, lab.mgmtd.log()


def test_a_truncated_segment_under_running_daemons_does_not_hurt_the_other_objects(lab):
    """Truncating a mapped file is SIGBUS for whoever reads it: nobody but the owner can, and both come back after a restart."""
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    registrar.wait_for_binding("carrier-a")
    for name in ("switchcore", "mgmtd"):
        lab.kill(name)
    truncate(lab.run / "config")
    lab.start("mgmtd", "switchcore")
    lab.wait_switch()
    api.wait_for_state("carrier-a", "registered", stale=False)


# ---- what is taken already

def test_a_second_mgmtd_on_the_same_state_is_refused_and_the_first_unharmed(lab):
    api = lab.start("mgmtd", "switchcore").api()
    first, url, lab.url = lab.mgmtd, lab.url, None
    ends_with_one_line(lab.launch("mgmtd"), str(lab.state))
    lab.daemons["mgmtd"], lab.url = first, url
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", {"value": 60}, query={"wait": "applied"}).expect(200)


def test_a_second_mgmtd_on_the_same_run_directory_is_refused(lab):
    api = lab.start("mgmtd", "switchcore").api()
    first, state, url = lab.mgmtd, lab.state, lab.url
    lab.state, lab.url = lab.directory / "other", None
    ends_with_one_line(lab.launch("mgmtd"), str(lab.run))
    lab.daemons["mgmtd"], lab.state, lab.url = first, state, url
    api.put("/sip-parameters/SS_SIP_USER_AGENT_EXPIRE", {"value": 60}, query={"wait": "applied"}).expect(200)


def test_a_second_switch_on_the_same_run_directory_is_refused(lab):
    registrar = lab.peer()
    api = lab.start("mgmtd", "switchcore").api()
    first, sip = lab.switchcore, lab.sip
    lab.sip = [f"udp:{lab.host}:0"]
    ends_with_one_line(lab.launch("switchcore"), str(lab.run))
    lab.daemons["switchcore"], lab.sip = first, sip
    api.registration("carrier-a", registrar)
    api.wait_for_state("carrier-a", "registered", stale=False)


def test_a_port_in_use_is_one_line(lab):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        lab.url = f"http://127.0.0.1:{port}"
        ends_with_one_line(lab.launch("mgmtd"), str(port))
    for kind, transport in ((socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "tcp")):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind((lab.host, 0))
            if transport == "tcp":
                taken.listen()
            port = taken.getsockname()[1]
            lab.sip = [f"{transport}:{lab.host}:{port}"]
            ends_with_one_line(lab.launch("switchcore"), str(port))


def test_a_port_is_free_again_at_once_after_a_stop(lab):
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", lab.kamailio(digest=False), transport="tcp")
    api.wait_for_state("carrier-a", "registered")
    for _ in range(3):
        lab.restart("mgmtd")
        lab.restart("switchcore")
    lab.wait_switch()


def test_an_address_that_is_not_ours_is_one_line(lab):
    lab.sip = ["udp:192.0.2.77:5060"]
    ends_with_one_line(lab.launch("switchcore"), "192.0.2.77")


def test_a_database_of_a_newer_version_is_refused_with_both_versions(lab):
    lab.start("mgmtd")
    lab.stop("mgmtd")
    path = lab.state / "tandem.db"
    database = sqlite3.connect(path)
    (known,) = database.execute("PRAGMA user_version").fetchone()
    database.execute("PRAGMA user_version = 4711")
    database.close()
    before = path.read_bytes()
    ends_with_one_line(lab.launch("mgmtd"), "4711", str(known))
    assert path.read_bytes() == before, "it was touched"


def test_a_file_that_is_no_database_is_refused_and_kept(lab):
    lab.start("mgmtd")
    lab.stop("mgmtd")
    content = b"this is no database, whatever its name says\n" * 100
    (lab.state / "tandem.db").write_bytes(content)
    ends_with_one_line(lab.launch("mgmtd"), "tandem.db")
    assert (lab.state / "tandem.db").read_bytes() == content


def test_a_lost_key_is_told_and_nothing_is_overwritten(lab):
    """The database without the key that its secrets are encrypted with."""
    api = lab.start("mgmtd").api()
    api.registration("carrier-a", lab.peer(), password="secret")
    lab.stop("mgmtd")
    keys = [path for path in lab.state.iterdir() if "key" in path.name]
    assert keys
    for path in keys:
        path.rename(path.with_suffix(".away"))
    daemon = lab.launch("mgmtd")
    assert daemon.wait_end(10) == 1 and "key" in daemon.log().splitlines()[-1]
    for path in keys:
        path.with_suffix(".away").rename(path)
    lab.start("mgmtd").api().get("/registrations/carrier-a").expect(200)


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_a_directory_of_another_user_is_refused(lab):
    os.chown(lab.run, 65534, 65534)
    ends_with_one_line(lab.launch("mgmtd"), str(lab.run))
    lab.sip = [f"udp:{lab.host}:0"]
    ends_with_one_line(lab.launch("switchcore"), str(lab.run))


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_neither_process_needs_root_after_the_start(lab):
    os.chmod(lab.directory, 0o755)
    for part in lab.directory.parents:
        if str(part).startswith("/tmp/") and part.stat().st_uid == 0:
            os.chmod(part, part.stat().st_mode | 0o055)
    lab.state.mkdir(mode=0o700)
    for path in (lab.state, lab.run, lab.password_file):
        os.chown(path, 65534, 65534)
    lab.extra = {"mgmtd": ["--user", "nobody"], "switchcore": ["--user", "nobody"]}
    registrar = lab.kamailio(digest=False)
    api = lab.start("mgmtd", "switchcore").api()
    api.registration("carrier-a", registrar)
    registrar.wait_for_binding("carrier-a")
    for name in ("mgmtd", "switchcore"):
        status = open(f"/proc/{lab.daemons[name].pid}/status").read()
        assert re.search(r"^Uid:\s+65534\s+65534\s+65534", status, re.M), name


def test_several_instances_run_side_by_side(lab, tmp_path):
    (tmp_path / "second").mkdir()
    second = Lab(tmp_path / "second")
    try:
        registrar = lab.kamailio(digest=False)
        for number, one in enumerate((lab, second)):
            one.start("mgmtd", "switchcore").api().registration(f"carrier-{number}", registrar)
            registrar.wait_for_binding(f"carrier-{number}")
        lab.kill("mgmtd")
        lab.kill("switchcore")
        second.api().change("carrier-1", register_period=333)
        registrar.wait_for_binding("carrier-1", expires=333)
    finally:
        second.close()
    assert not second.problems


def test_a_small_configuration_fits_a_small_tmpfs(lab):
    """64 MiB, the /dev/shm of a container."""
    if not ROOT:
        pytest.skip("only root can mount")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", lab.run], check=True)
    try:
        registrar = lab.kamailio(digest=False)
        lab.start("mgmtd", "switchcore").api().registration("carrier-a", registrar)
        registrar.wait_for_binding("carrier-a")
        for name in ("switchcore", "mgmtd"):
            lab.stop(name)
    finally:
        subprocess.run(["umount", "-l", lab.run], check=True)


def test_too_little_room_for_the_segment_is_one_line_with_needed_and_free_bytes(lab):
    if not ROOT:
        pytest.skip("only root can mount")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", lab.run], check=True)
    try:
        daemon = lab.launch("mgmtd")
        ends_with_one_line(daemon, str(lab.run))
        assert len(re.findall(r"\d{5,}", daemon.log().splitlines()[-1])) >= 2, "needed and free bytes"
        lab.sip = [f"udp:{lab.host}:0"]
        ends_with_one_line(lab.launch("switchcore"), str(lab.run))
    finally:
        subprocess.run(["umount", "-l", lab.run], check=True)


def test_a_run_directory_that_is_no_tmpfs_is_a_warning(lab, tmp_path):
    old, lab.run = lab.run, tmp_path / "run"
    old.rmdir()
    lab.start("mgmtd")
    assert "tmpfs" in lab.mgmtd.log()
