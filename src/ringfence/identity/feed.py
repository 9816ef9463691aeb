"""What has changed in a store since one looked last, whoever changed it.

Every change of a credential, a principal, a withdrawal address or a shard is a row of its own,
whose number is above all that were there before: writers have the store to themselves, so that a
number that is seen has none below it that comes later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, Table, func, select

from ringfence.errors import StoreError
from ringfence.identity.address.record import AddressChange
from ringfence.identity.address.schema import ADDRESS_CHANGE
from ringfence.identity.address.store import change as address_change
from ringfence.identity.credential import Change
from ringfence.identity.placement import ShardChange
from ringfence.identity.principal import PrincipalChange
from ringfence.identity.rows import change as credential_change
from ringfence.identity.schema import CHANGE, PRINCIPAL_CHANGE, SHARD_CHANGE
from ringfence.identity.shards import change as shard_change
from ringfence.identity.store import Store
from ringfence.identity.tree import change as principal_change

__all__ = ["Feed", "Mark", "News"]

SORTS = (CHANGE, PRINCIPAL_CHANGE, ADDRESS_CHANGE, SHARD_CHANGE)
NEWEST = select(*(select(func.max(table.c.serial)).scalar_subquery() for table in SORTS))
MOST = 1_000
"""Changes of a sort that are read at once."""


class Mark(NamedTuple):
    """How far a store was read: the number of the newest change of each sort; 0: none."""

    credentials: int
    principals: int
    addresses: int
    shards: int


@dataclass(frozen=True, slots=True)
class News:
    """Changes of each sort, oldest first, and how far they go."""

    credentials: list[Change]
    principals: list[PrincipalChange]
    addresses: list[AddressChange]
    shards: list[ShardChange]
    mark: Mark

    def without(self, known: Callable[[str, int], bool]) -> News:
        """Return them without what is known, by sort and number."""
        return News(
            [one for one in self.credentials if not known("credentials", one.serial)],
            [one for one in self.principals if not known("principals", one.serial)],
            [one for one in self.addresses if not known("addresses", one.serial)],
            [one for one in self.shards if not known("shards", one.serial)],
            self.mark,
        )


class Feed:
    """Reads a store's changes. One thread asks."""

    def __init__(self, store: Store) -> None:
        """Begin behind the newest change.

        Raises:
            StoreError: the store cannot be read.
        """
        self._database = store.database
        self._went_back = False
        self.mark = self._newest()

    def origin(self) -> str:
        """Return what no other store has: its first change.

        Raises:
            StoreError: the store cannot be read.
        """
        first = select(PRINCIPAL_CHANGE).order_by(PRINCIPAL_CHANGE.c.serial).limit(1)
        with self._database.transaction() as db:
            found = db.execute(first).mappings().one()
        return f"{found['serial']}/{found['time_us']}/{found['principal']}/{found['who']}"

    def moved(self) -> bool:
        """Tell whether there are changes behind the mark. One question, to four indexes.

        Raises:
            StoreError: the store cannot be read; or it is older than it was, and stays so: what
                was changed since is lost, and numbers come again.
        """
        newest = self._newest()
        if any(now < before for now, before in zip(newest, self.mark, strict=True)):
            self._went_back = True
        if self._went_back:
            hint = "find out what was lost, then restart the gateway"
            raise StoreError("the store is an older one than it was", hint=hint)
        return newest != self.mark

    def news(self) -> News:
        """Return the oldest changes behind the mark, MOST of a sort. The mark stays.

        Raises:
            StoreError: the store cannot be read.
        """
        marks = dict(zip(SORTS, self.mark, strict=True))
        with self._database.transaction() as db:
            read = [rows(db, *one) for one in marks.items()]
        credentials, principals, addresses, shards = read
        found = (
            [credential_change(row) for row in credentials],
            [principal_change(row) for row in principals],
            [address_change(row) for row in addresses],
            [shard_change(row) for row in shards],
        )
        ends = (sort[-1].serial if sort else 0 for sort in found)
        mark = Mark(*(max(end, was) for end, was in zip(ends, self.mark, strict=True)))
        return News(*found, mark)

    def _newest(self) -> Mark:
        with self._database.transaction() as db:
            return Mark(*(serial or 0 for serial in db.execute(NEWEST).one()))


def rows(db: Connection, table: Table, behind: int) -> list[RowMapping]:
    """Return the oldest rows behind a number."""
    asked = select(table).where(table.c.serial > behind).order_by(table.c.serial).limit(MOST)
    return list(db.execute(asked).mappings())
