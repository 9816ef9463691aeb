"""What is kept of passkeys. Each step is one transaction.

Rows are authenticated under the master key, as the store may be a database that others administer:
who can write it alone can neither enrol a passkey nor give one to another operator.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import rfc8785
from sqlalchemy import Connection, Row, insert, select, update

from ringfence.errors import FactorError
from ringfence.identity.database import Database
from ringfence.identity.factor.passkey import Passkey, Used
from ringfence.identity.factor.schema import PASSKEY
from ringfence.identity.secret import RootKey

__all__ = ["MAX_LABEL", "Passkeys", "remove_passkeys"]

MAC_BYTES = 32
MAX_PASSKEYS = 16
"""In force, for one operator."""
MAX_LABEL = 64


class Passkeys:
    """The passkeys of all operators. Any thread, and any process, may call."""

    def __init__(self, database: Database, master: RootKey) -> None:
        """Keep the store's database, and what rows are authenticated with."""
        self._transaction = database.transaction
        self._key = master.derived(b"ringfence/passkey/v1", MAC_BYTES)

    def of(self, operator: str) -> list[Passkey]:
        """Return an operator's passkeys in force, oldest first.

        Raises:
            FactorError: `passkey_changed`: a row is not what was enrolled.
        """
        with self._transaction() as db:
            return [self._read(row) for row in db.execute(in_force(operator)).all()]

    def any(self, operator: str) -> bool:
        """Tell whether an operator has one in force."""
        with self._transaction() as db:
            return db.execute(in_force(operator).limit(1)).first() is not None

    def ever(self) -> bool:
        """Tell whether anybody has one in force, or ever had."""
        with self._transaction() as db:
            return db.execute(select(PASSKEY.c.serial).limit(1)).first() is not None

    def check_room(self, operator: str, label: str) -> None:
        """Refuse a label that cannot be kept or is taken, and one passkey too many.

        Raises:
            FactorError: `passkey_label`, `passkey_full`.
        """
        with self._transaction() as db:
            check_room(db, operator, label)

    def add(self, made: Passkey, tell: Callable[[], None]) -> None:
        """Put a passkey in force. `tell` is called within: where it raises, nothing is done.

        Raises:
            FactorError: `passkey_known`: it is enrolled, or was once; and as `check_room`.
        """
        row: dict[str, Any] = {
            "credential_id": made.credential_id,
            "operator": made.operator,
            "label": made.label,
        }
        row |= {"public_key": made.public_key, "sign_count": made.sign_count}
        row |= {"backup_eligible": int(made.backup_eligible), "backed_up": int(made.backed_up)}
        row |= {"aaguid": made.aaguid, "transports": json.dumps(made.transports)}
        row |= {"prf": int(made.prf), "created_us": made.created_us, "mac": self._mac(made)}
        known = select(PASSKEY.c.serial).where(PASSKEY.c.credential_id == made.credential_id)
        with self._transaction(writes=True) as db:
            check_room(db, made.operator, made.label)
            if db.execute(known).first() is not None:
                said = "this passkey is enrolled already, or was once"
                hint = "make a new one on the device, or take another device"
                raise FactorError(said, code="passkey_known", hint=hint)
            db.execute(insert(PASSKEY).values(row))
            tell()

    def use(
        self, operator: str, credential_id: bytes, prove: Callable[[Passkey], Used], now_us: int
    ) -> Passkey:
        """Let `prove` judge an assertion by what is kept of its passkey, and keep its counter.

        One transaction, so that of two assertions with one counter one is refused.

        Raises:
            FactorError: `passkey_missing`: this operator has none of this id in force; and what
                `prove` raises.
        """
        with self._transaction(writes=True) as db:
            wanted = in_force(operator).where(PASSKEY.c.credential_id == credential_id)
            row = db.execute(wanted).first()
            if row is None:
                hint = "`ringfence mfa list` shows yours; choose one of them in the browser"
                said = f"{operator} has no such passkey"
                raise FactorError(said, code="passkey_missing", hint=hint)
            found = self._read(row)
            used = prove(found)
            fresh = {"sign_count": used.sign_count, "backed_up": int(used.backed_up)}
            where = PASSKEY.c.serial == row.serial
            db.execute(update(PASSKEY).where(where).values(fresh | {"used_us": now_us}))
        return replace(found, sign_count=used.sign_count, backed_up=used.backed_up, used_us=now_us)

    def remove(self, operator: str, label: str, now_us: int) -> None:
        """Take a passkey out of force for good.

        Raises:
            FactorError: `passkey_missing`.
        """
        with self._transaction(writes=True) as db:
            where = (PASSKEY.c.operator == operator) & PASSKEY.c.removed_us.is_(None)
            where &= PASSKEY.c.label == label
            gone = db.execute(update(PASSKEY).where(where).values(removed_us=now_us)).rowcount
        if not gone:
            hint = "`ringfence mfa list` shows yours"
            said = f"there is no passkey {label!r} in force"
            raise FactorError(said, code="passkey_missing", hint=hint)

    def _read(self, row: Row[Any]) -> Passkey:
        """Return a row that is what was enrolled."""
        found = Passkey(
            credential_id=bytes(row.credential_id),
            operator=row.operator,
            label=row.label,
            public_key=bytes(row.public_key),
            sign_count=row.sign_count,
            backup_eligible=bool(row.backup_eligible),
            backed_up=bool(row.backed_up),
            aaguid=row.aaguid,
            created_us=row.created_us,
            prf=bool(row.prf),
            used_us=row.used_us,
            transports=tuple(json.loads(row.transports)),
        )
        if not hmac.compare_digest(self._mac(found), bytes(row.mac)):
            hint = "the store was changed by another: keep a copy, and tell security"
            said = f"the passkey {found.short} of {found.operator} is not what was enrolled"
            raise FactorError(said, code="passkey_changed", hint=hint)
        return found

    def _mac(self, made: Passkey) -> bytes:
        """Return what authenticates what never changes of a passkey."""
        about: dict[str, Any] = {
            "credential_id": made.credential_id.hex(),
            "operator": made.operator,
            "label": made.label,
            "public_key": made.public_key.hex(),
            "backup_eligible": made.backup_eligible,
            "aaguid": made.aaguid,
            "prf": made.prf,
            "created_us": made.created_us,
        }
        return hmac.digest(self._key, rfc8785.dumps(about), "sha256")


