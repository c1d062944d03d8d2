"""The shared-memory rows.  shm_bench measures and judges them itself: one JSON object a line, {what, measured, bar, ratio};
what else it prints are notes on the row before."""

import json
import subprocess

from measure import quietly
from programs import TOOLS
from table import Row


def shared_memory(work):
    """What a message reads, what a change publishes; LMDB beside it."""
    done = quietly(lambda: subprocess.run([TOOLS / "shm_bench", "--json"], capture_output=True, text=True, timeout=300, cwd=work))
    if done.returncode != 0:
        raise RuntimeError(f"shm_bench ended with {done.returncode}: {done.stderr[:2000]}")
    rows = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            rows.append(Row(**json.loads(line)))
        elif rows and line.strip():
            rows[-1].notes.append(line.strip())
    return rows
