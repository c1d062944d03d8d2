"""A process under test: its command, its log, how it ends."""

import ctypes
import os
import pathlib
import signal
import subprocess
import sys

from until import until

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def die_with_parent():
    """No process outlives a test run that was killed; and Ctrl-C reaches it, though a run in the background ignores it."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Daemon:
    def __init__(self, name, command, log, env=None, own_group=False):
        self.name, self.command, self.log_path = name, [str(word) for word in command], pathlib.Path(log)
        self.log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.ready_path = self.log_path.with_suffix(".ready")
        with open(self.log_path, "ab") as err, open(self.ready_path, "wb") as out:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            env={**os.environ, **(env or {})}, preexec_fn=die_with_parent, start_new_session=own_group)
        self.ended_on_purpose = False

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process.poll() is None

    def log(self):
        """What this run of it wrote to stderr."""
        with open(self.log_path, errors="replace") as log:
            log.seek(self.log_start)
            return log.read()

    def wait_ready(self, within=30):
        """The words of its ready line after "<name> ready"."""
        def found():
            text = self.ready_path.read_text()
            if text.startswith(f"{self.name} ready ") and text.endswith("\n"):
                return text.split()[2:]
            assert self.running, f"{self.name} ended with {self.process.returncode}: {self.log()}"
            return None
        return until(found, within, lambda: f"ready line of {self.name}: {self.log()}")

    def wait_end(self, within=10):
        """Its exit code."""
        until(lambda: not self.running, within, lambda: f"end of {self.name}: {self.log()}")
        return self.process.returncode

    def wait_log(self, text, within=5):
        until(lambda: text in self.log(), within, lambda: f"{text!r} in the log of {self.name}: {self.log()}")

    def stop(self, within=10, sig=signal.SIGTERM):
        """Asks it to end; its exit code."""
        self.ended_on_purpose = True
        if self.running:
            self.process.send_signal(sig)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not end within {within} s", file=sys.stderr)
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(10)
            raise AssertionError(f"{self.name} did not end within {within} s of signal {sig}: {self.log()}") from None

    def stop_group(self, within):
        """For a peer with children of its own: asks, then kills the whole process group."""
        self.ended_on_purpose = True
        try:
            self.process.terminate()
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait(10)

    def kill(self):
        """kill -9, at once."""
        self.ended_on_purpose = True
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
