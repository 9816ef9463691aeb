"""The ledger's columns on disk: Parquet files of so many entries, made once, beside the ledger.

They are a cache and prove nothing: a file is compared with the ledger before it is used, and
thrown away when it does not fit. The newest entries, fewer than a file's, are read each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ringfence import engine
from ringfence.engine import LedgerReader
from ringfence.errors import EngineError, FileError
from ringfence.ledger.columns import SCHEMA, batch
from ringfence.ledger.personal import Personal

__all__ = ["PART", "Columns", "columns"]

PART = 250_000
"""Entries in a file, but for the oldest."""
BATCH = 25_000
"""Entries made into columns at once: memory stays flat as the ledger grows."""

LAST = b"ringfence.last_entry"
"""Metadata: SHA-256 of the file's last entry."""


@dataclass(frozen=True, slots=True)
class Part:
    """The entries from `first` up to `end`, and the file that has them."""

    file: Path
    first: int
    end: int

    @classmethod
    def beginning(cls, cache: Path, first: int) -> Part:
        """Return the part that begins with entry `first`. Parts end at multiples of `PART`.

        So only the oldest is made anew when older volumes are dropped.
        """
        return cls(cache / f"entries-{first:014d}.parquet", first, (first // PART + 1) * PART)

    @property
    def count(self) -> int:
        """How many entries it has."""
        return self.end - self.first


Tell = Callable[[int], None]
"""Is told how many entries are done."""


@dataclass(frozen=True, slots=True)
class Columns:
    """All committed entries: the files that hold the older ones, and the newer ones.

    They hold commitments; `personal` has `commitment` and `value` of those not erased.
    """

    files: list[Path]
    newest: pa.Table
    personal: pa.Table
    size: int


def columns(ledger: Path, cache: Path, tell: Tell | None = None) -> Columns:
    """Return the columns of all entries committed by now.

    Raises:
        EngineError: there is no ledger, or it cannot be read.
        LedgerError: an entry cannot be read.
        FileError: `cache` cannot be written.
    """
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        return extended(ledger, cache, usable(ledger, cache), tell)
    except OSError as e:
        hint = "name a folder that can be written: --cache DIR"
        raise FileError(f"cannot keep columns in {cache}: {e.strerror}", hint=hint) from e


def usable(ledger: Path, cache: Path) -> list[Part]:
    """Return the files that fit the ledger, from its oldest entry on; delete all others."""
    first = engine.ledger_volumes(ledger)[0].sequence
    parts: list[Part] = []
    for file in sorted(cache.glob("entries-*.parquet")):
        part = Part.beginning(cache, parts[-1].end if parts else first)
        if file == part.file and fits(ledger, part):
            parts.append(part)
        else:
            file.unlink()
    return parts


def fits(ledger: Path, part: Part) -> bool:
    """Tell whether a file has our schema, and its last entry is the ledger's."""
    try:
        meta = pq.read_metadata(part.file)
        if meta.num_rows != part.count or not meta.schema.to_arrow_schema().equals(SCHEMA):
            return False
        entries = LedgerReader(ledger, part.end - 1).read(1)
    except (pa.ArrowException, EngineError):
        return False
    kept = (meta.metadata or {}).get(LAST)
    return bool(entries) and kept == hashlib.sha256(entries[0][1]).hexdigest().encode()


def extended(ledger: Path, cache: Path, parts: list[Part], tell: Tell | None) -> Columns:
    """Add the files that are missing, and return everything."""
    done = parts[-1].end if parts else engine.ledger_volumes(ledger)[0].sequence
    reader = LedgerReader(ledger, done)
    part, batches = Part.beginning(cache, done), list[pa.RecordBatch]()
    while entries := reader.read(min(BATCH, part.end - done)):
        batches.append(batch(entries))
        done += len(entries)
        if done == part.end:
            write(part, batches, entries[-1][1])
            parts = [*parts, part]
            part, batches = Part.beginning(cache, done), []
        if tell is not None:
            tell(done)
    newest = pa.Table.from_batches(batches, schema=SCHEMA)
    return Columns([part.file for part in parts], newest, values(ledger), done)


def values(ledger: Path) -> pa.Table:
    """Return what commitments stand for."""
    known = Personal(ledger).values
    columns = {"commitment": list(known), "value": list(known.values())}
    return pa.table(columns, schema=pa.schema(dict.fromkeys(columns, pa.string())))


def write(part: Part, batches: list[pa.RecordBatch], last: bytes) -> None:
    """Write a whole file or none."""
    digest = hashlib.sha256(last).hexdigest().encode()
    table = pa.Table.from_batches(batches, schema=SCHEMA.with_metadata({LAST: digest}))
    unfinished = part.file.with_suffix(".unfinished")
    pq.write_table(table, unfinished, compression="zstd")
    unfinished.chmod(0o600)
    unfinished.replace(part.file)
