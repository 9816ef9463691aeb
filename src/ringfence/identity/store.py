"""The credential store: one SQLite file in the state folder. Secrets are never in it.

A change is durable when a call returns (journal WAL, synchronous FULL). Rows are never deleted,
so that an id is never used twice and the ledger's names stay explained.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ringfence.errors import KeyExistsError, KeyMissingError, KeyStateError, StoreError
from ringfence.identity.credential import REACHES, Change, Credential
from ringfence.identity.schema import (
    CHANGE,
    CREDENTIAL,
    PRINCIPAL,
    SCHEMA_VERSION,
    STEPS,
    TABLES,
    VERSION,
    connect_to,
)

__all__ = ["Store"]

LISTS = ("scopes", "allow", "certificates")
"""Columns that hold lists, as JSON."""


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
        self._engine = connect_to(str(path))
        with self._transaction() as db:
            versions = db.execute(select(VERSION.c.version)).scalars().all()
        if len(versions) == 1 and versions[0] in STEPS:
            versions = self._upgrade()
        if versions != [SCHEMA_VERSION]:
            said = ", ".join(map(str, versions)) or "none"
            raise StoreError(f"{path} has schema {said}; this Ringfence reads {SCHEMA_VERSION}")

    def _upgrade(self) -> Sequence[int]:
        """Bring an older store to this version, all steps or none; return the versions then."""
        with self._transaction(writes=True) as db:
            # Another process may have been first.
            version = db.execute(select(VERSION.c.version)).scalar_one()
            while version in STEPS:
                for step in STEPS[version]:
                    db.exec_driver_sql(step)
                version += 1
            db.execute(update(VERSION).values(version=version))
            return [version]

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
        with connect_to(str(path)).begin() as db:
            TABLES.create_all(db)
            db.execute(insert(VERSION).values(version=SCHEMA_VERSION))
        return cls(path)

    def add(self, credential: Credential, who: str, why: str = "") -> Change:
        """Keep a new credential, and its account if that is new; return its first change.

        Raises:
            KeyExistsError: its id has been used before.
        """
        return self.add_all([credential], who, why)[0]

    def add_all(self, credentials: Sequence[Credential], who: str, why: str = "") -> list[Change]:
        """Keep many new credentials together or not at all.

        Raises:
            KeyExistsError: an id has been used before.
        """
        with self._transaction(writes=True) as db:
            return [place(db, one, who, why) for one in credentials]

    def all(self) -> list[Credential]:
        """Return every credential, oldest first."""
        with self._transaction() as db:
            rows = db.execute(select(CREDENTIAL).order_by(CREDENTIAL.c.serial)).mappings()
            return [credential(row) for row in rows]

    def one(self, key_id: str) -> Credential:
        """Return one credential.

        Raises:
            KeyMissingError: there is none of this id.
        """
        with self._transaction() as db:
            return find(db, key_id)

    def history(self, key_id: str) -> list[Change]:
        """Return what became of a credential, oldest first."""
        return self._changes(CHANGE.c.key_id == key_id)

    def unrecorded(self) -> list[Change]:
        """Return the changes that the ledger does not have yet, oldest first."""
        return self._changes(CHANGE.c.recorded == 0)

    def _changes(self, which: ColumnElement[bool]) -> list[Change]:
        with self._transaction() as db:
            rows = db.execute(select(CHANGE).where(which).order_by(CHANGE.c.serial)).mappings()
            return [Change(**{name: row[name] for name in Change.__slots__}) for row in rows]

    def mark_recorded(self, serials: Sequence[int]) -> None:
        """Keep that the ledger has these changes."""
        with self._transaction(writes=True) as db:
            for serial in serials:
                db.execute(update(CHANGE).where(CHANGE.c.serial == serial).values(recorded=1))

    def set_state(
        self, key_id: str, state: str, who: str, why: str, now_us: int
    ) -> tuple[Credential, Change | None]:
        """Bring a credential into `state`; return it as it is then, and the change made.

        Being there already is no change and no error: who retries must get through.

        Raises:
            KeyMissingError: there is none of this id.
            KeyStateError: `state` cannot be reached from where it is.
        """
        with self._transaction(writes=True) as db:
            found = find(db, key_id)
            if found.state not in REACHES[state]:
                said = f"credential {key_id} is {found.state} and cannot become {state}"
                raise KeyStateError(said)
            if found.state == state:
                return found, None
            db.execute(update(CREDENTIAL).where(CREDENTIAL.c.key_id == key_id).values(state=state))
            change = note(db, Change(0, key_id, found.state, state, who, why, now_us))
            return find(db, key_id), change

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[Connection]:
        """Yield a connection in a transaction; turn the database's failures into ours."""
        try:
            with self._engine.connect().execution_options(writes=writes) as db, db.begin():
                yield db
        except SQLAlchemyError as e:
            reason = getattr(e, "orig", None) or type(e).__name__
            raise StoreError(f"the credential store {self._path} failed: {reason}") from e


def place(db: Connection, credential: Credential, who: str, why: str) -> Change:
    """Write a new credential and its first change."""
    row = {name: getattr(credential, name) for name in credential.__slots__}
    row |= {name: json.dumps(row[name]) for name in LISTS}
    principal = {"name": credential.account, "created_us": credential.created_us}
    db.execute(upsert(PRINCIPAL).values(principal).on_conflict_do_nothing())
    try:
        db.execute(insert(CREDENTIAL).values(row))
    except IntegrityError as e:
        raise KeyExistsError(f"credential {credential.key_id} exists already") from e
    made_us = credential.created_us
    return note(db, Change(0, credential.key_id, None, credential.state, who, why, made_us))


def note(db: Connection, change: Change) -> Change:
    """Write a change that the ledger does not have yet, and return it with its serial."""
    row = {name: getattr(change, name) for name in Change.__slots__ if name != "serial"}
    written = insert(CHANGE).values(row | {"recorded": 0}).returning(CHANGE.c.serial)
    return Change(serial=db.execute(written).scalar_one(), **row)


def find(db: Connection, key_id: str) -> Credential:
    """Return one credential, or raise KeyMissingError."""
    row = db.execute(select(CREDENTIAL).where(CREDENTIAL.c.key_id == key_id)).mappings().first()
    if row is None:
        raise KeyMissingError(f"there is no credential {key_id}")
    return credential(row)


def credential(row: RowMapping) -> Credential:
    """Return a row as a credential."""
    values = {name: row[name] for name in Credential.__slots__}
    values |= {name: tuple(json.loads(row[name])) for name in LISTS}
    values["native"] = bool(row["native"])
    return Credential(**values)
