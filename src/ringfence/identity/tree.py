"""The tree of principals in the store: who stands under whom, and what that does to credentials."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    func,
    insert,
    select,
    update,
)

from ringfence.errors import (
    KeyTextError,
    PrincipalExistsError,
    PrincipalMissingError,
    PrincipalStateError,
)
from ringfence.identity import lifecycle
from ringfence.identity.credential import ADMIN
from ringfence.identity.database import Database
from ringfence.identity.lifecycle import KINDS
from ringfence.identity.principal import Principal, PrincipalChange, read_principal
from ringfence.identity.schema import CREDENTIAL, PRINCIPAL, PRINCIPAL_CHANGE

__all__ = ["Tree", "below", "chain", "find", "in_use", "placed", "ready", "standing"]

DEPTH = 16
"""Levels that a tree may have."""


class Tree:
    """The principals of one store."""

    def __init__(self, database: Database) -> None:
        """Keep the store's database."""
        self._database = database

    def all(self) -> list[Principal]:
        """Return every principal, oldest first."""
        with self._database.transaction() as db:
            rows = db.execute(select(PRINCIPAL).order_by(PRINCIPAL.c.created_us, PRINCIPAL.c.name))
            return [principal(row) for row in rows.mappings()]

    def one(self, name: str) -> Principal:
        """Return one principal.

        Raises:
            PrincipalMissingError: there is none of this name.
        """
        with self._database.transaction() as db:
            return find(db, name)

    def operator(self, uid: int) -> Principal | None:
        """Return the operator that a Unix user is, if it is one that is not closed."""
        with self._database.transaction() as db:
            return operator(db, uid)

    def operators(self) -> list[Principal]:
        """Return every operator that is not closed."""
        return [one for one in self.all() if one.kind == "operator" and one.state != "closed"]

    def add(
        self, wanted: Principal, who: str, why: str = "", approvals: Sequence[str] = ()
    ) -> PrincipalChange:
        """Keep a new principal; return its first change.

        Raises:
            KeyTextError: it cannot be what it is said to be, or not there.
            PrincipalExistsError: its name, or an operator's user, is in use.
            PrincipalMissingError: there is nothing of its parent's name.
            PrincipalStateError: its parent is not active.
        """
        return self.add_all([wanted], who, why, approvals)[0]

    def add_all(
        self, wanted: Sequence[Principal], who: str, why: str = "", approvals: Sequence[str] = ()
    ) -> list[PrincipalChange]:
        """Keep many new principals together or not at all, as `add`."""
        for one in wanted:
            read_principal(one)
        with self._database.transaction(writes=True) as db:
            return [lay(db, one, who, why, approvals) for one in wanted]

    def history(self, name: str) -> list[PrincipalChange]:
        """Return what became of a principal, oldest first."""
        return self._changes(PRINCIPAL_CHANGE.c.principal == name)

    def unrecorded(self) -> list[PrincipalChange]:
        """Return the changes that the ledger does not have yet, oldest first."""
        return self._changes(PRINCIPAL_CHANGE.c.recorded == 0)

    def laid(self, name: str) -> list[PrincipalChange]:
        """Return that a principal came to be, if the ledger does not have it yet."""
        where = and_(PRINCIPAL_CHANGE.c.principal == name, PRINCIPAL_CHANGE.c.before.is_(None))
        return self._changes(and_(where, PRINCIPAL_CHANGE.c.recorded == 0))

    def mark_recorded(self, serials: Sequence[int]) -> None:
        """Keep that the ledger has these changes."""
        with self._database.transaction(writes=True) as db:
            for serial in serials:
                where = PRINCIPAL_CHANGE.c.serial == serial
                db.execute(update(PRINCIPAL_CHANGE).where(where).values(recorded=1))

    def step(
        self,
        name: str,
        asked: str,
        who: str,
        why: str,
        now_us: int,
        approvals: Sequence[str] = (),
    ) -> tuple[Principal, PrincipalChange | None]:
        """Let a principal take a step of its life; return it as it is then, and the change.

        Raises:
            PrincipalMissingError: there is none of this name.
            PrincipalStateError: there is no such step from where it is; something below is open;
                or no owner would be left.
        """
        with self._database.transaction(writes=True) as db:
            found = find(db, name)
            target = lifecycle.PRINCIPAL.step(name, found.state, asked)
            if target is None:
                return found, None
            if target == "closed":
                nothing_open(db, name)
            if target != "active":
                an_owner_stays(db, found)
            where = PRINCIPAL.c.name == name
            db.execute(update(PRINCIPAL).where(where).values(state=target))
            change = PrincipalChange(
                0, name, found.state, target, who, why, now_us, tuple(approvals)
            )
            return replace(found, state=target), note(db, change)

    def move(
        self,
        name: str,
        parent: str | None,
        who: str,
        why: str,
        now_us: int,
        approvals: Sequence[str] = (),
    ) -> tuple[Principal, PrincipalChange | None]:
        """Put a principal, with all below it, under another one, or at the top with None.

        Being there already is no change and no error.

        Raises:
            PrincipalMissingError: there is none of this name, or of the parent's.
            PrincipalStateError: it is closed, or the parent or one above it is not active.
            KeyTextError: its kind cannot stand there; it would stand under itself, or too deep.
        """
        with self._database.transaction(writes=True) as db:
            found = find(db, name)
            if found.state in lifecycle.PRINCIPAL.final:
                hint = "what is closed stays where it is"
                raise PrincipalStateError(f"{name} is {found.state}", hint=hint)
            if found.parent == parent:
                return found, None
            under = None if parent is None else find(db, parent)
            may_stand(found.kind, under)
            in_use(db, under)
            fits(db, name, under)
            where = PRINCIPAL.c.name == name
            db.execute(update(PRINCIPAL).where(where).values(parent=parent))
            what = f"moved from {found.parent or 'the top'} to {parent or 'the top'}"
            state, done = found.state, tuple(approvals)
            change = PrincipalChange(0, name, state, state, who, why, now_us, done, what)
            return replace(found, parent=parent), note(db, change)

    def held(self) -> set[str]:
        """Return the principals that are out of use: by themselves, or by one above them."""
        start = select(PRINCIPAL.c.name).where(PRINCIPAL.c.state != "active")
        with self._database.transaction() as db:
            return set(under(db, start))

    def holds(self, name: str) -> bool:
        """Tell whether a principal, or one above it, is out of use."""
        with self._database.transaction() as db:
            return placed(chain(db, name))[0]

    def standing(self, name: str) -> dict[str, Any] | None:
        """Return what a principal is and who stands above it, as the engine takes it.

        None: an account by itself.
        """
        with self._database.transaction() as db:
            return placed(chain(db, name))[1]

    def parents(self) -> dict[str, tuple[str, str | None]]:
        """Return the kind and the parent of every principal that another one stands under."""
        column = PRINCIPAL.c
        parents = select(column.parent).where(column.parent.is_not(None))
        asked = select(column.name, column.kind, column.parent).where(column.name.in_(parents))
        with self._database.transaction() as db:
            return {name: (kind, parent) for name, kind, parent in db.execute(asked)}

    def below(self, name: str) -> list[str]:
        """Return a principal and all under it, from the top."""
        with self._database.transaction() as db:
            return below(db, name)

    def _changes(self, which: ColumnElement[bool]) -> list[PrincipalChange]:
        asked = select(PRINCIPAL_CHANGE).where(which).order_by(PRINCIPAL_CHANGE.c.serial)
        with self._database.transaction() as db:
            return [change(row) for row in db.execute(asked).mappings()]


