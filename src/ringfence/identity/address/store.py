"""What is kept of withdrawal addresses. Rows are never deleted; a removal is final."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace

from sqlalchemy import Connection, RowMapping, insert, select, update

from ringfence.errors import AddressError, PrincipalStateError
from ringfence.identity.address.record import (
    AddressChange,
    NewAddress,
    WithdrawalAddress,
    read_new,
)
from ringfence.identity.address.schema import ADDRESS, ADDRESS_CHANGE
from ringfence.identity.database import Database
from ringfence.identity.lifecycle import KINDS
from ringfence.identity.secret import RootKey
from ringfence.identity.tree import find as find_principal
from ringfence.identity.tree import in_use

__all__ = ["Addresses"]

MAC_BYTES = 32
ID_BYTES = 8
FIELDS = WithdrawalAddress.__slots__


class Addresses:
    """The withdrawal addresses of one store. Any thread, and any process, may call."""

    def __init__(self, database: Database, master: RootKey) -> None:
        """Keep the store's database, and what rows are authenticated with."""
        self._transaction = database.transaction
        self._key = master.derived(b"ringfence/address/v1", MAC_BYTES)

    def check(self, wanted: NewAddress) -> None:
        """Make sure that an address could be added now.

        Raises:
            AddressError, PrincipalStateError: as `add`.
        """
        read_new(wanted)
        with self._transaction() as db:
            self._fits(db, wanted)

    def add(
        self,
        wanted: NewAddress,
        now_us: int,
        usable_us: int,
        who: str,
        approvals: Sequence[str] = (),
    ) -> tuple[WithdrawalAddress, AddressChange]:
        """Keep a new address and return it with its first change.

        Raises:
            AddressError: `address_invalid`; `address_exists`: the account has it already.
            PrincipalMissingError: there is no such account.
            PrincipalStateError: it, or one above it, is not in use, or has no funds.
        """
        read_new(wanted)
        made = WithdrawalAddress(
            secrets.token_hex(ID_BYTES),
            wanted.account,
            wanted.asset,
            wanted.network,
            wanted.address,
            wanted.tag,
            wanted.max_amount,
            wanted.label,
            now_us,
            usable_us,
        )
        with self._transaction(writes=True) as db:
            self._fits(db, wanted)
            db.execute(insert(ADDRESS).values(asdict(made) | {"mac": self._mac(made)}))
            done = tuple(approvals)
            step = AddressChange(0, made.id, "added", who, wanted.why, now_us, done)
            return made, note(db, step)

    def remove(
        self, name: str, now_us: int, who: str, why: str
    ) -> tuple[WithdrawalAddress, AddressChange | None]:
        """Remove an address for good; None where that was done before.

        Raises:
            AddressError: `address_unknown`, `address_changed`.
        """
        with self._transaction(writes=True) as db:
            found = self._find(db, name)
            if found.removed_us is not None:
                return found, None
            gone = replace(found, removed_us=now_us)
            values = {"removed_us": now_us, "mac": self._mac(gone)}
            db.execute(update(ADDRESS).where(ADDRESS.c.id == name).values(values))
            return gone, note(db, AddressChange(0, name, "removed", who, why, now_us))

    def all(self, account: str | None = None) -> list[WithdrawalAddress]:
        """Return every address, or one account's, oldest first.

        Raises:
            AddressError: `address_changed`.
        """
        asked = select(ADDRESS).order_by(ADDRESS.c.added_us, ADDRESS.c.id)
        if account is not None:
            asked = asked.where(ADDRESS.c.account == account)
        with self._transaction() as db:
            return [self._read(row) for row in db.execute(asked).mappings()]

    def one(self, name: str) -> WithdrawalAddress:
        """Return one address.

        Raises:
            AddressError: `address_unknown`, `address_changed`.
        """
        with self._transaction() as db:
            return self._find(db, name)

    def account(self, name: str) -> str:
        """Return whose an address is, whether or not it is what was added.

        Raises:
            AddressError: `address_unknown`.
        """
        with self._transaction() as db:
            asked = select(ADDRESS.c.account).where(ADDRESS.c.id == name)
            found = db.execute(asked).scalar_one_or_none()
        if found is None:
            raise AddressError(f"there is no withdrawal address {name}")
        return str(found)

    def history(self, name: str) -> list[AddressChange]:
        """Return what became of an address, oldest first."""
        where = ADDRESS_CHANGE.c.address == name
        asked = select(ADDRESS_CHANGE).where(where).order_by(ADDRESS_CHANGE.c.serial)
        with self._transaction() as db:
            return [change(row) for row in db.execute(asked).mappings()]

    def unrecorded(self) -> list[AddressChange]:
        """Return the changes that the ledger does not have yet, oldest first."""
        where = ADDRESS_CHANGE.c.recorded == 0
        asked = select(ADDRESS_CHANGE).where(where).order_by(ADDRESS_CHANGE.c.serial)
        with self._transaction() as db:
            return [change(row) for row in db.execute(asked).mappings()]

    def mark_recorded(self, serial: int) -> None:
        """Keep that the ledger has a change."""
        where = ADDRESS_CHANGE.c.serial == serial
        with self._transaction(writes=True) as db:
            db.execute(update(ADDRESS_CHANGE).where(where).values(recorded=1))

    def _fits(self, db: Connection, wanted: NewAddress) -> None:
        """Make sure that an account may have an address, and has it not."""
        found = find_principal(db, wanted.account)
        if not KINDS[found.kind].keys or found.kind == "operator":
            hint = "name an account, a sub-account or a service"
            raise PrincipalStateError(f"{wanted.account} is an {found.kind}", hint=hint)
        in_use(db, found)
        where = (ADDRESS.c.account == wanted.account) & ADDRESS.c.removed_us.is_(None)
        rows = db.execute(select(ADDRESS).where(where)).mappings()
        asked = (wanted.account, wanted.asset, wanted.network, wanted.address, wanted.tag)
        for known in (self._read(row) for row in rows):
            if known.place() == asked:
                hint = f"`ringfence address remove {known.id}` first, to add it otherwise"
                said = f"{wanted.account} has this address already: {known.id}"
                raise AddressError(said, code="address_exists", hint=hint)

    def _find(self, db: Connection, name: str) -> WithdrawalAddress:
        row = db.execute(select(ADDRESS).where(ADDRESS.c.id == name)).mappings().first()
        if row is None:
            raise AddressError(f"there is no withdrawal address {name}")
        return self._read(row)

    def _read(self, row: RowMapping) -> WithdrawalAddress:
        """Return a row as what was added, and nothing else."""
        found = WithdrawalAddress(**{name: row[name] for name in FIELDS})
        if not hmac.compare_digest(self._mac(found), bytes(row["mac"])):
            hint = "the store was changed by another: keep a copy, and tell security"
            said = f"the withdrawal address {found.id} is not what was added"
            raise AddressError(said, code="address_changed", hint=hint)
        return found

    def _mac(self, of: WithdrawalAddress) -> bytes:
        """Return what authenticates an address. JSON tells every field from its neighbours."""
        text = json.dumps([getattr(of, name) for name in FIELDS])
        return hmac.digest(self._key, text.encode(), "sha256")


def note(db: Connection, made: AddressChange) -> AddressChange:
    """Write a change that the ledger does not have yet, and return it with its serial."""
    row = {name: getattr(made, name) for name in made.__slots__ if name != "serial"}
    row |= {"recorded": 0, "approvals": json.dumps(made.approvals)}
    written = insert(ADDRESS_CHANGE).values(row).returning(ADDRESS_CHANGE.c.serial)
    return replace(made, serial=db.execute(written).scalar_one())


def change(row: RowMapping) -> AddressChange:
    """Return a row as a change."""
    values = {name: row[name] for name in AddressChange.__slots__}
    return AddressChange(**values | {"approvals": tuple(json.loads(row["approvals"]))})
