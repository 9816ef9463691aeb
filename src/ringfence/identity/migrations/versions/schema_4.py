"""Second factors of operators, and when each last proved one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Begin with nobody enrolled."""
    op.create_table(
        "totp",
        sa.Column("operator", sa.Text, primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("confirmed", sa.Integer, nullable=False),
        sa.Column("spent_step", WHOLE, nullable=False),
        sa.Column("created_us", WHOLE, nullable=False),
    )
    op.create_table(
        "recovery",
        sa.Column("serial", WHOLE, primary_key=True),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("used_us", WHOLE),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_recovery_operator", "recovery", ["operator"])
    op.create_table(
        "guess",
        sa.Column("operator", sa.Text, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until_us", WHOLE, nullable=False),
    )
    op.create_table(
        "step_up",
        sa.Column("operator", sa.Text, primary_key=True),
        sa.Column("strength", sa.Text, nullable=False),
        sa.Column("time_us", WHOLE, nullable=False),
    )


def downgrade() -> None:
    """Forget them: who comes forward again enrols anew."""
    for table in ("step_up", "guess", "recovery", "totp"):
        op.drop_table(table)