def ready(db: Connection, name: str, scopes: Sequence[str], now_us: int, who: str) -> None:
    """Make sure that a credential may speak for a principal; a name that is new is an account.

    Raises:
        KeyTextError: its kind has no API keys, or none of these scopes.
        PrincipalStateError: it, or one above it, is not active.
    """
    row = db.execute(select(PRINCIPAL).where(PRINCIPAL.c.name == name)).mappings().first()
    if row is None:
        speaks("account", name, scopes)
        lay(db, Principal(name, "account", now_us), who, "", ())
        return
    found = principal(row)
    if not KINDS[found.kind].keys:
        hint = "name an account, a sub-account or a service"
        raise KeyTextError(f"{name} is an {found.kind}, which has no keys", hint=hint)
    speaks(found.kind, name, scopes)
    in_use(db, found)


def speaks(kind: str, name: str, scopes: Sequence[str]) -> None:
    """Make sure that operators' keys only administer, and nobody else's do.

    Raises:
        KeyTextError: they would do otherwise.
    """
    if kind == "operator" and ADMIN not in scopes:
        raise KeyTextError(f"the operator {name} does not trade", hint=f"say --scope {ADMIN}")
    if kind != "operator" and ADMIN in scopes:
        hint = "`ringfence principal create NAME --kind operator --role ROLE` first"
        raise KeyTextError(f"{name} is no operator", hint=hint)


