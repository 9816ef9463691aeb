"""Withdrawal addresses, and what else than its state changes of a principal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "7"
down_revision = "6"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Begin with no address: what the configuration said is added anew, and waits."""
    op.create_table(
        "address",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, sa.ForeignKey("principal.name"), nullable=False),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("network", sa.Text),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("tag", sa.Text),
        sa.Column("max_amount", sa.Text),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("added_us", WHOLE, nullable=False),
        sa.Column("usable_us", WHOLE, nullable=False),
        sa.Column("removed_us", WHOLE),
        sa.Column("mac", sa.LargeBinary, nullable=False),
    )
    op.create_index("address_by_account", "address", ["account"])
    op.create_table(
        "address_change",
        sa.Column("serial", WHOLE, primary_key=True),
        sa.Column("address", sa.Text, sa.ForeignKey("address.id"), nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("time_us", WHOLE, nullable=False),
        sa.Column("approvals", sa.Text, nullable=False),
        sa.Column("recorded", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("address_change_by_address", "address_change", ["address"])
    op.add_column("principal_change", sa.Column("what", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Forget them. The ledger has what was done; an earlier Ringfence reads its configuration."""
    op.drop_column("principal_change", "what")
    for table in ("address_change", "address"):
        op.drop_table(table)
