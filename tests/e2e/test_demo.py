"""What a newcomer does first: make run, make demo, and the walk-through of README.md."""

import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from api import Api
from daemon import Daemon
from lab import BUILD, loopback_address
from times import seconds_between
from until import until

ROOT = pathlib.Path(__file__).parents[2]


class Live:
    """tests/demo/run in the foreground, as make calls it."""

    def __init__(self, directory, *options, **environment):
        self.directory = directory
        self.host = loopback_address()
        self.run = pathlib.Path("/dev/shm") / f"tandem-live-{os.getpid()}-{self.host}"
        self.environment = {"STATE": str(directory / "state"), "RUN": str(self.run), "LISTEN": "127.0.0.1:0",
                            "SIP": f"udp:{self.host}:0 tcp:{self.host}:0", "REGISTRAR": f"{self.host}:5080", **environment}
        self.daemon = Daemon("tandem", [ROOT / "tests/demo/run", *options, BUILD], directory / "live.log", self.environment)

    def output(self):
        return self.daemon.ready_path.read_text()

    def wait_output(self, pattern, within=30):
        def found():
            match = re.search(pattern, self.output(), re.M)
            assert match or self.daemon.running, self.output() + self.daemon.log()
            return match
        return until(found, within, lambda: f"{pattern!r} in {self.output()}{self.daemon.log()}")

    def children(self):
        return [int(pid) for pid in pathlib.Path(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children").read_text().split()]

    def child(self, name):
        return next((pid for pid in self.children() if name in pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0]), None)


@pytest.fixture
def live(tmp_path):
    started = []

    def start(*options, **environment):
        started.append(Live(tmp_path, *options, **environment))
        return started[-1]
    yield start
    for one in started:
        if one.daemon.running:
            one.daemon.stop(within=20)
        shutil.rmtree(one.run, ignore_errors=True)


def test_run_prints_the_address_and_where_the_first_password_is_and_stops_cleanly(live):
    run = live()
    url = run.wait_output(r"API on (\S+)/api/v1").group(1)
    path = run.wait_output(r"password is in (\S+)").group(1)
    assert run.wait_output(r"panel on (\S+)/\s").group(1) == url
    run.wait_output("Ctrl-C")
    api = Api(url, password=pathlib.Path(path).read_text().strip())
    until(lambda: api.get("/status").expect(200)["switchcore"]["state"] == "up", 5, "switchcore up")
    children = run.children()
    run.daemon.process.send_signal(signal.SIGINT)
    assert run.daemon.wait_end(15) == 0, run.output()
    assert not [pid for pid in children if pathlib.Path(f"/proc/{pid}").exists()], "something is left behind"
    assert "stopped" in run.output()


def test_a_daemon_that_dies_is_started_again_and_said_so(live):
    run = live()
    url = run.wait_output(r"API on (\S+)/api/v1").group(1)
    path = run.wait_output(r"password is in (\S+)").group(1)
    run.wait_output("Ctrl-C")
    api = Api(url, password=pathlib.Path(path).read_text().strip())
    until(lambda: api.get("/status")["switchcore"]["state"] == "up", 5, "switchcore up")
    first = run.child("switchcore")
    os.kill(first, signal.SIGKILL)
    run.wait_output("switchcore ended .* starting it again", within=5)
    until(lambda: api.get("/status")["switchcore"]["state"] == "up" and api.get("/status")["switchcore"]["pid"] != first, 10, "a new switch")


def test_run_says_why_it_cannot_start(live):
    run = live(SIP="udp:192.0.2.77:5060")
    assert run.daemon.wait_end(20) == 1
    assert "192.0.2.77" in run.daemon.log() and "switchcore did not start" in run.output()


def password_of(run):
    return run.wait_output(r"password: (\S+)").group(1)


@pytest.mark.slow
def test_the_demo_shows_every_state(live):
    run = live("--demo")
    url = run.wait_output(r"API on (\S+)/api/v1").group(1)
    password = password_of(run)
    run.wait_output("Ctrl-C")
    api = Api(url, password=password)
    for name in ("good", "tcp", "short", "picky"):
        api.wait_for_state(f"carrier-{name}", "registered", within=8)
    assert api.status("carrier-short")["granted_expiry"] == 30
    assert api.status("carrier-picky")["raised_to"] == 600
    assert api.wait_for_state("carrier-password", "waiting")["reason"] == "credentials"
    busy = api.wait_for_state("carrier-busy", "waiting")
    assert busy["retry_after"] == 40 and busy["last_code"] == 503
    assert api.wait_for_state("carrier-refused", "waiting")["reason"] == "transport"
    assert api.wait_for_state("carrier-disabled", "disabled")
    silent = api.wait_for_state("carrier-silent", "waiting", within=40)
    assert silent["reason"] == "timeout" and seconds_between(silent["since"], silent["next_attempt_at"]) >= 29.9
    run.daemon.process.send_signal(signal.SIGINT)
    assert run.daemon.wait_end(15) == 0, run.output()


def test_the_three_lines_that_the_demo_prints_work(live):
    run = live("--demo")
    run.wait_output("Ctrl-C")
    script = "\n".join(line for line in run.output().splitlines() if line.startswith("  "))
    result = subprocess.run(["bash", "-eu"], input=script, capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stderr
    assert '"carrier-good"' in result.stdout and '"revision"' in result.stdout, result.stdout


def test_the_demo_can_be_started_again_on_what_it_left(live):
    run = live("--demo")
    run.wait_output("Ctrl-C")
    run.daemon.process.send_signal(signal.SIGINT)
    assert run.daemon.wait_end(15) == 0, run.output()
    run.daemon = Daemon("tandem", [ROOT / "tests/demo/run", "--demo", BUILD], run.directory / "again.log", run.environment)
    run.wait_output("Ctrl-C")
    url = run.wait_output(r"API on (\S+)/api/v1").group(1)
    Api(url, password=password_of(run)).wait_for_state("carrier-good", "registered", within=8)


def walk_through():
    """The commands of the README's section, in order."""
    text = (ROOT / "README.md").read_text()
    section = re.search(r"^## Walk-through\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert section, "README.md has no section Walk-through"
    blocks = re.findall(r"^```sh\n(.*?)^```", section.group(1), re.M | re.S)
    assert blocks, "no ```sh block in it"
    return blocks


def test_the_walk_through_of_the_readme_runs_against_the_demo(live, tmp_path):
    run = live("--demo")
    url = run.wait_output(r"API on (\S+)/api/v1").group(1)
    run.wait_output("Ctrl-C")
    script = "\n".join(block for block in walk_through() if not re.fullmatch(r"\s*make \w+\s*", block))
    for shown, real in (("http://127.0.0.1:8080", url), ("127.0.0.1:8080", url.removeprefix("http://")),
                        ('"server": "127.0.0.1"', f'"server": "{run.host}"'), ("./var/demo-state", run.environment["STATE"]),
                        ("var/demo-state", run.environment["STATE"]),
                        ("-i 127.0.0.1", f"-i {run.host}"), ("127.0.0.1:5070", run.wait_output(r"SIP on udp:(\S+)").group(1)),
                        ("build/mgmtd", str(BUILD / "mgmtd")), ("wait $!", "wait $! || [ $? -eq 124 ]")):  # 124: what `timeout` ends with
        script = script.replace(shown, real)
    result = subprocess.run(["bash", "-eux", "-o", "pipefail"], input=script, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    for word in ('"state": "registered"', '"requested_expiry": 300', "REGISTER sip:", '"out_of_range"', '"wrong_type"', "412 Precondition Failed",
                 '"from": 300', "INVITE sip:998801234567@", '"billing_callee": "998801234567"', '"routable": true', '"code": 200',
                 '"actor": "token:nightly"', "this needs the role operator; token:nightly has the role viewer",
                 '"state": "pending"', '"state": "confirmed"', '"from": "bold"', '"valid": true', "revisions, head ",
                 '"trouble": "credentials"', '"trouble": "short_expiry"', '"state": "done"'):
        assert word in result.stdout, f"no {word} in {result.stdout}"
