"""What goes into the log, beside what its disk alone can do."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.drive import Answer
from bench.server import BenchError
from bench.stage import Stage
from bench.table import Row, Table

__all__ = ["EXAMPLE", "ledger"]

EXAMPLE = (
    Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parent.parent / "target"))
    / "release"
    / "examples"
    / "append_rate"
)
CORE = "1"
ENTRIES_PER_S = 500_000
"""So many entries for each second of a round."""
NOTHING = Answer(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {})


def ledger(stage: Stage, _done: dict[str, Table]) -> list[Table]:
    """Measure the ledger's own rates and waits, pinned to one core, on the disk of this run."""
    if not EXAMPLE.is_file():
        raise BenchError(f"there is no {EXAMPLE.name}; start with `make bench`")
    entries = ENTRIES_PER_S * stage.pace.run_ms // 1000
    answers: dict[str, list[Answer]] = {}
    for number in range(stage.pace.rounds):
        stage.said(f"ledger: round {number + 1} of {stage.pace.rounds}")
        for said in once(entries, stage.ground.folder):
            numbers = {name: said[name] for name in ("rate", "cpu_us", "p50", "p99", "p999")}
            answers.setdefault(said["what"], []).append(replace(NOTHING, **numbers))
    rows = [Row(name, found) for name, found in answers.items()]
    notes = ["entries alone, without a gateway; times are those that a writer waits for the disk"]
    return [Table("ledger", "the ledger by itself, on one core", "/s", "", rows, notes)]


def once(entries: int, folder: Path) -> list[dict[str, Any]]:
    """Run the example once and return its lines.

    Raises:
        BenchError: it failed.
    """
    command = ["taskset", "-c", CORE, str(EXAMPLE), str(entries), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"the ledger's example failed: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]
