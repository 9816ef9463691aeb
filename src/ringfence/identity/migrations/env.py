"""Runs migrations on the connection, and in the transaction, that `migrate` hands over."""

from __future__ import annotations

from alembic import context

from ringfence.identity.schema import TABLES

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=TABLES,
    # SQLite takes this back too, as the transaction is ours and not the driver's.
    transactional_ddl=True,
)
context.run_migrations()
