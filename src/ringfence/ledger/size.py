"""How many entries a ledger holds."""

from __future__ import annotations

from pathlib import Path

from ringfence import engine

__all__ = ["size"]


def size(directory: Path) -> int:
    """Return the number of committed entries, by O(log n) reads of one entry.

    Raises:
        EngineError: there is no ledger, or it is damaged.
    """

    def holds(index: int) -> bool:
        return bool(engine.read_ledger(directory, index, 1))

    if not holds(0):
        return 0
    # Invariant: entry `low` is there and entry `high` is not.
    low, high = 0, 1
    while holds(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high
