"""Cancels beside a flood of valid orders: how long they take, and what becomes of either."""

from __future__ import annotations

from functools import partial

from bench.contender import Contender
from bench.drive import Answer, Work, driving
from bench.gateway import Setting
from bench.stage import Job, Stage
from bench.table import Row, Table, median_of, p99, paired, rate

__all__ = ["overload"]

TIMES = 5
"""So many times what the gateway can do is sent to it."""
CONNECTIONS = 4_000
"""Of the flood: an open rate needs as many as wait at once, or it becomes a closed one."""
CANCELS_PER_S = 200
CANCELLING = 8
"""Connections that cancel and do nothing else."""
LONGER_MS = 4_000
"""So long the flood outlasts the cancels: signing it takes a while before that begins."""
MOST = 600_000
"""Requests that are signed for a flood: they lie in memory."""

Done = dict[str, Table]


def overload(stage: Stage, _done: Done) -> list[Table]:
    """Measure cancels alone and beside five times as many orders as the gateway can do."""
    floods: list[Answer] = []
    with stage.gateway("ringfence overloaded", Setting()) as gateway:
        capacity = stage.measure(gateway, "order", connections=64, tolerant=True).rate
        per_s = int(TIMES * capacity)
        jobs: dict[str, Job] = {
            "cancels, alone": partial(cancels, stage, gateway),
            "cancels, flooded": partial(flooded, stage, gateway, per_s, floods),
        }
        answers = stage.interleave("overload", jobs)
    alone, beside = answers.values()
    rows = [
        Row("cancels, alone", alone, 1.0),
        Row("cancels, flooded", beside, paired(beside, alone, p99)),
        Row("the flood", floods),
    ]
    lost = sum(one.unwanted + one.broken for one in beside)
    done = median_of(floods, rate)
    notes = [
        f"the gateway does {capacity:,.0f} orders per second alone; {per_s:,} were sent",
        f"of the flood it did {done:,.0f} per second and refused {refused(floods):,.0f}",
        "the flood is made on the core that also makes the cancels and answers as the venue",
    ]
    title = f"{CANCELS_PER_S} cancels per second beside {TIMES} times as many orders as can be done"
    numbers = {
        "cancels_lost": float(lost),
        "kept": done / max(capacity, 1.0),
        "orders_refused_per_s": refused(floods),
    }
    return [Table("overload", title, "/s", "p99 × alone", rows, notes, numbers)]


def refused(floods: list[Answer]) -> float:
    """Return how many orders of the flood were refused in a second."""
    return median_of(floods, lambda one: one.unwanted * one.rate / max(one.completed, 1))


def cancels(stage: Stage, one: Contender, _round: int) -> Answer:
    """Cancel at a fixed rate; latency counts from when a cancel was due."""
    return stage.measure(one, "cancel", connections=CANCELLING, rate=CANCELS_PER_S, tolerant=True)


def flooded(stage: Stage, one: Contender, per_s: int, floods: list[Answer], number: int) -> Answer:
    """As `cancels`, while orders come faster than they can be done; add what these saw to `floods`."""
    run_ms = stage.pace.warm_ms + stage.pace.run_ms + LONGER_MS
    work = Work(
        target=one.plain,
        kind="order",
        credentials=stage.ground.credentials,
        run_ms=run_ms,
        warm_ms=0,
        connections=CONNECTIONS,
        rate=min(per_s, MOST * 1000 // run_ms),
        shed=True,
        nice=True,
    )
    with driving(work, stage.upstream.process.pid) as seen:
        answer = cancels(stage, one, number)
    floods.extend(seen)
    return answer
