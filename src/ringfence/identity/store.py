"""The credential store: one SQLite file in the state folder. Secrets are never in it.

A change is durable when a call returns (journal WAL, synchronous FULL). Rows are never deleted,
so that an id is never used twice and the ledger's names stay explained.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Table,
    Text,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ringfence.errors import KeyExistsError, KeyMissingError, KeyStateError, StoreError
from ringfence.identity.credential import REACHES, Credential

__all__ = ["Store"]

SCHEMA_VERSION = 1
BUSY_MS = 5_000
"""How long one process waits for another's write."""

CREDENTIAL = Table(
    "credential",
    MetaData(),
    Column("serial", Integer, primary_key=True),
    Column("key_id", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("allow", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_us", Integer, nullable=False),
    Column("changed_us", Integer, nullable=False),
    Column("expires_us", Integer),
    Column("public_key", LargeBinary),
    Column("why", Text, nullable=False),
    sqlite_autoincrement=True,
)


class Store:
    """The credentials of one gateway. Any number of processes may hold one."""

    def __init__(self, path: Path) -> None:
        """Open the store at `path`, which `create` has laid.

        Raises:
            StoreError: there is none, it is of another version, or it cannot be read.
        """
        if not path.is_file():
            raise StoreError(f"there is no credential store {path}")
        self._path = path
        self._engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        event.listen(self._engine, "connect", prepare)
        with self._begin() as db:
            version = db.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version != SCHEMA_VERSION:
            raise StoreError(f"{path} has schema {version}; this Ringfence reads {SCHEMA_VERSION}")

    @classmethod
    def create(cls, path: Path) -> Store:
        """Lay an empty store, readable by its owner only.

        Raises:
            StoreError: something is there already, or it cannot be written.
        """
        try:
            path.touch(mode=0o600, exist_ok=False)
        except OSError as e:
            raise StoreError(f"cannot create {path}: {e.strerror}") from e
        engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        event.listen(engine, "connect", prepare)
        with engine.begin() as db:
            CREDENTIAL.metadata.create_all(db)
            db.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        return cls(path)

    def add(self, credential: Credential) -> None:
        """Keep a new credential.

        Raises:
            KeyExistsError: its id has been used before.
        """
        row = {name: getattr(credential, name) for name in credential.__slots__}
        row |= {"scopes": json.dumps(credential.scopes), "allow": json.dumps(credential.allow)}
        try:
            with self._begin() as db:
                db.execute(insert(CREDENTIAL).values(row))
        except IntegrityError as e:
            raise KeyExistsError(f"credential {credential.key_id} exists already") from e

    def all(self) -> list[Credential]:
        """Return every credential, oldest first."""
        with self._begin() as db:
            rows = db.execute(select(CREDENTIAL).order_by(CREDENTIAL.c.serial)).mappings()
            return [credential(row) for row in rows]

    def one(self, key_id: str) -> Credential:
        """Return one credential.

        Raises:
            KeyMissingError: there is none of this id.
        """
        with self._begin() as db:
            return find(db, key_id)

    def set_state(self, key_id: str, state: str, why: str, now_us: int) -> Credential:
        """Bring a credential into `state` and return it as it is then.

        Being there already changes nothing and is no error: who retries must get through.

        Raises:
            KeyMissingError: there is none of this id.
            KeyStateError: `state` cannot be reached from where it is.
        """
        # One statement decides and writes, so that two processes cannot both resume and revoke.
        change = (
            update(CREDENTIAL)
            .where(CREDENTIAL.c.key_id == key_id, CREDENTIAL.c.state != state)
            .where(CREDENTIAL.c.state.in_(REACHES[state]))
            .values(state=state, why=why, changed_us=now_us)
        )
        with self._begin() as db:
            db.execute(change)
            found = find(db, key_id)
        if found.state != state:
            raise KeyStateError(f"credential {key_id} is {found.state} and cannot become {state}")
        return found

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """Yield a connection in a transaction; turn the database's failures into ours."""
        try:
            with self._engine.begin() as db:
                yield db
        except IntegrityError:
            raise
        except SQLAlchemyError as e:
            reason = getattr(e, "orig", None) or type(e).__name__
            raise StoreError(f"the credential store {self._path} failed: {reason}") from e


def prepare(connection: Any, _record: Any) -> None:
    """Make each SQLite connection durable and patient."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")


def find(db: Connection, key_id: str) -> Credential:
    """Return one credential, or raise KeyMissingError."""
    row = db.execute(select(CREDENTIAL).where(CREDENTIAL.c.key_id == key_id)).mappings().first()
    if row is None:
        raise KeyMissingError(f"there is no credential {key_id}")
    return credential(row)


def credential(row: RowMapping) -> Credential:
    """Return a row as a credential."""
    values = {name: row[name] for name in Credential.__slots__}
    values["scopes"] = tuple(json.loads(row["scopes"]))
    values["allow"] = tuple(json.loads(row["allow"]))
    return Credential(**values)
