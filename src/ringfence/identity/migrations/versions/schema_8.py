"""Schema 8: which principals were moved to which shard, and how shards stand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables. Nobody was moved, and every shard serves."""
    op.create_table(
        "placement",
        sa.Column("principal", sa.Text, sa.ForeignKey("principal.name"), primary_key=True),
        sa.Column("shard", sa.Integer, nullable=False),
    )
    op.create_table(
        "shard_state",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_table(
        "shard_change",
        sa.Column("serial", WHOLE, primary_key=True),
        sa.Column("principal", sa.Text),
        sa.Column("shard", sa.Integer),
        sa.Column("state", sa.Text),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("time_us", WHOLE, nullable=False),
        sa.Column("recorded", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Forget them: everybody stands where hash and pins say, and every shard serves."""
    for table in ("shard_change", "shard_state", "placement"):
        op.drop_table(table)
