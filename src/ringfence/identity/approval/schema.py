"""The tables of requests for approval and of votes."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, Table, Text

from ringfence.identity.schema import TABLES, WHOLE

__all__ = ["APPROVAL", "VOTE"]

APPROVAL = Table(
    "approval",
    TABLES,
    Column("id", Text, primary_key=True),
    # Canonical JSON, letter for letter: the id is its digest.
    Column("description", Text, nullable=False),
    Column("asked_us", WHOLE, nullable=False),
    # Null, rejected or executed.
    Column("ended", Text),
)

VOTE = Table(
    "vote",
    TABLES,
    Column("approval", Text, ForeignKey("approval.id"), primary_key=True),
    # One vote each.
    Column("voter", Text, primary_key=True),
    Column("approves", Integer, nullable=False),
    Column("time_us", WHOLE, nullable=False),
    # Under the master key: who can write the store only cannot vote.
    Column("mac", LargeBinary, nullable=False),
)
