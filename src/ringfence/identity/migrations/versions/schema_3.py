"""Principals in a tree with states and roles; the whole life of a credential.

What was `revoked` is `deactivated` from here on. On the way back every final state is `revoked`
again, whatever it was.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
PLACES = (("credential", "state"), ("change", "state"), ("change", "before"))
HOLD = """
WITH RECURSIVE held(name) AS (
    SELECT name FROM principal WHERE state <> 'active'
    UNION SELECT child.name FROM principal child JOIN held ON child.parent = held.name
)
UPDATE credential SET state = 'suspended'
WHERE state IN ('pre-active', 'active') AND account IN (SELECT name FROM held)
"""
"""Who is out of use with a principal stays so where principals have no states."""


def added() -> list[tuple[str, sa.Column[object]]]:
    """Return the new columns and their tables."""
    return [
        ("principal", sa.Column("kind", sa.Text, nullable=False, server_default="account")),
        ("principal", sa.Column("parent", sa.Text)),
        ("principal", sa.Column("state", sa.Text, nullable=False, server_default="active")),
        ("principal", sa.Column("role", sa.Text)),
        ("principal", sa.Column("uid", WHOLE)),
        ("credential", sa.Column("predecessor", sa.Text)),
        ("credential", sa.Column("used_us", WHOLE)),
        ("change", sa.Column("what", sa.Text, nullable=False, server_default="")),
        ("change", sa.Column("approvals", sa.Text, nullable=False, server_default="[]")),
    ]


def upgrade() -> None:
    """Make each principal an active account by itself."""
    for table, column in added():
        op.add_column(table, column)
    op.create_index("principal_by_parent", "principal", ["parent"])
    op.create_index("credential_by_account", "credential", ["account"])
    op.create_index("credential_by_predecessor", "credential", ["predecessor"])
    op.create_table(
        "principal_change",
        sa.Column("serial", WHOLE, primary_key=True),
        sa.Column("principal", sa.Text, sa.ForeignKey("principal.name"), nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("time_us", WHOLE, nullable=False),
        sa.Column("recorded", sa.Integer, nullable=False),
        sa.Column("approvals", sa.Text, nullable=False, server_default="[]"),
        sqlite_autoincrement=True,
    )
    op.create_index("principal_change_by_principal", "principal_change", ["principal"])
    if not sa.inspect(op.get_bind()).has_table("derivation"):
        op.create_table(
            "derivation",
            sa.Column("key_id", sa.Text, primary_key=True),
            sa.Column("account", sa.Text, nullable=False),
            sa.Column("shard", sa.Integer, nullable=False),
        )
    rename(["revoked"], "deactivated")
    # Where a Ringfence without migrations kept the number.
    op.execute("DROP TABLE IF EXISTS schema_version")


def downgrade() -> None:
    """Leave what a Ringfence of schema 2 reads.

    All principals stay, as accounts. So does where secrets stand: without it they would be others.
    What was destroyed has no key to go back to.
    """
    op.execute(HOLD)
    rename(["deactivated", "compromised", "destroyed"], "revoked")
    # Schema 2 takes a credential without a public key for one whose secret is derived.
    op.execute("UPDATE credential SET algorithm = 'hmac-sha256' WHERE public_key IS NULL")
    op.drop_table("principal_change")
    op.drop_index("principal_by_parent", "principal")
    op.drop_index("credential_by_account", "credential")
    op.drop_index("credential_by_predecessor", "credential")
    for table, column in reversed(added()):
        op.drop_column(table, str(column.name))
    op.create_table("schema_version", sa.Column("version", sa.Integer, nullable=False))
    op.execute("INSERT INTO schema_version (version) VALUES (2)")


def rename(states: list[str], state: str) -> None:
    """Call these states otherwise, wherever a state stands."""
    for name, column in PLACES:
        table = sa.table(name, sa.column(column))
        place = table.c[column]
        op.execute(table.update().where(place.in_(states)).values({column: state}))
