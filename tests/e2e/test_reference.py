"""The reference in the tree is what the schema says now; `make reference` writes it anew."""

import pathlib
import subprocess

from lab import BUILD

ROOT = pathlib.Path(__file__).parents[2]


def test_the_reference_is_that_of_the_schema():
    made = subprocess.run([BUILD / "reference"], capture_output=True, text=True, check=True, timeout=10).stdout
    assert made == (ROOT / "schema/REFERENCE.md").read_text()
    assert "SS_SIP_USER_AGENT_EXPIRE" in made
