"""Calls by SIPp: a caller and a callee on loopback addresses of their own, and what they counted."""

import csv
import pathlib
import signal
import subprocess
import time

from measure import watched
from programs import Daemon, until

SCENARIOS = pathlib.Path(__file__).with_name("scenarios")
PORT = 5060
CLEARING_S = 5          # after the last call should have ended


class Side:
    """One SIPp."""

    def __init__(self, work, scenario, host, *options):
        self.host, self.directory, self.statistics = host, pathlib.Path(work), pathlib.Path(work) / f"{scenario}.csv"
        self.statistics.unlink(missing_ok=True)
        command = ["sipp", "-sf", SCENARIOS / f"{scenario}.xml", "-i", host, "-p", PORT, "-nostdin", "-trace_stat", "-stf", self.statistics,
                   "-fd", 1, "-buff_size", 4 << 20, *options]
        self.daemon = Daemon("sipp", command, self.directory / f"{scenario}.log", env={"TERM": "dumb"})
        watched[self.daemon.pid] = "sipp"

    def wait_bound(self):
        table = pathlib.Path("/proc/net/udp")
        at = f" {''.join(f'{int(part):02X}' for part in reversed(self.host.split('.')))}:{PORT:04X} "
        until(lambda: not self.daemon.running or at in table.read_text(), 5, f"socket of sipp on {self.host}")
        assert self.daemon.running, "sipp ended: " + self.daemon.log()[-2000:]

    def rows(self):
        """One a second, and the last at the end."""
        if not self.statistics.exists():
            return []
        lines = self.statistics.read_text().splitlines()
        return [row for row in csv.DictReader(lines, delimiter=";") if row.get("Retransmissions(C)")]

    def count(self, name, row=-1):
        rows = self.rows()
        return int(rows[row][f"{name}(C)"]) if rows else 0

    def stop(self, at_once=False):
        """Ends it, with its last row written unless it is to be at once."""
        if self.daemon.running and at_once:
            self.daemon.kill()
        elif self.daemon.running:
            self.daemon.process.send_signal(signal.SIGUSR1)
            try:
                self.daemon.process.wait(3)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
        watched.pop(self.daemon.pid, None)


class Calls:
    """with Calls(…) as calls: rate in calls/s, count of calls, conversation of hold_ms; from caller_host through path to callee_host."""

    def __init__(self, work, path, caller_host, callee_host, rate, count, hold_ms):
        self.work, self.path, self.hosts, self.rate, self.number, self.hold_ms = work, path, (caller_host, callee_host), rate, count, hold_ms

    def __enter__(self):
        self.callee = Side(self.work, "callee", self.hosts[1], "-m", self.number)
        self.callee.wait_bound()
        self.caller = Side(self.work, "caller", self.hosts[0], "-m", self.number, "-r", self.rate, "-d", self.hold_ms, "-l", 1 << 20,
                           "-s", "8801234567", f"{self.path.host}:{self.path.port}")
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.caller.stop()
        self.callee.stop()

    @property
    def should_end(self):
        return self.began + self.number / self.rate + self.hold_ms / 1000 + CLEARING_S

    def finish(self, while_clean=False):
        """Waits for the end, at most a little longer than it should take; or only while no message had to be sent again."""
        while (self.caller.daemon.running or self.callee.daemon.running) and time.monotonic() < self.should_end:
            if while_clean and self.repeated():
                self.caller.stop(at_once=True)
                self.callee.stop(at_once=True)
            time.sleep(0.05)
        self.caller.stop()
        self.callee.stop()
        return self

    @property
    def held(self):
        rows = self.caller.rows()
        return int(rows[-1]["CurrentCall"]) if rows else 0

    def repeated(self):
        return self.caller.count("Retransmissions") + self.callee.count("Retransmissions")

    def troubles(self):
        """What went wrong, in words; [] = every call went through at the first sending of each message, at the rate asked for."""
        found = []
        done = self.caller.count("SuccessfulCall")
        if done != self.number:
            found.append(f"{self.number - done} of {self.number} calls failed or were cut short")
        if self.repeated():
            found.append(f"{self.repeated()} retransmissions")
        rate = self.sent_rate()
        if rate < 0.95 * self.rate:
            found.append(f"{rate:.0f} calls/s sent instead of {self.rate:.0f}")
        return found

    def sent_rate(self):
        """Of the caller while it started calls."""
        rows = [row for row in self.caller.rows() if int(row["OutgoingCall(P)"]) > 0]
        if len(rows) < 3:
            return float(self.rate)
        whole = rows[1:-1] or rows
        return sum(int(row["OutgoingCall(P)"]) for row in whole) / len(whole)
