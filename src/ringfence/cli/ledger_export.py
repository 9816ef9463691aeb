"""`ringfence ledger export`: entries in the form that another system reads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

from ringfence import engine
from ringfence.cli.ledger_folder import locate
from ringfence.cli.ledger_query import LedgerArgument, progress, when
from ringfence.errors import FileError, LedgerError
from ringfence.ledger.personal import Personal
from ringfence.ledger.shard import ShardEntries

__all__ = ["export"]

BATCH = 10_000
PARQUET = "parquet"


def export(
    directory: LedgerArgument,
    form: Annotated[str, typer.Option("--format", help="ocsf, cef, syslog, otlp or parquet.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A new file.")] = None,
    start: Annotated[int, typer.Option("--from", min=0, help="The first entry.")] = 0,
    since: Annotated[str | None, typer.Option(help="A time, or how long ago: 30m, 2d.")] = None,
    until: Annotated[str | None, typer.Option(help="A time, or how long ago.")] = None,
    shard: Annotated[int | None, typer.Option(min=0, help="Of this shard only.")] = None,
) -> None:
    """Write entries, one line each (parquet: columns). Every one has its index and leaf hash.

    With them `ringfence ledger prove` shows that the entry is in the log.
    """
    from ringfence.ledger.export import FORMATS, record

    if form not in (*FORMATS, PARQUET):
        hint = "formats: " + ", ".join((*FORMATS, PARQUET))
        raise LedgerError(f"there is no format {form!r}", hint=hint, code="ledger_export")
    folder = locate(directory).directory
    bounds = span(since, until)
    personal = Personal(folder)
    with progress(folder, shown=output is not None) as tell:
        batches = chosen(folder, start, bounds, tell or (lambda _: None))
        if shard is not None:
            batches = filter(None, map(ShardEntries(shard).of, batches))
        if form == PARQUET:
            parquet(output, batches, personal)
            return
        with opened(output) as out:
            for entries in batches:
                out.writelines(FORMATS[form](record(*one, personal)) for one in entries)


def span(since: str | None, until: str | None) -> tuple[int, int]:
    """Return the bounds in microseconds since the epoch: from the first on, before the second."""
    first = 0 if since is None else int(when(since).timestamp() * 1e6)
    return first, (1 << 62) if until is None else int(when(until).timestamp() * 1e6)


def chosen(
    folder: Path, start: int, bounds: tuple[int, int], tell: Callable[[int], None]
) -> Iterator[list[tuple[int, bytes]]]:
    """Yield committed entries within the bounds, in batches."""
    from ringfence.ledger.columns import time_us

    reader = engine.LedgerReader(folder, start)
    while entries := reader.read(BATCH):
        tell(entries[-1][0])
        if bounds != span(None, None):
            entries = [one for one in entries if bounds[0] <= time_us(one[1]) < bounds[1]]
        if entries:
            yield entries


def parquet(
    output: Path | None, batches: Iterator[list[tuple[int, bytes]]], personal: Personal
) -> None:
    """Write columns, and the leaf hash of each entry, to a new file.

    Raises:
        LedgerError: no file was named.
        FileError: it exists already, or cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ringfence.ledger.columns import SCHEMA, batch
    from ringfence.ledger.export import record

    if output is None:
        hint = "name a file: -o entries.parquet"
        raise LedgerError("columns cannot go to a terminal", hint=hint, code="ledger_export")
    schema = SCHEMA.append(pa.field("leaf_hash", pa.string()))
    with opened(output, "xb") as out, pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for entries in batches:
            leaves = pa.array([record(*one).leaf for one in entries])
            made = batch(entries, personal)
            writer.write_batch(pa.RecordBatch.from_arrays([*made.columns, leaves], schema=schema))


@contextmanager
def opened(output: Path | None, mode: str = "x") -> Iterator[IO]:  # type: ignore[type-arg]
    """Yield the new file, for its owner only; without one, stdout."""
    if output is None:
        yield sys.stdout
        return
    try:
        with output.open(mode) as out:
            output.chmod(0o600)
            yield out
    except OSError as e:
        raise FileError(f"cannot write {output}: {e.strerror}") from e