def in_use(db: Connection, found: Principal | None) -> None:
    """Make sure that a principal and all above it are active.

    Raises:
        PrincipalStateError: one is not.
    """
    while found is not None:
        if found.state != "active":
            hint = f"`ringfence principal resume {found.name}` first"
            if found.state == "closed":
                hint = "what is closed stays closed; name another principal"
            raise PrincipalStateError(f"{found.name} is {found.state}", hint=hint)
        found = None if found.parent is None else find(db, found.parent)


def lay(
    db: Connection, wanted: Principal, who: str, why: str, approvals: Sequence[str]
) -> PrincipalChange:
    """Write a new principal and its first change."""
    parent = None if wanted.parent is None else find(db, wanted.parent)
    may_stand(wanted.kind, parent)
    in_use(db, parent)
    if len(above_of(db, parent)) >= DEPTH:
        raise KeyTextError(f"the tree would be deeper than {DEPTH}", hint="name a higher parent")
    if db.execute(select(PRINCIPAL.c.name).where(PRINCIPAL.c.name == wanted.name)).first():
        raise PrincipalExistsError(f"principal {wanted.name} exists already")
    if wanted.uid is not None and (same := operator(db, wanted.uid)) is not None:
        said = f"the user {wanted.uid} is operator {same.name} already"
        raise PrincipalExistsError(said, hint="close that one first")
    row = {name: getattr(wanted, name) for name in wanted.__slots__}
    db.execute(insert(PRINCIPAL).values(row))
    made_us, done = wanted.created_us, tuple(approvals)
    return note(db, PrincipalChange(0, wanted.name, None, wanted.state, who, why, made_us, done))


def may_stand(kind: str, parent: Principal | None) -> None:
    """Make sure that a kind of principal may stand under a parent; None: by itself.

    Raises:
        KeyTextError: it may not.
    """
    above = None if parent is None else parent.kind
    under = KINDS[kind].under
    if above not in under:
        may = ", ".join("nothing" if each is None else each for each in under)
        there = "by itself" if parent is None else f"under the {above} {parent.name}"
        article = "an" if kind[0] in "aeiou" else "a"
        said = f"{article} {kind} cannot stand {there}"
        raise KeyTextError(said, hint=f"it stands under: {may}")


def fits(db: Connection, name: str, parent: Principal | None) -> None:
    """Make sure that no circle comes of a principal under `parent`, nor too deep a tree.

    Raises:
        KeyTextError: it would.
    """
    above = above_of(db, parent)
    if name in above:
        raise KeyTextError(f"{name} would stand under itself", hint="name a parent outside of it")
    if len(above) + height(db, name) > DEPTH:
        raise KeyTextError(f"the tree would be deeper than {DEPTH}", hint="name a higher parent")


def height(db: Connection, name: str) -> int:
    """Return how many levels a principal has, its own and those below."""
    levels, at = 0, [name]
    while at:
        levels += 1
        rows = db.execute(select(PRINCIPAL.c.name).where(PRINCIPAL.c.parent.in_(at)))
        at = list(rows.scalars())
    return levels


def nothing_open(db: Connection, name: str) -> None:
    """Make sure that nothing below a principal is open.

    Raises:
        PrincipalStateError: a principal or a credential is.
    """
    # What is closed has nothing open below, and takes nothing new.
    final = lifecycle.PRINCIPAL.final
    where = and_(PRINCIPAL.c.parent == name, PRINCIPAL.c.state.not_in(final))
    inner = db.execute(select(PRINCIPAL.c.name).where(where)).scalars().first()
    if inner is not None:
        raise PrincipalStateError(f"{inner} stands under {name} and is open", hint="close it first")
    final = lifecycle.CREDENTIAL.final
    where = and_(CREDENTIAL.c.account == name, CREDENTIAL.c.state.not_in(final))
    open_keys = db.execute(select(func.count()).select_from(CREDENTIAL).where(where)).scalar_one()
    if open_keys:
        said = f"{name} has {open_keys} credential(s) that are not deactivated"
        raise PrincipalStateError(said, hint="`ringfence key revoke` each first")


