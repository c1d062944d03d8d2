"""SIPp as a scripted peer: a scenario from scenarios/, as many calls as asked."""

import csv
import pathlib
import re

from daemon import Daemon
from until import until

SCENARIOS = pathlib.Path(__file__).with_name("scenarios")


class Sipp:
    """Waits for calls, or, with a target (host, port), makes them: `rate` a second of `number`.  Starts at once unless start is off."""

    def __init__(self, directory, scenario, host, port=5060, transport="u1", calls=1, target=None, rate=10, number="8801234567", start=True,
                 trace=True):
        self.host, self.port = host, port
        self.directory = pathlib.Path(directory) / f"sipp-{scenario}-{host}"
        self.directory.mkdir(parents=True)
        self.trace, self.statistics = self.directory / "messages.log", self.directory / "statistics.csv"
        self.command = ["sipp", *([f"{target[0]}:{target[1]}", "-s", number, "-r", rate, "-l", calls] if target else []),
                        "-sf", SCENARIOS / f"{scenario}.xml", "-i", host, "-p", port, "-t", transport, "-m", calls, "-nostdin",
                        "-trace_stat", "-fd", 1, "-stf", self.statistics, "-trace_err", "-error_file", self.directory / "errors.log",
                        *(["-trace_msg", "-message_file", self.trace] if trace else [])]
        self.daemon = None
        if start:
            self.start()

    def start(self):
        self.daemon = Daemon("sipp", self.command, self.directory / "log", env={"TERM": "dumb"})
        until(self.listening, 5, lambda: f"sipp on {self.host}:{self.port}: {self.daemon.log()}")

    def listening(self):
        if self.daemon.process.poll() == 0:
            return True
        assert self.daemon.running, self.daemon.log()
        table = pathlib.Path("/proc/net/udp").read_text() + pathlib.Path("/proc/net/tcp").read_text()
        hexadecimal = "".join(f"{int(part):02X}" for part in reversed(self.host.split(".")))
        return f" {hexadecimal}:{self.port:04X} " in table

    def wait_success(self, within=60):
        """The scenario went through as written, every time."""
        code = self.daemon.wait_end(within)
        assert code == 0, f"sipp ended with {code}: {self.errors()[-3000:]}"

    def count(self, column):
        """Of the whole run: "SuccessfulCall", "FailedCall", "Retransmissions"."""
        with open(self.statistics, newline="") as table:
            return int(list(csv.DictReader(table, delimiter=";"))[-1][f"{column}(C)"])

    def errors(self):
        path = self.directory / "errors.log"
        return path.read_text(errors="replace") if path.exists() else self.daemon.log()

    def messages(self):
        """Raw texts received, oldest first."""
        text = self.trace.read_text(errors="replace") if self.trace.exists() else ""
        return re.findall(r"message received .*?:\n\n(.*?)(?=\n-{10,}|\Z)", text, re.S)

    def stop(self):
        if self.daemon and self.daemon.running:
            self.daemon.kill()
