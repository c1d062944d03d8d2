"""Rows that a program measures and judges itself: one JSON object a line, {what, measured, bar, ratio}; what else it prints are
notes on the row before."""

import json
import subprocess

from measure import quietly
from programs import TOOLS
from table import Row


def shared_memory(work):
    """What a message reads, what a change publishes; LMDB beside it."""
    return judged("shm_bench", work)


def routes(work):
    """What letting in and routing a call costs among few and many gateways and prefixes."""
    return judged("route_bench", work)


def judged(program, work):
    done = quietly(lambda: subprocess.run([TOOLS / program, "--json"], capture_output=True, text=True, timeout=300, cwd=work))
    if done.returncode != 0:
        raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr[:2000]}")
    rows = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            rows.append(Row(**json.loads(line)))
        elif rows and line.strip():
            rows[-1].notes.append(line.strip())
    return rows
