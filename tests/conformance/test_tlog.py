"""Proofs, roots, tiles and checkpoints are judged as the published suites say, all of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = Path(__file__).parents[3] / "shared" / "suites" / "crypto"
ADAPTER = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    not SUITE.exists(), reason="the shared suites are not beside the repository"
)


def run(*words: str) -> str:
    """Run one of the suite's runners with our adapter and return what it said."""
    # The runner calls the adapter by name; its own folder is where it looks for vectors.
    ran = subprocess.run(
        [sys.executable, *words],
        cwd=ADAPTER,
        env={"PYTHONPATH": str(ADAPTER), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_all_196_merkle_proofs_are_judged_as_published() -> None:
    runner, vectors = str(SUITE / "run_merkle.py"), str(SUITE / "vectors" / "merkle")
    said = run(runner, vectors, "--adapter", "tlog_adapter")
    assert said.splitlines()[-1] == "196 passed, 0 failed"


def test_all_roots_tiles_and_checkpoints_are_as_go_makes_them() -> None:
    said = run(str(SUITE / "run_vectors.py"), "--adapter", "tlog_adapter", "tlog")
    found = re.search(r"^tlog +(\d+) passed +0 failed +0 skipped$", said, re.MULTILINE)
    assert found, said
    assert int(found[1]) > 80, said
