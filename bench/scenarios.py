"""Scenarios in which all contenders are driven alike: as fast as they go, and at a fixed rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bench.contender import Contender
from bench.drive import Answer
from bench.stage import Job, Stage
from bench.table import Row, Table, median_of, p99, paired, rate

__all__ = ["REFERENCE", "Closed", "latency", "limits"]

REFERENCE = "nginx"
MANY = 1000
IDLE = 0.9
"""Below this share of its core, something else than the contender was the limit."""
BUSY = 0.95
"""Above this share of theirs, load and upstream may have been what a contender waited for."""
DISTURBED = 0.1
"""More of a core than what a quiet machine does by itself."""
KEPT = 0.97
"""Of the rate that was asked for."""
CLOSE = 1.3
"""Below this, going without a proxy is hardly faster than with one."""

SHARES: tuple[Callable[[Answer], float], ...] = (
    lambda one: one.busy,
    lambda one: one.load_busy,
    lambda one: one.others,
)

Done = dict[str, Table]


@dataclass(frozen=True, slots=True)
class Closed:
    """Each connection asks again as soon as it is answered: the most that a contender can do."""

    key: str
    title: str
    kind: str
    tls: bool = False
    connections: int = 32
    streams: int | None = None
    """So many on each connection, by HTTP/2."""

    def run(self, stage: Stage, _done: Done) -> list[Table]:
        """Measure every contender that can take part."""
        taking_part = [one for one in stage.contenders if one.tls or not self.tls]
        if self.streams:
            taking_part = [one for one in taking_part if one.http2]
        jobs = {one.name: partial(self.measure, stage, one) for one in taking_part}
        answers = stage.interleave(self.key, jobs)
        rows = compared(answers)
        return [Table(self.key, self.title, "/s", "× nginx", rows, limits(rows))]

    def measure(self, stage: Stage, one: Contender, _round: int) -> Answer:
        """Drive `one` for one round."""
        streams, count = self.streams, self.connections
        return stage.measure(one, self.kind, tls=self.tls, connections=count, streams=streams)


def compared(answers: dict[str, list[Answer]]) -> list[Row]:
    """Return rows whose ratio is that of the rate to the reference's."""
    base = answers.get(REFERENCE)
    return [
        Row(name, found, None if base is None else paired(found, base, rate))
        for name, found in answers.items()
    ]


def limits(rows: Sequence[Row]) -> list[str]:
    """Say where the numbers are those of the load generator or of a disk, not of the contender."""
    notes = []
    medians = {row.name: median_of(row.answers, rate) for row in rows}
    direct, nginx = medians.get("direct"), medians.get(REFERENCE)
    if direct and nginx and direct < CLOSE * nginx:
        notes.append(
            f"direct is only {direct / nginx:.2f} × nginx: load and upstream are close to their own limit, "
            "and ratios between the fast ones are too near to 1"
        )
    disturbed, starved = [], []
    for row in rows:
        busy, load, others = (median_of(row.answers, share) for share in SHARES)
        if others > DISTURBED:
            disturbed.append(f"{row.name} {others:.0%}")
        elif load > BUSY and row.name != "direct":
            starved.append(row.name)
        elif busy < IDLE and row.name != "direct":
            notes.append(f"{row.name} used {busy:.0%} of its core: it waited, as for a disk")
    if starved:
        notes.append(
            f"load and upstream had no time left beside {', '.join(starved)}: it may be faster"
        )
    if disturbed:
        said = ", ".join(disturbed)
        notes.append(
            f"other programs and kernel threads took this much of a core beside: {said}; "
            "where it is much, mistrust the number"
        )
    return notes


def latency(stage: Stage, done: Done) -> list[Table]:
    """Measure latencies at half of each contender's own maximum, and at half of nginx's."""
    half = {name: max(int(per_s / 2), 1) for name, per_s in maxima(stage, done).items()}
    tables = [at_own_half(stage, half)]
    if REFERENCE in half:
        tables.append(at_one_rate(stage, half[REFERENCE]))
    return tables


def at_own_half(stage: Stage, half: dict[str, int]) -> Table:
    """Measure each contender at its own rate, and nginx at the same in the same round."""
    reference = stage.named(REFERENCE)
    jobs: dict[str, Job] = {}
    for one in stage.contenders:
        jobs[one.name] = paced(stage, one, half[one.name])
        # Nobody compares nginx to no proxy at all.
        if reference is not None and one.server is not None and one is not reference:
            jobs[beside(one.name)] = paced(stage, reference, half[one.name])
    found = stage.interleave("latency", jobs)
    rows = []
    for name in half:
        base = found[REFERENCE] if name == REFERENCE else found.get(beside(name))
        ratio = None if base is None else paired(found[name], base, p99)
        rows.append(Row(name, found[name], ratio))
    title = "latency of signed orders at half of each one's own maximum, and nginx at the same rate"
    return Table("latency", title, "/s", "p99 × nginx", rows, late(rows, half))


def at_one_rate(stage: Stage, per_s: int) -> Table:
    """Measure all contenders at the same rate."""
    jobs: dict[str, Job] = {one.name: paced(stage, one, per_s) for one in stage.contenders}
    found = stage.interleave("latency-nginx", jobs)
    base = found[REFERENCE]
    rows = [Row(name, answers, paired(answers, base, p99)) for name, answers in found.items()]
    title = "latency of signed orders at half of nginx's maximum"
    return Table(
        "latency-nginx", title, "/s", "p99 × nginx", rows, late(rows, dict.fromkeys(found, per_s))
    )


def beside(name: str) -> str:
    """Return what nginx is called where it runs at the rate of `name`."""
    return f"{REFERENCE} at the rate of {name}"


def maxima(stage: Stage, done: Done) -> dict[str, float]:
    """Return each contender's orders per second, measured now where they have not been."""
    if (orders := done.get("orders")) is not None:
        return {row.name: median_of(row.answers, rate) for row in orders.rows}
    found = {}
    for one in stage.contenders:
        stage.said(f"latency: how fast is {one.name}?")
        found[one.name] = stage.measure(one, "order").rate
    return found


def paced(stage: Stage, one: Contender, per_s: int) -> Callable[[int], Answer]:
    """Return a job that drives `one` at a fixed rate; latency counts from when a request was due."""
    return lambda _round: stage.measure(one, "order", rate=per_s)


def late(rows: Sequence[Row], asked: dict[str, int]) -> list[str]:
    """Name those who could not keep the rate: their latencies are those of a growing queue."""
    return [
        f"{row.name} did not keep up with {asked[row.name]:,} per second: its latencies are those of a queue"
        for row in rows
        if median_of(row.answers, rate) < KEPT * asked[row.name]
    ]
