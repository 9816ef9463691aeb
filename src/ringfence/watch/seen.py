"""What each key has been seen with: addresses, networks, clients, the last place.

It lies in one SQLite file beside the ledger and is made from the ledger alone: who removes it has
it learnt again. A value names the commitment of the address that it came from ('' where it tells of
none), so that an erased address is forgotten here too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ringfence.errors import StoreError

__all__ = ["MOST_PER_KEY", "Seen"]

MOST_PER_KEY = 256
"""Values of one kind that are kept of a key; the one that was not seen longest makes room."""

TABLES = """
CREATE TABLE IF NOT EXISTS seen (
    credential TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (credential, kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_by_source ON seen (source);
"""


class Seen:
    """The memory in one file. Used by one thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, and lay it if there is none.

        Raises:
            StoreError: it cannot be opened, or is something else.
        """
        self._path = path
        try:
            path.touch(mode=0o600)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            # What is forgotten is overwritten.
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute("PRAGMA journal_mode = TRUNCATE")
            self._db.executescript(TABLES)
        except (OSError, sqlite3.Error) as e:
            hint = "remove it: what it holds is learnt again from the ledger"
            raise StoreError(f"cannot use {path}: {e}", hint=hint) from e

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def begin(self) -> None:
        """Begin a batch: all of it is kept by `commit`, or none."""
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Keep the batch."""
        self._db.execute("COMMIT")

    def roll_back(self) -> None:
        """Give up a batch, if one has begun."""
        with suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")

    def is_known(self, credential: str) -> bool:
        """Tell whether anything has been seen of a key."""
        return self._one("SELECT 1 FROM seen WHERE credential = ? LIMIT 1", credential) is not None

    def note(self, credential: str, kind: str, value: str, time_us: int, source: str) -> bool:
        """Keep that a key was seen with `value`; tell whether it is the first time."""
        known = self._one(
            "SELECT 1 FROM seen WHERE credential = ? AND kind = ? AND value = ?",
            credential, kind, value,
        )  # fmt: skip
        self._db.execute(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)",
            (credential, kind, value, time_us, source),
        )
        if known is None:
            self._db.execute(
                "DELETE FROM seen WHERE credential = ? AND kind = ? AND value NOT IN (SELECT value"
                " FROM seen WHERE credential = ? AND kind = ? ORDER BY time_us DESC LIMIT ?)",
                (credential, kind, credential, kind, MOST_PER_KEY),
            )
        return known is None

    def last(self, credential: str, kind: str) -> tuple[str, int] | None:
        """Return the value of a kind that was seen last, and when in microseconds."""
        found = self._one(
            "SELECT value, time_us FROM seen WHERE credential = ? AND kind = ?"
            " ORDER BY time_us DESC LIMIT 1",
            credential, kind,
        )  # fmt: skip
        return None if found is None else (str(found[0]), int(str(found[1])))

    def forget(self, is_there: Callable[[str], bool]) -> int:
        """Forget what came from an address whose commitment is not there any more."""
        sources = [
            row[0]
            for row in self._db.execute("SELECT DISTINCT source FROM seen WHERE source != ''")
        ]
        gone = [(source,) for source in sources if not is_there(source)]
        self._db.executemany("DELETE FROM seen WHERE source = ?", gone)
        return len(gone)

    def _one(self, question: str, *values: str) -> tuple[object, ...] | None:
        found: tuple[object, ...] | None = self._db.execute(question, values).fetchone()
        return found
