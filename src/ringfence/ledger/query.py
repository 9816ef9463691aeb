"""Questions to a ledger, in SQL over its columns (DuckDB).

Nothing but those columns can be read, and nothing written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from ringfence.errors import LedgerError
from ringfence.ledger.cache import Columns
from ringfence.ledger.columns import SCHEMA
from ringfence.ledger.personal import ERASED

__all__ = ["FILTERS", "ORDER_IDS", "Answer", "ask", "opened", "select"]

ORDER_IDS = (
    "client_order_id",
    "venue_order_id",
    "about_client_order_id",
    "about_venue_order_id",
    "message",
)
"""Columns that name an order: its client's id, the venue's, or the message that placed it."""

FILTERS = {
    "account": "account = ?",
    "address": "address = ?",
    "code": "code = ?",
    "credential": "credential = ?",
    "message": "message = ?",
    "operation": "operation = ?",
    "order": f"message IN (SELECT message FROM entries WHERE ? IN ({', '.join(ORDER_IDS)})"  # noqa: S608  names are ours
    " OR list_contains(order_ids, ?))",
    "outcome": "? IN (outcome, result)",
    "shard": "(shard = ? OR message IN (SELECT message FROM entries WHERE shard = ?))",
    "since": "time >= ?",
    "symbol": "? IN (symbol, about_symbol)",
    "until": "time < ?",
}
"""What can be asked for without SQL, by name."""

SHOWN = (
    "index, time, kind, coalesce(outcome, result) AS outcome, operation, code, account, address,"
    " coalesce(symbol, about_symbol) AS symbol, side, quantity, price,"
    " coalesce(client_order_id, about_client_order_id) AS client_order_id,"
    " coalesce(venue_order_id, about_venue_order_id) AS venue_order_id,"
    " status, latency_us, coalesce(message, event) AS message"
)
"""The columns that a question without SQL shows."""


RESOLVED = """
    SELECT parts.* REPLACE (
        CASE WHEN starts_with(parts.address, 'sha256:') THEN coalesce(personal.value, $erased$)
        ELSE parts.address END AS address
    ) FROM ($parts$) AS parts LEFT JOIN personal ON parts.address = personal.commitment
"""
"""The table of entries, with values in the place of commitments. They are looked up each time, so
that what is erased is nowhere else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of columns, and rows."""

    names: list[str]
    rows: list[tuple[Any, ...]]

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the rows by name."""
        for row in self.rows:
            yield dict(zip(self.names, row, strict=True))


def select(filters: Mapping[str, Any], limit: int) -> tuple[str, list[Any]]:
    """Return SQL and parameters of a question by `FILTERS`: the newest entries, oldest first."""
    conditions, parameters = ["true"], []
    for name, value in filters.items():
        condition = FILTERS[name]
        conditions.append(condition)
        parameters += [value] * condition.count("?")
    where = " AND ".join(conditions)
    newest = f"SELECT * FROM entries WHERE {where} ORDER BY index DESC LIMIT {limit:d}"  # noqa: S608  names are ours, values are parameters
    return f"SELECT {SHOWN} FROM ({newest}) ORDER BY index", parameters  # noqa: S608  as above


@contextmanager
def opened(columns: Columns) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a database in memory with the table `entries`; it reaches nothing else."""
    with duckdb.connect(":memory:") as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute("SET python_enable_replacements = false")
        db.register("newest", columns.newest)
        db.register("personal", columns.personal)
        parts = "SELECT * FROM newest"
        if columns.files:
            folder = str(columns.files[0].parent)
            db.execute(f"SET allowed_directories = [{text(folder)}]")
            files = ", ".join(text(str(file)) for file in columns.files)
            parts = f"SELECT * FROM read_parquet([{files}]) UNION ALL {parts}"  # noqa: S608  escaped by `text`
        db.execute("SET enable_external_access = false")
        shown = RESOLVED.replace("$erased$", text(ERASED)).replace("$parts$", parts)
        db.execute(f"CREATE VIEW entries AS {shown}")
        db.execute("SET lock_configuration = true")
        yield db


def ask(db: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()) -> Answer:
    """Ask, and return the whole answer.

    Raises:
        LedgerError: the SQL is wrong; the message says where and why.
    """
    try:
        found = db.execute(sql, list(parameters))
        names = [column[0] for column in found.description or []]
        return Answer(names, found.fetchall())
    except duckdb.Error as e:
        raise LedgerError(said(e), code="ledger_query", hint=HINT) from e


HINT = "the table is `entries`; its columns: " + ", ".join(SCHEMA.names)


def said(error: duckdb.Error) -> str:
    """Return DuckDB's message without its pictures of the text, which a log would tear apart."""
    first = str(error).partition("\n\nLINE")[0]
    return re.sub(r"\s+", " ", first).strip()


def text(value: str) -> str:
    """Return `value` as a SQL string."""
    return "'" + value.replace("'", "''") + "'"