def an_owner_stays(db: Connection, leaving: Principal) -> None:
    """Make sure that an active owner is left.

    Raises:
        PrincipalStateError: none would be.
    """
    if leaving.role == "owner":
        where = and_(PRINCIPAL.c.role == "owner", PRINCIPAL.c.state == "active")
        where = and_(where, PRINCIPAL.c.name != leaving.name)
        if db.execute(select(PRINCIPAL.c.name).where(where)).first() is None:
            hint = "`ringfence principal create NAME --kind operator --role owner` first"
            raise PrincipalStateError(f"{leaving.name} is the last active owner", hint=hint)


def below(db: Connection, name: str) -> list[str]:
    """Return a principal and all under it, from the top."""
    return under(db, select(PRINCIPAL.c.name).where(PRINCIPAL.c.name == find(db, name).name))


def under(db: Connection, start: Select[tuple[str]]) -> list[str]:
    """Return principals and all under them, from the top, each once."""
    found = start.cte("under", recursive=True)
    child = select(PRINCIPAL.c.name).where(PRINCIPAL.c.parent == found.c.name)
    return list(db.execute(select(found.union(child).c.name)).scalars())


def standing(places: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
    """Return names and kinds, from a principal to the top, as the engine takes them."""
    (_, kind), *above = [
        (name, "account" if kind == "sub-account" else kind) for name, kind in places
    ]
    if kind == "account" and not above:
        return None
    return {"kind": kind, "above": [[kind, name] for name, kind in above]}


def placed(above: Sequence[Principal]) -> tuple[bool, dict[str, Any] | None]:
    """Tell whether the first of a chain is out of use, and return its standing.

    By itself, or by one above it.
    """
    held = any(one.state != "active" for one in above)
    return held, standing([(one.name, one.kind) for one in above])


def chain(db: Connection, name: str) -> list[Principal]:
    """Return a principal and all above it, up to the top."""
    found = [find(db, name)]
    while (parent := found[-1].parent) is not None:
        found.append(find(db, parent))
    return found


def above_of(db: Connection, start: Principal | None) -> list[str]:
    """Return a principal and all above it, from the bottom."""
    found: list[str] = []
    while start is not None:
        found.append(start.name)
        start = None if start.parent is None else find(db, start.parent)
    return found


def operator(db: Connection, uid: int) -> Principal | None:
    """Return the operator that a Unix user is, if it is one that is not closed."""
    where = (PRINCIPAL.c.uid == uid) & PRINCIPAL.c.state.not_in(lifecycle.PRINCIPAL.final)
    row = db.execute(select(PRINCIPAL).where(where)).mappings().first()
    return None if row is None else principal(row)


def find(db: Connection, name: str) -> Principal:
    """Return one principal, or raise PrincipalMissingError."""
    row = db.execute(select(PRINCIPAL).where(PRINCIPAL.c.name == name)).mappings().first()
    if row is None:
        raise PrincipalMissingError(f"there is no principal {name}")
    return principal(row)


def note(db: Connection, made: PrincipalChange) -> PrincipalChange:
    """Write a change that the ledger does not have yet, and return it with its serial."""
    row = {name: getattr(made, name) for name in made.__slots__ if name != "serial"}
    row |= {"recorded": 0, "approvals": json.dumps(made.approvals)}
    written = insert(PRINCIPAL_CHANGE).values(row).returning(PRINCIPAL_CHANGE.c.serial)
    return replace(made, serial=db.execute(written).scalar_one())


def principal(row: RowMapping) -> Principal:
    """Return a row as a principal."""
    return Principal(**{name: row[name] for name in Principal.__slots__})


def change(row: RowMapping) -> PrincipalChange:
    """Return a row as a change."""
    values = {name: row[name] for name in PrincipalChange.__slots__}
    return PrincipalChange(**values | {"approvals": tuple(json.loads(row["approvals"]))})
