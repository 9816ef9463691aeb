"""The store of principals and credentials: SQLite in the state folder, or PostgreSQL by its URL.

Secrets are never in it. A change is durable when a call returns. Rows are never deleted, so that
an id is never used twice and the ledger's names stay explained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, or_, select, update

from ringfence.errors import KeyExistsError, KeyStateError, StoreError
from ringfence.identity import lifecycle
from ringfence.identity.credential import Change, Credential, iso
from ringfence.identity.database import Database
from ringfence.identity.migrations import migrate, open_database
from ringfence.identity.placement import ShardRules
from ringfence.identity.rows import change, credential, find, note, place_all, row_of
from ringfence.identity.schema import CHANGE, CREDENTIAL
from ringfence.identity.shards import Shards
from ringfence.identity.tree import Tree

__all__ = ["Store"]


class Store:
    """The principals and credentials of one gateway. Any number of processes may hold one.

    `principals` has the tree, `shards` who stands in which.
    """

    def __init__(self, place: Path | str | Database, shards: ShardRules | None = None) -> None:
        """Open the store in a file that `create` has laid, or in a database of PostgreSQL.

        An older one is brought to this version's schema; an empty database gets it. A database is
        taken as it is. `shards`: how many there are, and who is pinned to one; else there are none.

        Raises:
            StoreError: there is none, it is of a schema that we do not know, or it cannot be used.
        """
        self._database = place if isinstance(place, Database) else open_database(place)
        self.principals = Tree(self._database)
        self.shards = Shards(self._database, shards or ShardRules())

    @property
    def database(self) -> Database:
        """The database under it, for what else is kept there."""
        return self._database

    @classmethod
    def create(cls, path: Path) -> Store:
        """Lay an empty store in a file, readable by its owner only.

        Raises:
            StoreError: something is there already, or it cannot be written.
        """
        try:
            path.touch(mode=0o600, exist_ok=False)
        except OSError as e:
            raise StoreError(f"cannot create {path}: {e.strerror}") from e
        migrate(Database(path))
        return cls(path)

    def add(
        self, credential: Credential, who: str, why: str = "", approvals: Sequence[str] = ()
    ) -> Change:
        """Keep a new credential, and its account if that is new; return its first change.

        Raises:
            KeyExistsError: its id has been used before.
            KeyTextError: it cannot be its principal's.
            PrincipalStateError: its principal is not in use.
        """
        return self.add_all([credential], who, why, approvals)[0]

    def add_all(
        self,
        credentials: Sequence[Credential],
        who: str,
        why: str = "",
        approvals: Sequence[str] = (),
    ) -> list[Change]:
        """Keep many new credentials together or not at all; as `add`."""
        with self._database.transaction(writes=True) as db:
            return place_all(db, credentials, who, why, approvals)

    def all(self) -> list[Credential]:
        """Return every credential, oldest first."""
        with self._database.transaction() as db:
            rows = db.execute(select(CREDENTIAL).order_by(CREDENTIAL.c.serial)).mappings()
            return [credential(row) for row in rows]

    def ids_of(self, accounts: Sequence[str]) -> list[str]:
        """Return the ids of the credentials of some accounts, oldest first."""
        asked = select(CREDENTIAL.c.key_id).where(CREDENTIAL.c.account.in_(list(accounts)))
        with self._database.transaction() as db:
            return list(db.execute(asked.order_by(CREDENTIAL.c.serial)).scalars())

    def one(self, key_id: str) -> Credential:
        """Return one credential.

        Raises:
            KeyMissingError: there is none of this id.
        """
        with self._database.transaction() as db:
            return find(db, key_id)

    def some(self, key_ids: Sequence[str]) -> dict[str, Credential]:
        """Return credentials by their ids."""
        asked = select(CREDENTIAL).where(CREDENTIAL.c.key_id.in_(list(key_ids)))
        with self._database.transaction() as db:
            return {row["key_id"]: credential(row) for row in db.execute(asked).mappings()}

    def rows(self, asked: Select[Any], at_once: int) -> Iterator[Sequence[Any]]:
        """Yield the rows of a question, `at_once` of them in memory."""
        with self._database.transaction() as db:
            yield from db.execution_options(yield_per=at_once).execute(asked)

    def fresh(self, key_id: str) -> None:
        """Make sure that an id was never used.

        Raises:
            KeyExistsError: it was.
        """
        with self._database.transaction() as db:
            asked = select(CREDENTIAL.c.serial).where(CREDENTIAL.c.key_id == key_id)
            if db.execute(asked).first() is not None:
                raise KeyExistsError(f"credential {key_id} exists already")

    def history(self, key_id: str) -> list[Change]:
        """Return what became of a credential, oldest first."""
        return self._changes(CHANGE.c.key_id == key_id)

    def unrecorded(self) -> list[Change]:
        """Return the changes that the ledger does not have yet, oldest first."""
        return self._changes(CHANGE.c.recorded == 0)

    def mark_recorded(self, serials: Sequence[int]) -> None:
        """Keep that the ledger has these changes."""
        if serials:
            mark = update(CHANGE).where(CHANGE.c.serial == bindparam("done")).values(recorded=1)
            with self._database.transaction(writes=True) as db:
                db.execute(mark, [{"done": serial} for serial in serials])

    def step(
        self,
        key_id: str,
        asked: str,
        who: str,
        why: str,
        now_us: int,
        approvals: Sequence[str] = (),
    ) -> tuple[Credential, Change | None]:
        """Let a credential take a step of its life; return it as it is then, and the change made.

        Being there already is no change and no error: who retries must get through.

        Raises:
            KeyMissingError: there is none of this id.
            KeyStateError: there is no such step from where it is.
        """
        with self._database.transaction(writes=True) as db:
            found = find(db, key_id)
            target = lifecycle.CREDENTIAL.step(f"{key_id}", found.state, asked)
            if target is None:
                return found, None
            values: dict[str, object] = {"state": target}
            if target == "destroyed":
                values["public_key"] = None
            where = CREDENTIAL.c.key_id == key_id
            db.execute(update(CREDENTIAL).where(where).values(values))
            done = tuple(approvals)
            made = Change(0, key_id, found.state, target, who, why, now_us, "", done)
            return find(db, key_id), note(db, made)

    def describe(
        self,
        described: Credential,
        what: str,
        who: str,
        why: str,
        now_us: int,
        approvals: Sequence[str] = (),
    ) -> Change:
        """Put another description in the place of a credential's; return the change.

        Raises:
            KeyMissingError: there is none of this id.
            KeyStateError: it is in another state than the description says.
        """
        with self._database.transaction(writes=True) as db:
            found = find(db, described.key_id)
            if found.state != described.state:
                raise KeyStateError(f"credential {found.key_id} is {found.state} by now")
            where = CREDENTIAL.c.key_id == found.key_id
            row = row_of(described) | {"used_us": found.used_us}
            db.execute(update(CREDENTIAL).where(where).values(row))
            state, done = found.state, tuple(approvals)
            made = Change(0, found.key_id, state, state, who, why, now_us, what, done)
            return note(db, made)

    def rotate(
        self, old: Credential, successor: Credential, end_us: int, who: str, why: str
    ) -> list[Change]:
        """Keep a credential's successor, and that it ends at `end_us`: both or neither.

        Raises:
            KeyStateError: it is not active, or has a successor already.
            KeyExistsError: the successor's id has been used before.
        """
        with self._database.transaction(writes=True) as db:
            found = find(db, old.key_id)
            if found.state != "active":
                hint = "only an active credential has a successor; create another"
                raise KeyStateError(f"credential {found.key_id} is {found.state}", hint=hint)
            asked = select(CREDENTIAL.c.key_id).where(CREDENTIAL.c.predecessor == found.key_id)
            if (taken := db.execute(asked).scalars().first()) is not None:
                said = f"credential {found.key_id} has the successor {taken} already"
                raise KeyStateError(said, hint="rotate the successor")
            made = place_all(db, [replace(successor, predecessor=found.key_id)], who, why, ())
            where = CREDENTIAL.c.key_id == found.key_id
            db.execute(update(CREDENTIAL).where(where).values(expires_us=end_us))
            what = f"rotated to {successor.key_id}, ends at {iso(end_us)}"
            ended = Change(
                0, found.key_id, found.state, found.state, who, why, successor.created_us, what
            )
            return [note(db, ended), *made]

    def keep_uses(self, uses: Mapping[str, int]) -> None:
        """Keep when credentials were last used, in µs since the epoch. No change of their lives."""
        if uses:
            where = CREDENTIAL.c.key_id == bindparam("id")
            keep = update(CREDENTIAL).where(where).values(used_us=bindparam("at"))
            with self._database.transaction(writes=True) as db:
                db.execute(keep, [{"id": key_id, "at": at} for key_id, at in uses.items()])

    def unused(self, before_us: int) -> list[str]:
        """Return the active credentials that were neither used nor changed since `before_us`."""
        changed = select(CHANGE.c.serial).where(
            CHANGE.c.key_id == CREDENTIAL.c.key_id, CHANGE.c.time_us >= before_us
        )
        used = CREDENTIAL.c.used_us
        asked = select(CREDENTIAL.c.key_id).where(
            CREDENTIAL.c.state == "active",
            or_(used.is_(None), used < before_us),
            ~changed.exists(),
        )
        with self._database.transaction() as db:
            return list(db.execute(asked).scalars())

    def _changes(self, which: ColumnElement[bool]) -> list[Change]:
        asked = select(CHANGE).where(which).order_by(CHANGE.c.serial)
        with self._database.transaction() as db:
            return [change(row) for row in db.execute(asked).mappings()]
