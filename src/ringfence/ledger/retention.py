"""How long each volume of a ledger must be kept, and what keeps it longer.

A volume is kept for as long as the longest-kept of its entries: it goes whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from ringfence import engine
from ringfence.engine import Volume
from ringfence.errors import LedgerError
from ringfence.ledger.hold import Hold

__all__ = ["Kept", "Periods", "droppable", "judge", "survey"]


@dataclass(frozen=True, slots=True)
class Periods:
    """How many years entries are kept, by their class, from the end of their month."""

    trade: int
    security: int


@dataclass(frozen=True, slots=True)
class Kept:
    """One volume: what it holds, when it may go, and which holds keep it."""

    month: str
    trade: int
    security: int
    size_bytes: int
    until: date
    holds: list[str]

    def reason(self, today: date) -> str | None:
        """Return why it must be kept, None when it need not be."""
        if today < self.until:
            return f"kept until {self.until}"
        return f"held by {', '.join(self.holds)}" if self.holds else None

    def record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "until": self.until.isoformat()}


def survey(
    ledger: Path,
    periods: Periods,
    holds: Sequence[Hold],
    tell: Callable[[int], None] | None = None,
) -> list[Kept]:
    """Read a whole ledger and judge each of its volumes, oldest first. `tell` counts entries.

    Raises:
        EngineError: there is no ledger, or an entry is not as it was written.
        LedgerError: it is in one piece.
    """
    found = []
    for volume in engine.ledger_volumes(ledger):
        found.append(judge(volume, periods, holds))
        if tell is not None:
            tell(volume.sequence + found[-1].trade + found[-1].security)
    return found


def judge(volume: Volume, periods: Periods, holds: Sequence[Hold]) -> Kept:
    """Read one volume and say how long it is kept.

    Raises:
        EngineError: an entry is not as it was written.
        LedgerError: it is no volume but a whole ledger.
    """
    if volume.month is None:
        said = f"the ledger in {volume.directory} is in one piece: nothing of it can be dropped"
        hint = "volumes are begun by a gateway with a new folder for its ledger"
        raise LedgerError(said, hint=hint, code="ledger_retention")
    trade, security = engine.volume_classes(volume.directory)
    years = [periods.trade] * bool(trade) + [periods.security] * bool(security)
    files = (file for file in volume.directory.rglob("*") if file.is_file())
    return Kept(
        volume.month,
        trade,
        security,
        sum(file.stat().st_size for file in files),
        over(volume.month, max(years, default=periods.trade)),
        [hold.name for hold in holds if hold.covers(volume.month)],
    )


def over(month: str, years: int) -> date:
    """Return the first day on which nothing of `month` need be kept any more."""
    year, number = (int(part) for part in month.split("-"))
    return date(year + years + number // 12, number % 12 + 1, 1)


def droppable(kept: Sequence[Kept], today: date) -> list[Kept]:
    """Return the volumes that may go: the oldest in a row, never the newest."""
    found: list[Kept] = []
    for one, _newer in pairwise(kept):
        if one.reason(today) is not None:
            break
        found.append(one)
    return found
