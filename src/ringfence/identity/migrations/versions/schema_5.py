"""Requests for approval, and votes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "5"
down_revision = "4"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Begin with nothing asked for."""
    op.create_table(
        "approval",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("asked_us", WHOLE, nullable=False),
        sa.Column("ended", sa.Text),
    )
    op.create_table(
        "vote",
        sa.Column("approval", sa.Text, sa.ForeignKey("approval.id"), primary_key=True),
        sa.Column("voter", sa.Text, primary_key=True),
        sa.Column("approves", sa.Integer, nullable=False),
        sa.Column("time_us", WHOLE, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Forget them: what was asked for is asked for again. The ledger has what was done."""
    for table in ("vote", "approval"):
        op.drop_table(table)
