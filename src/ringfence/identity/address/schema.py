"""The tables of withdrawal addresses and of what became of them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from ringfence.identity.schema import SERIAL, TABLES, WHOLE

__all__ = ["ADDRESS", "ADDRESS_CHANGE"]

ADDRESS = Table(
    "address",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("account", Text, ForeignKey("principal.name"), nullable=False),
    Column("asset", Text, nullable=False),
    Column("network", Text),
    Column("address", Text, nullable=False),
    Column("tag", Text),
    Column("max_amount", Text),
    Column("label", Text, nullable=False),
    Column("added_us", WHOLE, nullable=False),
    Column("usable_us", WHOLE, nullable=False),
    Column("removed_us", WHOLE),
    # Under the master key: who can write the store only cannot add one, nor end its lock.
    Column("mac", LargeBinary, nullable=False),
)
Index("address_by_account", ADDRESS.c.account)

ADDRESS_CHANGE = Table(
    "address_change",
    TABLES,
    Column("serial", SERIAL, primary_key=True),
    Column("address", Text, ForeignKey("address.id"), nullable=False),
    # added, removed.
    Column("step", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("time_us", WHOLE, nullable=False),
    Column("approvals", Text, nullable=False),
    # Whether the ledger has it: 0 for what was changed while no gateway ran.
    Column("recorded", Integer, nullable=False),
    sqlite_autoincrement=True,
)
Index("address_change_by_address", ADDRESS_CHANGE.c.address)
