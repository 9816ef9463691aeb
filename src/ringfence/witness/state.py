"""What a witness cosigned last of each log, durable before the cosignature leaves.

One SQLite file. Read, judge and replace happen in one exclusive transaction, or two requests that
overlap could take the log back (C2SP tlog-witness describes the race).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ringfence.errors import WitnessError

__all__ = ["Contradiction", "Seen", "State", "Turn"]

MAX_SIZE = 2**63 - 1
"""Entries that an SQLite integer can count."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    note BLOB NOT NULL
) STRICT
"""


CONTRADICTIONS = """
CREATE TABLE IF NOT EXISTS contradictions (
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    seen_s INTEGER NOT NULL,
    note BLOB NOT NULL,
    cosigned BLOB NOT NULL,
    UNIQUE (origin, note)
) STRICT
"""
MAX_KEPT = 1_000
"""Whoever has a log's key could contradict it without end; so many are evidence enough."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two checkpoints that the log signed, where the second was not shown to continue the first.

    `cosigned` is the first, which this witness cosigned; `note`, over `size` entries, came at
    `seen_s` (Unix, seconds). Of one size and with different roots they prove a fork by themselves;
    otherwise the log must show that one continues the other, and cannot if it was forked.
    """

    origin: str
    size: int
    seen_s: int
    note: bytes
    cosigned: bytes

    @property
    def forked(self) -> bool:
        """Whether they prove a fork."""
        first, second = (one.split(b"\n", 3) for one in (self.note, self.cosigned))
        return first[1] == second[1] and first[2] != second[2]


@dataclass(frozen=True, slots=True)
class Seen:
    """The checkpoint cosigned last; `note` has the cosignature under it."""

    size: int
    root: bytes
    note: bytes


class Turn:
    """One request's turn at the state: nobody else reads or writes meanwhile."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Belong to an open transaction."""
        self._connection = connection

    def seen(self, origin: str) -> Seen | None:
        """Return what was cosigned last of the log `origin`."""
        rows = self._connection.execute(
            "SELECT size, root, note FROM seen WHERE origin = ?", (origin,)
        )
        row = rows.fetchone()
        return None if row is None else Seen(*row)

    def origins(self) -> list[str]:
        """Return the logs of which something was cosigned."""
        return [origin for (origin,) in self._connection.execute("SELECT origin FROM seen")]

    def keep(self, found: Contradiction) -> None:
        """Keep what a log contradicts itself by. Durable when the turn is over."""
        self._connection.execute(CONTRADICTIONS)
        (count,) = self._connection.execute("SELECT count(*) FROM contradictions").fetchone()
        if count < MAX_KEPT:
            row = (found.origin, found.size, found.seen_s, found.note, found.cosigned)
            self._connection.execute(
                "INSERT OR IGNORE INTO contradictions VALUES (?, ?, ?, ?, ?)", row
            )

    def contradictions(self) -> list[Contradiction]:
        """Return what was kept, oldest first."""
        self._connection.execute(CONTRADICTIONS)
        rows = self._connection.execute("SELECT * FROM contradictions ORDER BY rowid")
        return [Contradiction(*row) for row in rows]

    def put(self, origin: str, seen: Seen) -> None:
        """Replace what was cosigned last. Durable when the turn is over, not before.

        Raises:
            WitnessError: it would make the log smaller; nothing may be signed then.
        """
        written = self._connection.execute(
            "INSERT INTO seen VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE"
            " SET size = excluded.size, root = excluded.root, note = excluded.note"
            # Whatever the caller thinks: a size never goes down.
            " WHERE excluded.size >= seen.size",
            (origin, seen.size, seen.root, seen.note),
        )
        if written.rowcount != 1:
            raise WitnessError(f"the log {origin} would go back to {seen.size} entries")


class State:
    """The file with what was cosigned. Shared by threads: each turn has its own connection."""

    def __init__(self, path: Path) -> None:
        """Open the file, made by `create`.

        Raises:
            WitnessError: it does not exist: starting without it would forget what was cosigned.
        """
        if not path.is_file():
            raise WitnessError(
                f"{path} is gone; without it the witness would forget what it cosigned",
                hint="restore it, or lay a new witness with another key: ringfence witness init",
            )
        self._path = path

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty file.

        Raises:
            WitnessError: it cannot be made.
        """
        try:
            path.touch(mode=0o600, exist_ok=False)
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(SCHEMA)
        except (OSError, sqlite3.Error) as e:
            raise WitnessError(f"{path} cannot be made: {e}") from e

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Yield the state exclusively; what is put is durable on return, and undone on an error.

        Raises:
            WitnessError: the file cannot be read or written; nothing may be signed then.
        """
        try:
            with closing(sqlite3.connect(self._path, isolation_level=None, timeout=10)) as opened:
                opened.execute("PRAGMA synchronous = FULL")
                opened.execute("BEGIN IMMEDIATE")
                try:
                    yield Turn(opened)
                    opened.execute("COMMIT")
                finally:
                    if opened.in_transaction:
                        opened.execute("ROLLBACK")
        except sqlite3.Error as e:
            raise WitnessError(f"{self._path} cannot be used: {e}") from e
