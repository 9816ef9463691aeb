"""What goes into the log, beside what its disk alone can do."""

from __future__ import annotations

from dataclasses import replace

from bench.drive import Answer
from bench.example import NOTHING, lines
from bench.stage import Stage
from bench.table import Row, Table

__all__ = ["ledger"]

ENTRIES_PER_S = 500_000
"""So many entries for each second of a round."""


def ledger(stage: Stage, _done: dict[str, Table]) -> list[Table]:
    """Measure the ledger's own rates and waits, pinned to one core, on the disk of this run."""
    entries = ENTRIES_PER_S * stage.pace.run_ms // 1000
    answers: dict[str, list[Answer]] = {}
    for number in range(stage.pace.rounds):
        stage.said(f"ledger: round {number + 1} of {stage.pace.rounds}")
        for said in lines("append_rate", str(entries), str(stage.ground.folder)):
            numbers = {name: said[name] for name in ("rate", "cpu_us", "p50", "p99", "p999")}
            answers.setdefault(said["what"], []).append(replace(NOTHING, **numbers))
    rows = [Row(name, found) for name, found in answers.items()]
    notes = ["entries alone, without a gateway; times are those that a writer waits for the disk"]
    return [Table("ledger", "the ledger by itself, on one core", "/s", "", rows, notes)]