def remove_passkeys(db: Connection, operator: str, now_us: int) -> None:
    """Take all passkeys of an operator out of force, in a transaction of another."""
    where = (PASSKEY.c.operator == operator) & PASSKEY.c.removed_us.is_(None)
    db.execute(update(PASSKEY).where(where).values(removed_us=now_us))


def check_room(db: Connection, operator: str, label: str) -> None:
    """As `Passkeys.check_room`."""
    if not 0 < len(label) <= MAX_LABEL or not label.isprintable() or label != label.strip():
        hint = f"write 1 to {MAX_LABEL} printable characters: --label laptop"
        raise FactorError("the label cannot be kept", code="passkey_label", hint=hint)
    there = [row.label for row in db.execute(in_force(operator)).all()]
    if label in there:
        hint = "choose another with --label, or remove that one first"
        raise FactorError(f"there is a passkey {label!r}", code="passkey_label", hint=hint)
    if len(there) >= MAX_PASSKEYS:
        hint = "`ringfence mfa passkey remove LABEL` one first"
        raise FactorError(f"there are {MAX_PASSKEYS}", code="passkey_full", hint=hint)


def in_force(operator: str) -> Any:
    """Return what selects an operator's passkeys in force, locked where the database locks rows."""
    where = (PASSKEY.c.operator == operator, PASSKEY.c.removed_us.is_(None))
    return select(PASSKEY).where(*where).order_by(PASSKEY.c.serial).with_for_update()
