"""What scenarios find: rows of interleaved rounds, and how they compare."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.drive import Answer

__all__ = ["Row", "Table", "cpu_us", "median_of", "p99", "paired", "rate"]

ROUNDED = 3


def rate(answer: Answer) -> float:
    """Return the answers per second."""
    return answer.rate


def p99(answer: Answer) -> float:
    """Return the 99th percentile of the latencies."""
    return answer.p99


def cpu_us(answer: Answer) -> float:
    """Return the contender's CPU time for each request."""
    return answer.cpu_us


def median_of(answers: Sequence[Answer], what: Callable[[Answer], float]) -> float:
    """Return the median of `what` over the rounds."""
    return statistics.median(what(one) for one in answers)


def paired(
    these: Sequence[Answer], those: Sequence[Answer], what: Callable[[Answer], float]
) -> float | None:
    """Return the median over the rounds of this divided by that; None where that is 0.

    Round by round, so that what slows the machine down for a while slows both sides of a ratio.
    """
    pairs = list(zip(these, those, strict=True))
    if not pairs or not all(what(that) for _, that in pairs):
        return None
    return statistics.median(what(this) / what(that) for this, that in pairs)


@dataclass(frozen=True, slots=True)
class Row:
    """One contender's rounds in one scenario; `ratio` is what the table's `compares` says."""

    name: str
    answers: Sequence[Answer]
    ratio: float | None = None

    def content(self) -> dict[str, Any]:
        """Return it for JSON: medians, the range of the rates, and every round."""
        rates = [one.rate for one in self.answers]
        names = ("p50", "p99", "p999", "cpu_us", "busy", "load_busy", "others")
        medians = {
            name: round(statistics.median(getattr(one, name) for one in self.answers), ROUNDED)
            for name in names
        }
        return {
            "rate": {
                "median": round(statistics.median(rates)),
                "min": round(min(rates)),
                "max": round(max(rates)),
            },
            "ratio": None if self.ratio is None else round(self.ratio, ROUNDED),
            **medians,
            "rounds": [asdict(one) for one in self.answers],
        }


@dataclass(frozen=True, slots=True)
class Table:
    """One scenario's result. `unit` says what the rate counts, `compares` what the ratio is."""

    key: str
    title: str
    unit: str
    compares: str
    rows: Sequence[Row]
    notes: Sequence[str] = field(default=())
    numbers: dict[str, float] = field(default_factory=dict)
    """What is no rate, such as bytes for each credential."""

    def row(self, name: str) -> Row | None:
        """Return the row of this name."""
        return next((row for row in self.rows if row.name == name), None)

    def content(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "title": self.title,
            "unit": self.unit,
            "compares": self.compares,
            "rows": {row.name: row.content() for row in self.rows},
            "notes": list(self.notes),
            "numbers": self.numbers,
        }
