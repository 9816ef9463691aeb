"""Accounts, credentials and what became of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Lay the tables."""
    op.create_table(
        "principal",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("created_us", SERIAL, nullable=False),
    )
    op.create_table(
        "credential",
        sa.Column("serial", SERIAL, primary_key=True),
        sa.Column("key_id", sa.Text, nullable=False, unique=True),
        sa.Column("account", sa.Text, sa.ForeignKey("principal.name"), nullable=False),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("public_key", sa.LargeBinary),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("allow", sa.Text, nullable=False),
        sa.Column("created_us", SERIAL, nullable=False),
        sa.Column("expires_us", SERIAL),
        sa.Column("state", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "change",
        sa.Column("serial", SERIAL, primary_key=True),
        sa.Column("key_id", sa.Text, sa.ForeignKey("credential.key_id"), nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("time_us", SERIAL, nullable=False),
        sa.Column("recorded", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("change_by_key", "change", ["key_id"])
    unrecorded = sa.text("recorded = 0")
    op.create_index(
        "change_to_record",
        "change",
        ["serial"],
        sqlite_where=unrecorded,
        postgresql_where=unrecorded,
    )


def downgrade() -> None:
    """Take all of it away."""
    for table in ("change", "credential", "principal"):
        op.drop_table(table)
