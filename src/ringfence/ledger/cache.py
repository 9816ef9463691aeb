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

from ringfence.engine import LedgerReader
from ringfence.errors import EngineError, FileError
from ringfence.ledger.columns import SCHEMA, batch

__all__ = ["PART", "Columns", "beside", "columns"]

PART = 250_000
"""Entries in a file."""
BATCH = 25_000
"""Entries made into columns at once: memory stays flat as the ledger grows."""

LAST = b"ringfence.last_entry"
"""Metadata: SHA-256 of the file's last entry."""

Tell = Callable[[int], None]
"""Is told how many entries are done."""


@dataclass(frozen=True, slots=True)
class Columns:
    """All committed entries: the files that hold the older ones, and the newer ones."""

    files: list[Path]
    newest: pa.Table
    size: int


def beside(ledger: Path) -> Path:
    """Return where the columns of `ledger` are kept unless somebody says otherwise."""
    return ledger.with_name(f"{ledger.name}.columns")


def columns(ledger: Path, cache: Path, tell: Tell | None = None) -> Columns:
    """Return the columns of all entries committed by now.

    Raises:
        EngineError: there is no ledger, or it cannot be read.
        LedgerError: an entry cannot be read.
        FileError: `cache` cannot be written.
    """
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = usable(ledger, cache)
        return extended(ledger, cache, files, tell)
    except OSError as e:
        hint = "name a folder that can be written: --cache DIR"
        raise FileError(f"cannot keep columns in {cache}: {e.strerror}", hint=hint) from e


def usable(ledger: Path, cache: Path) -> list[Path]:
    """Return the files that fit the ledger, from its first entry on; delete all others."""
    files: list[Path] = []
    for file in sorted(cache.glob("entries-*.parquet")):
        if file == place(cache, len(files) * PART) and fits(ledger, file, len(files) * PART):
            files.append(file)
        else:
            file.unlink()
    return files


def fits(ledger: Path, file: Path, first: int) -> bool:
    """Tell whether `file` has our schema, and its last entry is the ledger's."""
    try:
        meta = pq.read_metadata(file)
        if meta.num_rows != PART or not meta.schema.to_arrow_schema().equals(SCHEMA):
            return False
        entries = LedgerReader(ledger, first + PART - 1).read(1)
    except (pa.ArrowException, EngineError):
        return False
    kept = (meta.metadata or {}).get(LAST)
    return bool(entries) and kept == hashlib.sha256(entries[0][1]).hexdigest().encode()


def extended(ledger: Path, cache: Path, files: list[Path], tell: Tell | None) -> Columns:
    """Add the files that are missing, and return everything."""
    reader = LedgerReader(ledger, len(files) * PART)
    batches: list[pa.RecordBatch] = []
    done = len(files) * PART
    while entries := reader.read(min(BATCH, PART - sum(b.num_rows for b in batches))):
        batches.append(batch(entries))
        done += len(entries)
        if done % PART == 0:
            files = [*files, write(cache, done - PART, batches, entries[-1][1])]
            batches = []
        if tell is not None:
            tell(done)
    return Columns(files, pa.Table.from_batches(batches, schema=SCHEMA), done)


def write(cache: Path, first: int, batches: list[pa.RecordBatch], last: bytes) -> Path:
    """Write a whole file or none, and return its path."""
    digest = hashlib.sha256(last).hexdigest().encode()
    table = pa.Table.from_batches(batches, schema=SCHEMA.with_metadata({LAST: digest}))
    file = place(cache, first)
    unfinished = file.with_suffix(".unfinished")
    pq.write_table(table, unfinished, compression="zstd")
    unfinished.chmod(0o600)
    unfinished.replace(file)
    return file


def place(cache: Path, first: int) -> Path:
    """Return the file that begins with entry `first`."""
    return cache / f"entries-{first:014d}.parquet"
