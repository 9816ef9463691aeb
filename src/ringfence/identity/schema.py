"""The tables of the store, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

__all__ = [
    "CHANGE",
    "CREDENTIAL",
    "DERIVATION",
    "PLACEMENT",
    "PRINCIPAL",
    "PRINCIPAL_CHANGE",
    "SHARD_CHANGE",
    "SHARD_STATE",
    "TABLES",
]

TABLES = MetaData()

SERIAL = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only what it calls INTEGER."""
WHOLE = SERIAL
"""64 bits on both."""

PRINCIPAL = Table(
    "principal",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("created_us", WHOLE, nullable=False),
    Column("kind", Text, nullable=False, server_default="account"),
    # The principal that it stands under. No foreign key: SQLite cannot take one away again.
    Column("parent", Text),
    Column("state", Text, nullable=False, server_default="active"),
    # Of operators: what they may do, and the Unix user that the admin socket knows them by.
    Column("role", Text),
    Column("uid", WHOLE),
)
Index("principal_by_parent", PRINCIPAL.c.parent)

CREDENTIAL = Table(
    "credential",
    TABLES,
    Column("serial", SERIAL, primary_key=True),
    Column("key_id", Text, nullable=False, unique=True),
    Column("account", Text, ForeignKey("principal.name"), nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("public_key", LargeBinary),
    Column("generation", Integer, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("allow", Text, nullable=False),
    Column("created_us", WHOLE, nullable=False),
    Column("expires_us", WHOLE),
    Column("state", Text, nullable=False),
    # What it demands beside its signature; JSON: SHA-256 of certificates in hexadecimal.
    Column("native", Integer, nullable=False, server_default="0"),
    Column("certificates", Text, nullable=False, server_default="[]"),
    # The credential that it takes over from.
    Column("predecessor", Text),
    Column("used_us", WHOLE),
    sqlite_autoincrement=True,
)
Index("credential_by_account", CREDENTIAL.c.account)
Index("credential_by_predecessor", CREDENTIAL.c.predecessor)

CHANGE = Table(
    "change",
    TABLES,
    Column("serial", SERIAL, primary_key=True),
    Column("key_id", Text, ForeignKey("credential.key_id"), nullable=False),
    Column("before", Text),
    Column("state", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("time_us", WHOLE, nullable=False),
    # Whether the ledger has it: 0 for what was changed while no gateway ran.
    Column("recorded", Integer, nullable=False),
    # What else than the state changed, in words; and the approvals it rests on, in JSON.
    Column("what", Text, nullable=False, server_default=""),
    Column("approvals", Text, nullable=False, server_default="[]"),
    sqlite_autoincrement=True,
)
Index("change_by_key", CHANGE.c.key_id)
Index(
    "change_to_record",
    CHANGE.c.serial,
    sqlite_where=CHANGE.c.recorded == 0,
    postgresql_where=CHANGE.c.recorded == 0,
)

PRINCIPAL_CHANGE = Table(
    "principal_change",
    TABLES,
    Column("serial", SERIAL, primary_key=True),
    Column("principal", Text, ForeignKey("principal.name"), nullable=False),
    Column("before", Text),
    Column("state", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("time_us", WHOLE, nullable=False),
    Column("recorded", Integer, nullable=False),
    Column("approvals", Text, nullable=False, server_default="[]"),
    # What else than the state changed, in words.
    Column("what", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
Index("principal_change_by_principal", PRINCIPAL_CHANGE.c.principal)

# Where the secret of an HMAC credential stands in the tree of keys. No foreign key: it comes first.
DERIVATION = Table(
    "derivation",
    TABLES,
    Column("key_id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("shard", Integer, nullable=False),
)

# Whom operators moved to which shard.
PLACEMENT = Table(
    "placement",
    TABLES,
    Column("principal", Text, ForeignKey("principal.name"), primary_key=True),
    Column("shard", Integer, nullable=False),
)

# How shards stand; one that is not here serves.
SHARD_STATE = Table(
    "shard_state",
    TABLES,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
)

SHARD_CHANGE = Table(
    "shard_change",
    TABLES,
    Column("serial", SERIAL, primary_key=True),
    # Of a move: who, and where to; None: back to where hash and pins say.
    Column("principal", Text),
    Column("shard", Integer),
    # Of a shard: how it stands.
    Column("state", Text),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("time_us", WHOLE, nullable=False),
    # Whether the ledger has it: 0 for what was changed while no gateway ran.
    Column("recorded", Integer, nullable=False),
    sqlite_autoincrement=True,
)
