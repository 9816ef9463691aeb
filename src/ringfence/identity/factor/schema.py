"""The tables of second factors and of step-ups."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, Table, Text

from ringfence.identity.schema import SERIAL, TABLES, WHOLE

__all__ = ["GUESS", "RECOVERY", "STEP_UP", "TOTP"]

TOTP = Table(
    "totp",
    TABLES,
    Column("operator", Text, primary_key=True),
    # Goes up with each enrolment, so that a secret that was shown once is never in force again.
    Column("generation", Integer, nullable=False),
    # 0 until the first code has shown that the app has the secret; 1 in force; 2 removed.
    Column("confirmed", Integer, nullable=False),
    Column("spent_step", WHOLE, nullable=False),
    Column("created_us", WHOLE, nullable=False),
)

RECOVERY = Table(
    "recovery",
    TABLES,
    Column("serial", SERIAL, primary_key=True),
    Column("operator", Text, nullable=False, index=True),
    Column("digest", LargeBinary, nullable=False),
    Column("used_us", WHOLE),
    sqlite_autoincrement=True,
)

GUESS = Table(
    "guess",
    TABLES,
    Column("operator", Text, primary_key=True),
    # Wrong codes in a row; a right one makes it 0.
    Column("failures", Integer, nullable=False),
    Column("locked_until_us", WHOLE, nullable=False),
)

STEP_UP = Table(
    "step_up",
    TABLES,
    Column("operator", Text, primary_key=True),
    Column("strength", Text, nullable=False),
    Column("time_us", WHOLE, nullable=False),
)
