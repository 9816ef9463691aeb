"""What happened between two looks at a gateway: rates and times, and how it stands now.

The gateway only counts. Whoever watches subtracts, so that any number of watchers cost it nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Measured", "Operation", "Refused", "Times", "measure"]

Answer = Mapping[str, Any]
"""What the admin API answers to GET /top."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What became of messages that asked for one thing: in all, and in a second."""

    name: str
    permitted: int
    refused: int
    permitted_per_s: float | None
    refused_per_s: float | None


@dataclass(frozen=True, slots=True)
class Refused:
    """How often a code refused."""

    code: str
    count: int
    per_s: float | None


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, in microseconds, each to a fifth; of how many."""

    count: int
    p50_us: int
    p99_us: int
    most_us: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found. Rates are None at the first look, and at the first after a restart."""

    at_us: int
    seconds: float
    permitted: int
    refused: int
    permitted_per_s: float | None
    refused_per_s: float | None
    operations: tuple[Operation, ...]
    refusals: tuple[Refused, ...]
    decided: Times | None
    """How long it took to decide, of what was permitted."""
    answered: Times | None
    """How long the venue took to answer what changes state."""
    limits: dict[str, Any]
    """Those nearest to their edge (`near`), as the gateway tells them."""
    bans: dict[str, Any]
    status: dict[str, Any]


def measure(before: Answer | None, now: Answer) -> Measured:
    """Return what happened since `before`; of another start of the gateway nothing is known."""
    if before is not None and before["boot"] != now["boot"]:
        before = None
    seconds = 0.0 if before is None else (now["at_us"] - before["at_us"]) / 1_000_000

    def rate(count: int, earlier: int) -> float | None:
        return (count - earlier) / seconds if seconds > 0 else None

    def since(*path: str) -> Mapping[str, int]:
        return {} if before is None else inside(before, path)

    permitted, refused = inside(now, ("traffic", "permitted")), inside(now, ("traffic", "refused"))
    earlier = since("traffic", "permitted"), since("traffic", "refused")
    codes, codes_before = inside(now, ("status", "refused")), since("status", "refused")
    operations = [
        Operation(
            name,
            permitted.get(name, 0),
            refused.get(name, 0),
            rate(permitted.get(name, 0), earlier[0].get(name, 0)),
            rate(refused.get(name, 0), earlier[1].get(name, 0)),
        )
        for name in sorted(permitted.keys() | refused.keys())
    ]
    totals = sum(permitted.values()), sum(codes.values())
    times = [between(before, now, name) for name in ("decided_us", "answered_us")]
    return Measured(
        at_us=now["at_us"],
        seconds=seconds,
        permitted=totals[0],
        refused=totals[1],
        permitted_per_s=rate(totals[0], sum(earlier[0].values())),
        refused_per_s=rate(totals[1], sum(codes_before.values())),
        operations=tuple(operations),
        refusals=tuple(
            Refused(code, count, rate(count, codes_before.get(code, 0)))
            for code, count in sorted(codes.items())
        ),
        decided=times[0],
        answered=times[1],
        limits=dict(now["limits"]),
        bans=dict(now["bans"]),
        status=dict(now["status"]),
    )


def inside(answer: Answer, path: tuple[str, ...]) -> Mapping[str, int]:
    """Return what stands under names below each other."""
    found: Any = answer
    for name in path:
        found = found.get(name) or {}
    return {str(name): int(count) for name, count in found.items()}


def between(before: Answer | None, now: Answer, name: str) -> Times | None:
    """Return how long what was counted between two looks took; None: there was nothing."""
    earlier = {} if before is None else dict(before["traffic"].get(name, []))
    counts = [(us, count - earlier.get(us, 0)) for us, count in now["traffic"].get(name, [])]
    counts = [(us, count) for us, count in counts if count > 0]
    total = sum(count for _, count in counts)
    if not total:
        return None
    return Times(total, rank(counts, total, 50), rank(counts, total, 99), counts[-1][0])


def rank(counts: list[tuple[int, int]], total: int, percent: int) -> int:
    """Return the nearest rank: the least that so many percent take at most."""
    wanted = -(-total * percent // 100)
    for us, count in counts:
        wanted -= count
        if wanted <= 0:
            return us
    # INVARIANT: `total` is the counts' sum.
    return counts[-1][0]
