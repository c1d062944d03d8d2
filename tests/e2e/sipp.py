"""SIPp as a scripted peer: a scenario from scenarios/."""

import pathlib
import re

from daemon import Daemon
from until import until

SCENARIOS = pathlib.Path(__file__).with_name("scenarios")


class Sipp:
    def __init__(self, directory, scenario, host, port=5060, transport="u1", calls=1):
        self.host, self.port = host, port
        self.directory = pathlib.Path(directory) / f"sipp-{scenario}"
        self.directory.mkdir(parents=True)
        self.trace = self.directory / "messages.log"
        command = ["sipp", "-sf", SCENARIOS / f"{scenario}.xml", "-i", host, "-p", port, "-t", transport, "-m", calls, "-nostdin",
                   "-trace_msg", "-message_file", self.trace, "-trace_err", "-error_file", self.directory / "errors.log"]
        self.daemon = Daemon("sipp", command, self.directory / "log", env={"TERM": "dumb"})
        until(self.listening, 5, lambda: f"sipp on {host}:{port}: {self.daemon.log()}")

    def listening(self):
        assert self.daemon.running, self.daemon.log()
        table = pathlib.Path("/proc/net/udp").read_text() + pathlib.Path("/proc/net/tcp").read_text()
        hexadecimal = "".join(f"{int(part):02X}" for part in reversed(self.host.split(".")))
        return f" {hexadecimal}:{self.port:04X} " in table

    def wait_success(self, within=60):
        """The scenario went through as written."""
        code = self.daemon.wait_end(within)
        assert code == 0, f"sipp ended with {code}: {self.errors()}"

    def errors(self):
        path = self.directory / "errors.log"
        return path.read_text(errors="replace") if path.exists() else self.daemon.log()

    def messages(self):
        """Raw texts received, oldest first."""
        text = self.trace.read_text(errors="replace") if self.trace.exists() else ""
        return re.findall(r"message received .*?:\n\n(.*?)(?=\n-{10,}|\Z)", text, re.S)

    def stop(self):
        if self.daemon.running:
            self.daemon.kill()
