"""What a decision of the policies costs: evaluated and kept, by how many there are and how they are written."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from statistics import median
from typing import Any

from bench.drive import Answer
from bench.ledger import EXAMPLE, NOTHING
from bench.server import BenchError
from bench.stage import Stage
from bench.table import Row, Table

__all__ = ["policy"]

COST = EXAMPLE.with_name("policy_cost")
CORE = "1"
MANY = 1000


def policy(stage: Stage, _done: dict[str, Table]) -> list[Table]:
    """Measure decisions without a gateway, pinned to one core, in every round."""
    if not COST.is_file():
        raise BenchError(f"there is no {COST.name}; start with `make bench`")
    answers: dict[str, list[Answer]] = {}
    worst: dict[str, list[float]] = {"fresh_us": [], "kept_us": []}
    for number in range(stage.pace.rounds):
        stage.said(f"policy: round {number + 1} of {stage.pace.rounds}")
        lines = once()
        for said in lines:
            for how, what in (("fresh", "evaluated"), ("kept", "kept")):
                p50, p99 = said[f"{how}_p50_ns"] / 1000, said[f"{how}_p99_ns"] / 1000
                found = replace(NOTHING, rate=1e6 / p50, cpu_us=p50, p50=p50, p99=p99)
                name = f"{said['policies']:,} policies, {said['shape']}, {what}"
                answers.setdefault(name, []).append(found)
        many = [said for said in lines if said["policies"] == MANY]
        worst["fresh_us"].append(max(said["fresh_p99_ns"] for said in many) / 1000)
        kept = [said["kept_p99_ns"] for said in many if said["kept"]]
        worst["kept_us"].append(max(kept) / 1000)
    rows = [Row(name, found) for name, found in answers.items()]
    notes = ["what sums the time is never kept: its second row is evaluated, too"]
    numbers = {name: median(found) for name, found in worst.items()}
    title = "decisions of policies, on one core"
    return [Table("policy", title, "/s", "", rows, notes, numbers)]


def once() -> list[dict[str, Any]]:
    """Run the example once and return its lines.

    Raises:
        BenchError: it failed.
    """
    command = ["taskset", "-c", CORE, str(COST), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"the policies' example failed: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]
