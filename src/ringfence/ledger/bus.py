"""Reading a ledger entry by entry, at least once, across restarts: the cursor is on disk.

A consumer that falls behind slows nobody: it reads files that the writer has left behind.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from ringfence import engine
from ringfence.engine import LedgerReader, Sifted, Usual
from ringfence.errors import FileError, LedgerError

__all__ = ["Consumer", "Entries"]

Entries = list[tuple[int, bytes]]
"""Committed entries as (index, canonical JSON), in order and without gaps."""

LEAF = b"\0"


class Consumer:
    """One consumer of one ledger. What it did not call `done` for, it is given again."""

    def __init__(self, ledger: Path, cursor: Path) -> None:
        """Go on where the file `cursor` says, or at the first entry if there is none.

        Raises:
            EngineError: there is no ledger.
            FileError: the cursor cannot be read.
            LedgerError: the cursor was made on another ledger, or on one that has lost its end.
        """
        self._cursor = cursor
        self.next, leaf = read(cursor)
        if leaf is not None:
            check(ledger, cursor, self.next, leaf)
        self._reader = LedgerReader(ledger, self.next)

    def take(self, limit: int) -> Entries:
        """Return up to `limit` more entries; none when there are none yet.

        Raises:
            EngineError: an entry is not as it was written.
        """
        return self._reader.read(limit)

    def sift(self, limit: int, usual: Usual) -> Sifted:
        """As `take`, but for entries that are usual.

        Raises:
            EngineError: an entry is not as it was written.
        """
        return self._reader.sift(limit, usual)

    def done(self, entries: Sequence[tuple[int, bytes]]) -> None:
        """Keep, durably, that these and all before them need not be given again.

        Raises:
            FileError: the cursor cannot be written.
        """
        if entries:
            index, content = entries[-1]
            self.next = index + 1
            write(self._cursor, self.next, hash_of(content))


def hash_of(content: bytes) -> str:
    """Return an entry's leaf hash (RFC 6962 2.1)."""
    return hashlib.sha256(LEAF + content).hexdigest()


def check(ledger: Path, cursor: Path, following: int, leaf: str) -> None:
    """Raise LedgerError unless the last entry that the cursor covers is in the ledger."""
    oldest = engine.ledger_volumes(ledger)[0].sequence
    if following < oldest:
        said = f"{cursor} stops before entry {following}, and all before entry {oldest} was dropped"
        hint = "a new cursor begins at the oldest entry there is; what was dropped is lost to it"
        raise LedgerError(said, hint=hint, code="ledger_cursor")
    # What it read last may have been dropped since.
    entries = LedgerReader(ledger, following - 1).read(1) if following > oldest else []
    if following > oldest and (not entries or hash_of(entries[0][1]) != leaf):
        said = f"{cursor} was made on another ledger: entry {following - 1} is not the one it read"
        hint = "see what `ringfence ledger verify` says; a new cursor begins at the first entry"
        raise LedgerError(said, hint=hint, code="ledger_cursor")


def read(cursor: Path) -> tuple[int, str | None]:
    """Return the next entry's index and the leaf hash before it."""
    try:
        found = json.loads(cursor.read_text("ascii"))
        return int(found["next"]), str(found["leaf"])
    except FileNotFoundError:
        return 0, None
    except (OSError, ValueError, KeyError, TypeError) as e:
        hint = "remove it to begin at the first entry"
        raise FileError(f"the cursor {cursor} cannot be read: {e}", hint=hint) from e


def write(cursor: Path, following: int, leaf: str) -> None:
    """Write the cursor whole or not at all."""
    unfinished = cursor.with_name(f"{cursor.name}.unfinished")
    try:
        with unfinished.open("w", encoding="ascii") as out:
            json.dump({"next": following, "leaf": leaf}, out)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(cursor)
    except OSError as e:
        raise FileError(f"the cursor {cursor} cannot be written: {e.strerror}") from e
