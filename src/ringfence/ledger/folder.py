"""What a ledger's folder tells without being read through."""

from __future__ import annotations

from pathlib import Path

from ringfence import engine
from ringfence.errors import EngineError

__all__ = ["beside", "covers", "signed_size"]


def signed_size(directory: Path) -> int:
    """Return how many entries a ledger's newest checkpoint covers, unverified; 0: none."""
    try:
        newest = engine.ledger_volumes(directory)[-1]
    except EngineError:
        return 0
    return newest.sequence + covers(newest.directory / "checkpoint")


def covers(checkpoint: Path) -> int:
    """Return how many entries of its volume a checkpoint file covers; 0 where it cannot be read.

    Source: C2SP tlog-checkpoint; the second line is the size in decimal.
    """
    try:
        lines = checkpoint.read_text("utf-8").splitlines()
        return int(lines[1]) if lines[1].isdecimal() else 0
    except (OSError, ValueError, IndexError):
        return 0


def beside(ledger: Path) -> Path:
    """Return where the columns of `ledger` are kept unless somebody says otherwise."""
    return ledger.with_name(f"{ledger.name}.columns")
