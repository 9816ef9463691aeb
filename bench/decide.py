"""What deciding on a message costs by how many orders it has, without a gateway."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from bench.drive import Answer
from bench.example import NOTHING, lines
from bench.stage import Stage
from bench.table import Row, Table

__all__ = ["decide"]

COST = "decide_cost"


def decide(stage: Stage, _done: dict[str, Table]) -> list[Table]:
    """Measure decisions on one thread, pinned to one core, in every round."""
    answers: dict[int, list[Answer]] = {}
    for number in range(stage.pace.rounds):
        stage.said(f"decide: round {number + 1} of {stage.pace.rounds}")
        for said in lines(COST, "--json"):
            us = said["ns"] / 1000
            found = replace(NOTHING, rate=said["orders"] * 1e6 / us, cpu_us=us, p50=us)
            answers.setdefault(said["orders"], []).append(found)
    rows = [Row(name(orders), found) for orders, found in answers.items()]
    alone, most = answers[1], max(answers)
    added = [
        (many.p50 - one.p50) / (most - 1) for one, many in zip(alone, answers[most], strict=True)
    ]
    numbers = {"alone_us": median(one.p50 for one in alone), "added_us": round(median(added), 3)}
    notes = [f"each order more of a message costs {numbers['added_us']:.2f} µs"]
    title = "deciding on messages of one and of several orders, HMAC, on one core"
    return [Table("decide", title, " orders/s", "", rows, notes, numbers)]


def name(orders: int) -> str:
    """Return what a row is called."""
    return "an order alone" if orders == 1 else f"{orders} orders at once"
