"""Every operation of the API, driven by requests made from its own description; see tests/fuzz/api_fuzz.py.

A failure prints the seed and the request; `tests/fuzz/api_fuzz.py --seed N` does the same against a daemon of one's own.
"""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from lab import ADMIN_PASSWORD
from test_cdrs import Switch as Records
from until import until

FUZZ = pathlib.Path(__file__).parents[1] / "fuzz"
sys.path.insert(0, str(FUZZ))

from api_fuzz import Fuzz  # noqa: E402


def drive(lab, seed, requests, **options):
    fuzz = Fuzz(lab.url, "admin", ADMIN_PASSWORD, seed, **options)
    reports = fuzz.run(requests)
    assert not reports, f"seed {seed}\n" + "\n".join(reports)
    assert lab.mgmtd.running
    return fuzz


@pytest.mark.parametrize("seed", [1, 2])
def test_no_request_made_from_the_description_gets_an_answer_that_contradicts_it(lab, seed):
    lab.start("mgmtd", "switchcore").wait_switch()
    fuzz = drive(lab, seed, 1200)
    assert lab.switchcore.running
    missing = [operation.name for operation in fuzz.document.operations if not fuzz.seen[operation.name]]
    assert not missing, f"never asked: {missing}"
    assert fuzz.revision > 20, "the requests change something"


def test_the_same_without_a_switch(lab):
    lab.start("mgmtd")
    with Records(lab.run / "cdr") as records:
        for number in range(1, 8):
            records.write(number, code=200 + number, tried="a 503;b 200;", skipped="c no capacity;" if number % 2 else "")
    until(lambda: len(lab.api().get("/cdrs")["items"]) == 7, 5, "the records")
    fuzz = drive(lab, 3, 600, switch=False)
    assert fuzz.answered["getCdr", 200], "a record is found by its id"


def test_it_is_run_by_hand_as_the_readme_says(lab):
    lab.start("mgmtd", "switchcore").wait_switch()
    command = re.search(r"^    (tests/fuzz/api_fuzz.py .*)$", (FUZZ.parents[1] / "README.md").read_text(), re.M).group(1)
    command = command.replace("http://127.0.0.1:8080", lab.url).replace("10000", "200 --seed 4")
    done = subprocess.run(command, shell=True, cwd=FUZZ.parents[1], env={**os.environ, "PASSWORD": ADMIN_PASSWORD}, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith("seed 4\n200 requests"), done.stdout + done.stderr
