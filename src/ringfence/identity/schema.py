"""The tables of the credential store, and how a connection to them behaves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.pool import NullPool

__all__ = [
    "CHANGE",
    "CREDENTIAL",
    "PRINCIPAL",
    "SCHEMA_VERSION",
    "STEPS",
    "TABLES",
    "VERSION",
    "connect_to",
]

SCHEMA_VERSION = 2
STEPS: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE credential ADD COLUMN native INTEGER NOT NULL DEFAULT '0'",
        "ALTER TABLE credential ADD COLUMN certificates TEXT NOT NULL DEFAULT '[]'",
    ),
}
"""What brings a store from each version to the next."""
BUSY_MS = 5_000
"""How long one process waits for another's write."""

TABLES = MetaData()

VERSION = Table("schema_version", TABLES, Column("version", Integer, nullable=False))

PRINCIPAL = Table(
    "principal",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("created_us", Integer, nullable=False),
)

CREDENTIAL = Table(
    "credential",
    TABLES,
    Column("serial", Integer, primary_key=True),
    Column("key_id", Text, nullable=False, unique=True),
    Column("account", Text, ForeignKey("principal.name"), nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("public_key", LargeBinary),
    Column("generation", Integer, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("allow", Text, nullable=False),
    Column("created_us", Integer, nullable=False),
    Column("expires_us", Integer),
    Column("state", Text, nullable=False),
    # What it demands beside its signature; JSON: SHA-256 of certificates in hexadecimal.
    Column("native", Integer, nullable=False, server_default="0"),
    Column("certificates", Text, nullable=False, server_default="[]"),
    sqlite_autoincrement=True,
)

CHANGE = Table(
    "change",
    TABLES,
    Column("serial", Integer, primary_key=True),
    Column("key_id", Text, ForeignKey("credential.key_id"), nullable=False),
    Column("before", Text),
    Column("state", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("time_us", Integer, nullable=False),
    # Whether the ledger has it: 0 for what was changed while no gateway ran.
    Column("recorded", Integer, nullable=False),
    sqlite_autoincrement=True,
)
Index("change_by_key", CHANGE.c.key_id)
Index("change_to_record", CHANGE.c.serial, sqlite_where=CHANGE.c.recorded == 0)


def connect_to(path: str) -> Engine:
    """Return an engine on the SQLite file `path`.

    A connection's execution option `writes` takes the write lock at once, so that what a
    transaction reads is still so when it writes.
    """
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def prepare(connection: Any, _record: Any) -> None:
    """Make each SQLite connection durable, strict and patient."""
    # Transactions are begun by `begin`, not by the driver's guess.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def begin(connection: Connection) -> None:
    """Begin a transaction as its execution options say."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
