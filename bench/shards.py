"""One shard asks for ten times its budget: what the orders of another take meanwhile."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from bench.contender import Contender
from bench.drive import Answer, Work, driving
from bench.gateway import Setting, keep_keys
from bench.stage import Job, Stage
from bench.table import Row, Table, median_of, p99, paired, rate

__all__ = ["shards"]

QUOTA = 1_000
"""Orders that a shard may place in a second."""
ASKED_PER_S = QUOTA // 2
"""What the shard that is looked at asks for: half of its own budget."""
TIMES = (0, 1, 10)
"""How many times its budget the other one asks for."""
LEAST_MS = 3_000
"""Even in a quick run: a percentile of few is none."""
LONGER_MS = 2_000
"""So long the other goes on longer: signing takes a while before that begins."""
BURST = QUOTA // 20
LIMIT = {
    "name": "of-shard",
    "subject": "shard",
    "counts": "orders",
    "algorithm": "bucket",
    "quota": BURST,
    "rate": QUOTA,
    "window_ms": 1000,
}
"""A bucket: of a fixed window all that may be done in a second is done at its beginning, and then others wait for it."""

Done = dict[str, Table]


def shards(stage: Stage, _done: Done) -> list[Table]:
    """Measure orders of one shard while another is idle, uses its budget up, and asks for ten times that."""
    lines = stage.ground.credentials.read_text().splitlines(keepends=True)
    half = len(lines) // 2
    pins = {f"bench-{number}": int(number >= half) for number in range(len(lines))}
    looked_at = keep_keys(stage.ground.folder / "keys-of-shard-0", lines[:half])
    other = keep_keys(stage.ground.folder / "keys-of-shard-1", lines[half:])
    setting = Setting(limits=[LIMIT], sections={"shards": {"count": 2, "pins": pins}})
    beside: dict[int, list[Answer]] = {times: [] for times in TIMES if times}
    with stage.gateway("ringfence, two shards", setting) as one:
        jobs: dict[str, Job] = {
            named(times): partial(orders, stage, one, looked_at, other, times, beside)
            for times in TIMES
        }
        answers = stage.interleave("shards", jobs)
    base = answers[named(1)]
    rows = [Row(name, found, paired(found, base, p99)) for name, found in answers.items()]
    notes = [
        f"{named(times)}: it was answered {median_of(seen, rate):,.0f} times a second with 200"
        for times, seen in beside.items()
    ]
    notes.append("both are sent from core 0, which costs everybody a part")
    refused = sum(answer.unwanted for found in answers.values() for answer in found)
    title = f"{ASKED_PER_S:,} orders a second of one shard, beside another that may place {QUOTA:,}"
    numbers: dict[str, float] = {"refused": refused}
    return [Table("shards", title, "/s", "p99 × at its budget", rows, notes, numbers)]


def named(times: int) -> str:
    """Return what is said of another shard that asks for so many times its budget."""
    return {0: "the other idle", 1: "the other at its budget"}.get(times, f"the other at {times} ×")


def orders(
    stage: Stage,
    one: Contender,
    looked_at: Path,
    other: Path,
    times: int,
    beside: dict[int, list[Answer]],
    _round: int,
) -> Answer:
    """Place one shard's orders at a fixed rate, beside the other's."""
    run_ms = max(stage.pace.run_ms, LEAST_MS)
    about: dict[str, Any] = {"credentials": looked_at, "rate": ASKED_PER_S, "run_ms": run_ms}
    if not times:
        return stage.measure(one, "order", tolerant=True, **about)
    work = Work(
        target=one.plain,
        kind="order",
        credentials=other,
        run_ms=stage.pace.warm_ms + run_ms + LONGER_MS,
        warm_ms=0,
        rate=times * QUOTA,
        shed=True,
    )
    with driving(work, stage.upstream.process.pid) as seen:
        answer = stage.measure(one, "order", tolerant=True, **about)
    beside[times].extend(seen)
    return answer
