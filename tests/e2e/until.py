"""Waiting for an event with a deadline; the only way a test waits."""

import time


def until(found, within, what):
    """The first true value that found() returns; an AssertionError naming `what` when none came in `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what() if callable(what) else what} within {within} s")
        time.sleep(0.01)


def stays(holds, seconds, what):
    """holds() stays true for so long: for the proof that something does not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert holds(), what() if callable(what) else what
        time.sleep(0.02)
