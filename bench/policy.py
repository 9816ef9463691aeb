"""What a decision of the policies costs: evaluated and kept, by how many there are and how they are written."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from bench.drive import Answer
from bench.example import NOTHING, lines
from bench.stage import Stage
from bench.table import Row, Table

__all__ = ["policy"]

COST = "policy_cost"
MANY = 1000


def policy(stage: Stage, _done: dict[str, Table]) -> list[Table]:
    """Measure decisions without a gateway, pinned to one core, in every round."""
    answers: dict[str, list[Answer]] = {}
    worst: dict[str, list[float]] = {"fresh_us": [], "kept_us": []}
    for number in range(stage.pace.rounds):
        stage.said(f"policy: round {number + 1} of {stage.pace.rounds}")
        told = lines(COST, "--json")
        for said in told:
            for how, what in (("fresh", "evaluated"), ("kept", "kept")):
                p50, p99 = said[f"{how}_p50_ns"] / 1000, said[f"{how}_p99_ns"] / 1000
                found = replace(NOTHING, rate=1e6 / p50, cpu_us=p50, p50=p50, p99=p99)
                name = f"{said['policies']:,} policies, {said['shape']}, {what}"
                answers.setdefault(name, []).append(found)
        many = [said for said in told if said["policies"] == MANY]
        worst["fresh_us"].append(max(said["fresh_p99_ns"] for said in many) / 1000)
        kept = [said["kept_p99_ns"] for said in many if said["kept"]]
        worst["kept_us"].append(max(kept) / 1000)
    rows = [Row(name, found) for name, found in answers.items()]
    notes = ["what sums the time is never kept: its second row is evaluated, too"]
    numbers = {name: median(found) for name, found in worst.items()}
    title = "decisions of policies, on one core"
    return [Table("policy", title, "/s", "", rows, notes, numbers)]
