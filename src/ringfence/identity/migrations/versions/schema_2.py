"""What a credential demands beside its signature."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Demand nothing of those that are there."""
    op.add_column("credential", sa.Column("native", sa.Integer, nullable=False, server_default="0"))
    certificates = sa.Column("certificates", sa.Text, nullable=False, server_default="[]")
    op.add_column("credential", certificates)


def downgrade() -> None:
    """Forget the demands."""
    op.drop_column("credential", "certificates")
    op.drop_column("credential", "native")
