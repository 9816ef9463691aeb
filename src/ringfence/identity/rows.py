"""Credentials and their changes as rows of the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from sqlalchemy import Connection, RowMapping, insert, select
from sqlalchemy.exc import IntegrityError

from ringfence.errors import KeyExistsError, KeyMissingError
from ringfence.identity.credential import Change, Credential
from ringfence.identity.schema import CHANGE, CREDENTIAL
from ringfence.identity.tree import ready

__all__ = ["change", "credential", "find", "note", "place_all", "row_of"]

LISTS = ("scopes", "allow", "certificates")
"""Columns that hold lists, as JSON."""


def place_all(
    db: Connection, credentials: Sequence[Credential], who: str, why: str, approvals: Sequence[str]
) -> list[Change]:
    """Write new credentials and the first change of each.

    Raises:
        KeyExistsError: an id is in use.
        KeyTextError: a principal of this kind has no keys, or none of these scopes.
        PrincipalStateError: a principal is not in use.
    """
    accounts = {(one.account, one.scopes): one.created_us for one in credentials}
    for (account, scopes), made_us in accounts.items():
        ready(db, account, scopes, made_us, who)
    for one in credentials:
        try:
            db.execute(insert(CREDENTIAL).values(row_of(one)))
        except IntegrityError as e:
            raise KeyExistsError(f"credential {one.key_id} exists already") from e
    done = tuple(approvals)
    return [
        note(db, Change(0, one.key_id, None, one.state, who, why, one.created_us, "", done))
        for one in credentials
    ]


def row_of(credential: Credential) -> dict[str, object]:
    """Return a credential as a row."""
    row = {name: getattr(credential, name) for name in credential.__slots__}
    return row | {name: json.dumps(row[name]) for name in LISTS} | {"native": int(row["native"])}


def note(db: Connection, change: Change) -> Change:
    """Write a change that the ledger does not have yet, and return it with its serial."""
    written = insert(CHANGE).values(change_row(change)).returning(CHANGE.c.serial)
    return replace(change, serial=db.execute(written).scalar_one())


def change_row(change: Change) -> dict[str, object]:
    """Return a change as a new row."""
    row = {name: getattr(change, name) for name in Change.__slots__ if name != "serial"}
    return row | {"recorded": 0, "approvals": json.dumps(change.approvals)}


def find(db: Connection, key_id: str) -> Credential:
    """Return one credential, or raise KeyMissingError."""
    row = db.execute(select(CREDENTIAL).where(CREDENTIAL.c.key_id == key_id)).mappings().first()
    if row is None:
        raise KeyMissingError(f"there is no credential {key_id}")
    return credential(row)


def credential(row: RowMapping) -> Credential:
    """Return a row as a credential."""
    values = {name: row[name] for name in Credential.__slots__}
    values |= {name: words(row[name]) for name in LISTS}
    values["native"] = bool(row["native"])
    return Credential(**values)


def change(row: RowMapping) -> Change:
    """Return a row as a change."""
    values = {name: row[name] for name in Change.__slots__}
    return Change(**values | {"approvals": words(row["approvals"])})


@lru_cache(maxsize=4_096)
def words(text: str) -> tuple[str, ...]:
    """Return a list that stands in a column. Most credentials' lists are those of others, too."""
    return tuple(json.loads(text))
