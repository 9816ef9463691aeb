"""What each pane shows of what was measured: the same lines on every terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ringfence.top.health import health
from ringfence.top.line import (
    Column,
    Line,
    Mood,
    Row,
    bar,
    count,
    lasting,
    line,
    per_second,
    spark,
    table,
    took,
)
from ringfence.top.measure import Measured, Times

__all__ = ["PANES", "History", "Pane", "overview"]

FULL, HIGH = 1.0, 0.8
"""What part of a limit is alarming, and what is worth a look."""


@dataclass(slots=True)
class History:
    """Rates of the last looks, for little columns."""

    permitted: list[float]
    refused: list[float]
    most: int = 512

    def add(self, seen: Measured) -> None:
        """Keep one look's rates; the oldest go."""
        for kept, rate in (
            (self.permitted, seen.permitted_per_s),
            (self.refused, seen.refused_per_s),
        ):
            if rate is not None:
                kept.append(rate)
                del kept[: -self.most]


@dataclass(frozen=True, slots=True)
class Pane:
    """One part of the picture: by what it can be ordered, and its lines."""

    name: str
    orders: tuple[str, ...]
    lines: Callable[[Measured, str, int], list[Line]]

    def title(self, seen: Measured) -> str:
        """Return its name, and how much is in it."""
        counts: dict[str, int] = {
            "limits": len(seen.limits["near"]),
            "refusals": len(seen.refusals),
            "bans": seen.bans["count"],
        }
        number = counts.get(self.name)
        return self.name if number is None else f"{self.name} {number:,}"


def overview(seen: Measured, history: History, width: int) -> list[Line]:
    """Return the lines on top: how much goes through, what is refused, how long it takes."""
    room = max(width - 32, 0)

    def rates(name: str, rate: float | None, values: list[float], mood: Mood) -> Line:
        drawn: Line = [(f"{name:<10}", "head"), (f"{per_second(rate):>10}/s  ", mood)]
        return [*drawn, (spark(values, room), mood)]

    refused: Mood = "warn" if seen.refused_per_s else "dim"
    status = seen.status
    counts = {
        "in flight": status["in_flight"],
        "connections": status["connections_open"],
        "to the venue": status["upstream_connections"],
        "bans": seen.bans["count"],
    }
    return [
        rates("permitted", seen.permitted_per_s, history.permitted, "good"),
        rates("refused", seen.refused_per_s, history.refused, refused),
        [
            ("decided   ", "head"),
            (times(seen.decided), ""),
            ("   venue ", "head"),
            (times(seen.answered), ""),
        ],
        line("   ".join(f"{name} {number:,}" for name, number in counts.items()), "dim"),
    ]


def times(found: Times | None) -> str:
    """Return how long something took."""
    if found is None:
        return "nothing yet"
    return f"p50 {took(found.p50_us)}  p99 {took(found.p99_us)}"


def traffic(seen: Measured, order: str, width: int) -> list[Line]:
    """Return what is asked for, and what becomes of it."""
    rows = list(seen.operations)
    if order == "rate":
        rows.sort(key=lambda one: -((one.permitted_per_s or 0) + (one.refused_per_s or 0)))
    elif order == "total":
        rows.sort(key=lambda one: -(one.permitted + one.refused))
    most = max(((one.permitted_per_s or 0) for one in rows), default=0) or 1
    columns = [
        Column("operation", gives_way=True),
        Column("permitted/s", right=True),
        Column("refused/s", right=True),
        Column("permitted", right=True),
        Column("refused", right=True),
        Column(""),
    ]
    if not rows:
        return [line("no message yet", "dim")]
    return table(
        columns,
        [
            Row(
                (
                    "not known" if one.name == "none" else one.name,
                    per_second(one.permitted_per_s),
                    per_second(one.refused_per_s),
                    count(one.permitted),
                    count(one.refused),
                    bar((one.permitted_per_s or 0) / most),
                ),
                "warn" if one.refused_per_s else "",
            )
            for one in rows
        ],
        width,
    )


def limits(seen: Measured, order: str, width: int) -> list[Line]:
    """Return the limits that are nearest to their edge."""
    rows = list(seen.limits["near"])
    if order == "name":
        rows.sort(key=lambda one: (one["limit"], one["mark"]))
    elif order == "back":
        rows.sort(key=lambda one: -one["reset_ms"])
    if not rows:
        return [line("no limit is in use", "dim")]
    columns = [
        Column(""),
        Column("used", right=True),
        Column("quota", right=True),
        Column("limit", gives_way=True),
        Column("whose", gives_way=True),
        Column("back in", right=True),
    ]

    def row(one: dict[str, Any]) -> Row:
        part = one["used"] / max(one["quota"], 1)
        mood: Mood = "bad" if part >= FULL else "warn" if part >= HIGH else ""
        back = lasting(one["reset_ms"]) if one["reset_ms"] else "-"
        cells = (bar(part), count(one["used"]), count(one["quota"]), one["limit"], whose(one), back)
        return Row(cells, mood)

    return table(columns, map(row, rows), width)


def whose(one: dict[str, Any]) -> str:
    """Return whose limit it is; of who has no name, what tells them apart."""
    if one["whose"] is None:
        return f"{one['subject']} #{one['mark']}"
    return " ".join(one["whose"].values()) or "everybody"


def refusals(seen: Measured, order: str, width: int) -> list[Line]:
    """Return what was refused, by code."""
    rows = list(seen.refusals)
    if order == "rate":
        rows.sort(key=lambda one: (-(one.per_s or 0), -one.count))
    elif order == "total":
        rows.sort(key=lambda one: -one.count)
    if not rows:
        return [line("nothing was refused", "dim")]
    most = max(((one.per_s or 0) for one in rows), default=0) or 1
    columns = [
        Column("code", gives_way=True),
        Column("/s", right=True),
        Column("total", right=True),
        Column(""),
    ]
    return table(
        columns,
        [
            Row(
                (one.code, per_second(one.per_s), count(one.count), bar((one.per_s or 0) / most)),
                "warn" if one.per_s else "",
            )
            for one in rows
        ],
        width,
    )


def bans(seen: Measured, order: str, width: int) -> list[Line]:
    """Return who is kept out."""
    rows = list(seen.bans["newest"])
    if order == "end":
        rows.sort(key=lambda one: one["until_us"])
    if not rows:
        return [line("nobody is kept out", "dim")]
    columns = [
        Column("who", gives_way=True),
        Column("answer"),
        Column("by"),
        Column("ends in", right=True),
        Column("why", gives_way=True),
    ]
    drawn = table(
        columns,
        [
            Row(
                (
                    one["target"],
                    one["answer"],
                    one["origin"],
                    lasting((one["until_us"] - seen.at_us) / 1000),
                    one["why"],
                ),
                "warn" if one["answer"] == "ban" else "",
            )
            for one in rows
        ],
        width,
    )
    more = seen.bans["count"] - len(rows)
    return [*drawn, line(f"and {more:,} older", "dim")] if more > 0 else drawn


PANES = (
    Pane("traffic", ("rate", "total", "name"), traffic),
    Pane("limits", ("edge", "back", "name"), limits),
    Pane("refusals", ("rate", "total", "code"), refusals),
    Pane("bans", ("new", "end"), bans),
    Pane("health", ("part",), lambda seen, _order, width: health(seen.status, width)),
)
