"""What a ledger's folder tells without being read through."""

from __future__ import annotations

from pathlib import Path

__all__ = ["signed_size"]


def signed_size(directory: Path) -> int:
    """Return how many entries the newest checkpoint covers, unverified; 0 where none is readable.

    Source: C2SP tlog-checkpoint; the second line is the size in decimal.
    """
    try:
        lines = (directory / "checkpoint").read_text("utf-8").splitlines()
        return int(lines[1]) if lines[1].isdecimal() else 0
    except (OSError, ValueError, IndexError):
        return 0
