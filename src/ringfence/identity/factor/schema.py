"""The tables of second factors and of step-ups."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text

from ringfence.identity.schema import SERIAL, TABLES, WHOLE

__all__ = ["GUESS", "PASSKEY", "RECOVERY", "STEP_UP", "TOTP"]

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

PASSKEY = Table(
    "passkey",
    TABLES,
    Column("serial", SERIAL, primary_key=True),
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    Column("operator", Text, nullable=False),
    Column("label", Text, nullable=False),
    # As COSE has it.
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", WHOLE, nullable=False),
    Column("backup_eligible", Integer, nullable=False),
    Column("backed_up", Integer, nullable=False),
    Column("aaguid", Text, nullable=False),
    # How a browser may reach it: a list in JSON.
    Column("transports", Text, nullable=False),
    # Whether it evaluates the PRF, and so can open a seal.
    Column("prf", Integer, nullable=False),
    Column("created_us", WHOLE, nullable=False),
    Column("used_us", WHOLE),
    # What was removed shows for good that there was one.
    Column("removed_us", WHOLE),
    # Under the master key: who can write the store only cannot enrol.
    Column("mac", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
Index("passkey_by_operator", PASSKEY.c.operator)

STEP_UP = Table(
    "step_up",
    TABLES,
    Column("operator", Text, primary_key=True),
    Column("strength", Text, nullable=False),
    Column("time_us", WHOLE, nullable=False),
)
