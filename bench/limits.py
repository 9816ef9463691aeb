"""Limits side by side: what passes in truth when a client asks for more than its quota, and what counting costs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

from bench.contender import LIMITS, PEERS, Contender, Limit, start_peer
from bench.drive import Answer
from bench.gateway import Setting, keep_keys
from bench.server import BenchError
from bench.special import plainly
from bench.stage import Job, Stage
from bench.table import Row, Table, cpu_us, median_of, paired

__all__ = ["Law", "accuracy", "cost", "most_in", "over"]

QUOTA = 1_000
"""Requests that a key may make in a second."""
ASKED_PER_S = 2_500
"""What the client asks for all the time, as if nobody had refused it."""
SLICES = 100
"""In a second, as the load generator tells when requests passed."""
SECOND_US = 1_000_000
OUT_OF_REACH = 1_000_000
LAWS = ("fixed", "sliding", "bucket")
"""Those of Ringfence that compare: a window on the clock, any window, and what comes back steadily."""
LEAST_MS = 3_000
"""Even in a quick run: what passes in a second is only seen in some of them."""
LIMITED = "limit out of reach"
WITHOUT = "no limit"

Done = dict[str, Table]


@dataclass(frozen=True, slots=True)
class Law:
    """`quota` a second, in windows on the clock (`fixed`), in any second (`sliding`), or at that rate (`bucket`)."""

    name: str
    quota: int

    def most(self, slices: int) -> int:
        """Return what may pass in any `slices` that follow one another, at most; of a clock's windows `on_the_clock` tells."""
        if self.name == "bucket":
            # An answer comes up to a slice after what it answers was let through.
            return self.quota + self.quota * (slices + 1) // SLICES
        return self.quota * -(-slices // SLICES)


def over(law: Law, passed: Sequence[int], since_us: int) -> int:
    """Return how many passed beyond what `law` allows: the most in any stretch of time, or on the clock.

    Answers that came in the first slice of a second may belong to either side of its beginning.
    """
    if law.name == "fixed":
        return on_the_clock(law.quota, passed, since_us)
    sums = [0, *accumulate(passed)]
    # Of a sliding window stretches of a second say all; of a bucket, the worst may be of any length.
    lengths = (SLICES,) if law.name == "sliding" else range(1, len(sums))
    worst = 0
    for length in lengths:
        most = law.most(length)
        found = (sums[n + length] - sums[n] for n in range(len(sums) - length))
        worst = max(worst, max(found, default=0) - most)
    return worst


def on_the_clock(quota: int, passed: Sequence[int], since_us: int) -> int:
    """Return what passed beyond `quota` in the worst second of the clock, or in all of them together."""
    slice_us = SECOND_US // SLICES
    inner: dict[int, int] = {}
    for n, count in enumerate(passed):
        second, within_us = divmod(since_us + n * slice_us, SECOND_US)
        inner.setdefault(second, 0)
        if slice_us <= within_us <= SECOND_US - slice_us:
            inner[second] += count
    worst = max(inner.values(), default=0) - quota
    return max(0, worst, sum(passed) - quota * len(inner))


def most_in(passed: Sequence[int], slices: int = SLICES) -> int:
    """Return the most that passed in so many slices that follow one another."""
    sums = [0, *accumulate(passed)]
    return max((sums[n + slices] - sums[n] for n in range(len(sums) - slices)), default=sums[-1])


def accuracy(stage: Stage, _done: Done) -> list[Table]:
    """Measure what passes of a client that asks for two and a half times its quota without a pause."""
    with ExitStack() as running:
        taking_part = limited(stage, running, Limit("limited", QUOTA), LAWS)
        jobs: dict[str, Job] = {one.name: partial(press, stage, one) for one, _ in taking_part}
        answers = stage.interleave("limits", jobs)
    rows, notes = [], []
    numbers: dict[str, float] = {}
    for one, law in taking_part:
        found = answers[one.name]
        most = median_of(found, lambda answer: float(most_in(answer.passed)))
        beyond = max(over(Law(law, QUOTA), answer.passed, answer.since_us) for answer in found)
        rows.append(Row(one.name, found, most / QUOTA))
        share = median_of(found, lambda answer: answer.rate / QUOTA)
        notes.append(
            f"{one.name}: {beyond:,} over its own law ({law}); {most:,.0f} in the busiest second; "
            f"{share:.0%} of the quota used"
        )
        numbers[f"over, {one.name}"] = beyond
        numbers[f"used, {one.name}"] = round(share, 3)
    notes.append(
        "nobody is banned for going on here; HAProxy counts what it denies, so whoever goes on stays denied"
    )
    title = f"one key asks {ASKED_PER_S:,} times a second and may {QUOTA:,}: what passes"
    return [Table("limits", title, "/s", "busiest s", rows, notes, numbers)]


def press(stage: Stage, one: Contender, number: int) -> Answer:
    """Ask `one` by a single key at a fixed rate, whatever it answers."""
    lines = stage.ground.credentials.read_text().splitlines(keepends=True)
    alone = keep_keys(stage.ground.folder / "one-key", lines[number % len(lines)])
    run_ms = max(stage.pace.run_ms, LEAST_MS)
    asked: dict[str, Any] = {
        "credentials": alone,
        "rate": ASKED_PER_S,
        "run_ms": run_ms,
        "warm_ms": 0,
    }
    return stage.measure(one, "read", tolerant=True, **asked)


def cost(stage: Stage, _done: Done) -> list[Table]:
    """Measure the CPU time of a read with a limit that is never reached, and without any."""
    with ExitStack() as running:
        unlimited = {one.name: one for one in stage.contenders}
        gateway = running.enter_context(stage.gateway("ringfence", Setting(limits=())))
        unlimited[gateway.name] = gateway
        limit = Limit(LIMITED, OUT_OF_REACH)
        taking_part = [one for one, _ in limited(stage, running, limit, LAWS[:1])]
        jobs: dict[str, Job] = {}
        for one in taking_part:
            plain = unlimited[one.name.partition(",")[0]]
            jobs[f"{plain.name}, {WITHOUT}"] = partial(plainly, stage, plain, "read")
            jobs[one.name] = partial(plainly, stage, one, "read")
        answers = stage.interleave("limits-cost", jobs)
    rows = []
    for name, found in answers.items():
        base = answers[f"{name.partition(',')[0]}, {WITHOUT}"]
        rows.append(Row(name, found, paired(found, base, cpu_us)))
    title = "signed reads with a limit for each key, and without any"
    notes = ["ringfence verifies each signature before it counts; the others count what is claimed"]
    return [Table("limits-cost", title, "/s", "CPU × no limit", rows, notes)]


def limited(
    stage: Stage, running: ExitStack, limit: Limit, laws: Sequence[str]
) -> list[tuple[Contender, str]]:
    """Start everybody with `limit`: the peers that can, and a gateway for each of `laws`."""
    found: list[tuple[Contender, str]] = []
    for peer in PEERS:
        # Who does not start in `standing` is left out and named there.
        if peer.name not in LIMITS or stage.named(peer.name) is None:
            continue
        stage.said(f"starting {peer.name}, {limit.said}")
        try:
            contender, _ = start_peer(peer, stage.ground, running, limit)
        except (OSError, subprocess.SubprocessError) as e:
            raise BenchError(f"{peer.name}: {e}") from e
        found.append((contender, Limit.law(peer.name)))
    for law in laws:
        written = {
            "name": "reads",
            "subject": "credential",
            "counts": "requests",
            "algorithm": law,
            "quota": limit.quota,
            "window_ms": 1000,
        } | ({"rate": limit.quota} if law == "bucket" else {})
        said = law if len(laws) > 1 else limit.said
        gateway = stage.gateway(f"ringfence, {said}", Setting(limits=[written]))
        found.append((running.enter_context(gateway), law))
    return found
