"""Passkeys of operators."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "6"
down_revision = "5"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Begin with none."""
    op.create_table(
        "passkey",
        sa.Column("serial", WHOLE, primary_key=True),
        sa.Column("credential_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", WHOLE, nullable=False),
        sa.Column("backup_eligible", sa.Integer, nullable=False),
        sa.Column("backed_up", sa.Integer, nullable=False),
        sa.Column("aaguid", sa.Text, nullable=False),
        sa.Column("transports", sa.Text, nullable=False),
        sa.Column("prf", sa.Integer, nullable=False),
        sa.Column("created_us", WHOLE, nullable=False),
        sa.Column("used_us", WHOLE),
        sa.Column("removed_us", WHOLE),
        sa.Column("mac", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("passkey_by_operator", "passkey", ["operator"])


def downgrade() -> None:
    """Forget them: who had no other factor is let in anew by an owner."""
    op.drop_index("passkey_by_operator", "passkey")
    op.drop_table("passkey")
