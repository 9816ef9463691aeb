"""The database under the store: SQLite in the state folder, or PostgreSQL by its URL.

A transaction that writes has the store to itself on both, so that what it reads is still so when
it writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from ringfence.errors import GatewayError, StoreError
from ringfence.identity.kept import keep, there

__all__ = ["Database"]

BUSY_MS = 5_000
"""How long one process waits for another's write."""
WRITERS = 0x72696E67
"""The advisory lock that PostgreSQL's writers take in turn."""
CONNECT_SECONDS = 5
LOST = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
"""After how many seconds of silence a server is asked whether it is there, and how often."""
UNHEARD_MS = 10_000
"""How long PostgreSQL's end may leave what it was sent unacknowledged."""


class Database:
    """One SQLite file or one PostgreSQL database."""

    def __init__(self, place: Path | str, patience_s: float | None = None) -> None:
        """Keep where it is: a file, or postgresql://user:password@host/name. Connects to nothing.

        With `patience_s` it is for one who only reads, again and again: one connection is kept, and
        an answer that takes longer is a failure.

        Raises:
            StoreError: the URL cannot be read. It is not repeated: a password may be in it.
        """
        self._file = place if isinstance(place, Path) else None
        if isinstance(place, Path):
            self.name = str(place)
            self._engine = create_engine(f"sqlite:///{place}", **pooled(patience_s))
            event.listen(self._engine, "connect", prepare)
            event.listen(self._engine, "begin", begin)
        else:
            url = read_url(place)
            self.name = url.set(drivername="postgresql").render_as_string(hide_password=True)
            self._secret = None if url.password is None else str(url.password)
            self._engine = connect_to(url, patience_s)
        if patience_s is not None:
            keep(self._engine, place, patience_s)

    @property
    def server(self) -> bool:
        """Whether a server has it, and not a file."""
        return self._engine.dialect.name == "postgresql"

    @contextmanager
    def transaction(self, *, writes: bool = False) -> Iterator[Connection]:
        """Yield a connection in a transaction; turn the database's failures into ours.

        Raises:
            StoreError: the database fails; no word of it holds the password.
        """
        try:
            if self._file is not None:
                there(self._file)
            with self._engine.connect().execution_options(writes=writes) as db, db.begin():
                if writes and self.server:
                    db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")
                yield db
        except GatewayError:
            raise
        except SQLAlchemyError as e:
            reason = str(getattr(e, "orig", None) or type(e).__name__).strip()
            # From None: what is below may show the connection's parameters.
            raise StoreError(f"the store {self.name} failed: {self._clean(reason)}") from None

    def close(self) -> None:
        """Let go of the connection that is kept."""
        self._engine.dispose()

    def _clean(self, text: str) -> str:
        secret = getattr(self, "_secret", None)
        return text.replace(secret, "***") if secret else text


def read_url(text: str) -> URL:
    """Return the URL of a PostgreSQL database, for the driver that we use.

    Raises:
        StoreError: it is none.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in ("postgresql", "postgres") or not url.database:
        hint = "write postgresql://user:password@host/database"
        raise StoreError("the store's URL is none of PostgreSQL's", hint=hint) from None
    return url.set(drivername="postgresql+psycopg")


def connect_to(url: URL, patience_s: float | None) -> Engine:
    """Return an engine on PostgreSQL."""
    seconds = CONNECT_SECONDS if patience_s is None else max(2, ceil(patience_s))
    return create_engine(
        url,
        hide_parameters=True,
        connect_args={
            "connect_timeout": seconds,
            "application_name": "ringfence",
            "tcp_user_timeout": UNHEARD_MS,
            **LOST,
        },
        # Who only reads needs no transaction, and a question without one is one way there and back.
        **({} if patience_s is None else {"isolation_level": "AUTOCOMMIT"}),
        **pooled(patience_s),
    )


def pooled(patience_s: float | None) -> dict[str, Any]:
    """Return how connections are had: for each transaction, or one that is kept."""
    if patience_s is None:
        # A person's commands come now and then: a connection that waits for them is one to lose.
        return {"poolclass": NullPool}
    return {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}


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
