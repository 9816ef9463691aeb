"""What is kept of second factors, and how one is proved. Each proof is one transaction.

A code that was right is spent, and a wrong one is counted, before the call returns: neither two
processes nor a crash can use one twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ringfence.errors import FactorError
from ringfence.identity.database import Database
from ringfence.identity.factor.passkeys import Passkeys, remove_passkeys
from ringfence.identity.factor.recovery import fresh_codes, matching, recovery_digest
from ringfence.identity.factor.schema import GUESS, RECOVERY, STEP_UP, TOTP
from ringfence.identity.factor.throttle import check_open, locked_until_us
from ringfence.identity.factor.totp import matching_step, totp_secret
from ringfence.identity.secret import RootKey
from ringfence.identity.stepup import StepUp

__all__ = ["Factors"]

COUNTED = ("totp_wrong", "recovery_wrong")
"""What counts as a guess."""
BEGUN, IN_FORCE, REMOVED = 0, 1, 2
"""Where an enrolment stands. What was removed shows for good that there was one."""


class Factors:
    """The second factors of all operators. Any thread, and any process, may call."""

    def __init__(self, database: Database, master: RootKey) -> None:
        """Keep the store's database, and what secrets are derived from."""
        self._transaction = database.transaction
        self._master = master
        self.passkeys = Passkeys(database, master)

    def enrol_totp(self, operator: str, now_us: int) -> str:
        """Return a new secret, shown this once; in force when `prove_totp` has seen a code of it.

        Raises:
            FactorError: `totp_enrolled`: one is in force; remove it first.
        """
        with self._transaction(writes=True) as db:
            row = totp_row(db, operator)
            if row is not None and row.confirmed == IN_FORCE:
                hint = "`ringfence mfa remove totp` first"
                raise FactorError("codes are in force already", code="totp_enrolled", hint=hint)
            generation = 1 if row is None else row.generation + 1
            fresh = {"generation": generation, "spent_step": 0}
            if row is None:
                begun = {"operator": operator, "created_us": now_us, "confirmed": BEGUN}
                db.execute(insert(TOTP).values(fresh | begun))
            else:
                db.execute(
                    update(TOTP)
                    .where(TOTP.c.operator == operator)
                    .values(fresh | {"created_us": now_us})
                )
        return totp_secret(self._master, operator, generation)

    def has_totp(self, operator: str) -> bool:
        """Tell whether codes are in force."""
        with self._transaction() as db:
            row = totp_row(db, operator)
        return row is not None and row.confirmed == IN_FORCE

    def kinds(self, operator: str) -> tuple[str, ...]:
        """Return what an operator can step up with; empty: nothing is enrolled."""
        totp = ("totp",) if self.has_totp(operator) else ()
        return (*totp, "passkey") if self.passkeys.any(operator) else totp

    def ever(self) -> bool:
        """Tell whether anybody's codes or passkeys are in force, or ever were."""
        asked = select(TOTP.c.operator).where(TOTP.c.confirmed != BEGUN).limit(1)
        with self._transaction() as db:
            codes = db.execute(asked).first() is not None
        return codes or self.passkeys.ever()

    def prove_totp(self, operator: str, code: str, now_us: int, *, first: bool = False) -> None:
        """Spend a code; `first` confirms an enrolment, and nothing else does.

        Raises:
            FactorError: `totp_missing`, `totp_wrong` (also: spent), `factor_locked`.
        """

        def prove(db: Connection) -> None:
            row = totp_row(db, operator)
            if row is None or (row.confirmed == IN_FORCE) is first:
                hint = "`ringfence mfa totp` enrols an app"
                raise FactorError("no code can be taken", code="totp_missing", hint=hint)
            secret = totp_secret(self._master, operator, row.generation)
            step = matching_step(secret, code, now_us, row.spent_step)
            if step is None:
                hint = (
                    "wait for the next code, and see that this machine's and the app's clock agree"
                )
                said = "the code is wrong, or was used already"
                raise FactorError(said, code="totp_wrong", hint=hint)
            db.execute(
                update(TOTP)
                .where(TOTP.c.operator == operator)
                .values(spent_step=step, confirmed=IN_FORCE)
            )

        self._guarded(operator, now_us, prove)

    def remove_totp(self, operator: str, now_us: int) -> None:
        """Take codes out of force; their secret never comes back. Admits to new ones only.

        Raises:
            FactorError: `totp_missing`.
        """
        with self._transaction(writes=True) as db:
            row = totp_row(db, operator)
            if row is None or row.confirmed != IN_FORCE:
                hint = "`ringfence mfa list` shows what is in force"
                raise FactorError("no codes are in force", code="totp_missing", hint=hint)
            db.execute(update(TOTP).where(TOTP.c.operator == operator).values(confirmed=REMOVED))
            step_to(db, operator, "admitted", now_us)

    def reset(self, operator: str, now_us: int) -> None:
        """Take all factors of an operator away, and admit them to a new one."""
        with self._transaction(writes=True) as db:
            where = (TOTP.c.operator == operator) & (TOTP.c.confirmed == IN_FORCE)
            db.execute(update(TOTP).where(where).values(confirmed=REMOVED))
            remove_passkeys(db, operator, now_us)
            for table in (RECOVERY, GUESS):
                db.execute(delete(table).where(table.c.operator == operator))
            step_to(db, operator, "admitted", now_us)

    def new_recovery_codes(self, operator: str) -> list[str]:
        """Return ten new codes, shown this once; the ones before are gone."""
        codes = fresh_codes()
        rows = [
            {"operator": operator, "digest": recovery_digest(self._master, operator, code)}
            for code in codes
        ]
        with self._transaction(writes=True) as db:
            db.execute(delete(RECOVERY).where(RECOVERY.c.operator == operator))
            db.execute(insert(RECOVERY), rows)
        return codes

    def recovery_left(self, operator: str) -> int:
        """Return how many codes are unused."""
        with self._transaction() as db:
            return len(db.execute(unused(operator)).all())

    def prove_recovery(self, operator: str, code: str, now_us: int) -> None:
        """Spend a recovery code.

        Raises:
            FactorError: `recovery_wrong` (also: spent), `factor_locked`.
        """
        digest = recovery_digest(self._master, operator, code)

        def prove(db: Connection) -> None:
            serial = matching(
                digest, [(row.serial, row.digest) for row in db.execute(unused(operator))]
            )
            if serial is None:
                said = "the code is wrong, or was used already"
                hint = "take another of the ten"
                raise FactorError(said, code="recovery_wrong", hint=hint)
            db.execute(update(RECOVERY).where(RECOVERY.c.serial == serial).values(used_us=now_us))

        self._guarded(operator, now_us, prove)

    def keep_step_up(self, operator: str, strength: str, now_us: int) -> None:
        """Keep that an operator has just proved a factor, in the place of the time before."""
        with self._transaction(writes=True) as db:
            step_to(db, operator, strength, now_us)

    def step_up(self, operator: str) -> StepUp | None:
        """Return when an operator last proved a factor, and which."""
        with self._transaction() as db:
            row = db.execute(select(STEP_UP).where(STEP_UP.c.operator == operator)).first()
        return None if row is None else StepUp(row.strength, row.time_us)

    def _guarded(self, operator: str, now_us: int, prove: Callable[[Connection], None]) -> None:
        """Run `prove` unless the operator is locked out; count it when it was a guess.

        One transaction, so that guesses at the same moment are counted one by one.
        """
        with self._transaction(writes=True) as db:
            past = db.execute(
                select(GUESS).where(GUESS.c.operator == operator).with_for_update()
            ).first()
            check_open(0 if past is None else past.locked_until_us, now_us)
            failures, wrong = 0, None
            try:
                prove(db)
            except FactorError as e:
                if e.code not in COUNTED:
                    raise
                # Raised once the count is durable.
                failures, wrong = 1 + (0 if past is None else past.failures), e
            fresh = {"failures": failures, "locked_until_us": locked_until_us(failures, now_us)}
            if past is None:
                db.execute(insert(GUESS).values(fresh | {"operator": operator}))
            else:
                db.execute(update(GUESS).where(GUESS.c.operator == operator).values(fresh))
        if wrong is not None:
            raise wrong


def step_to(db: Connection, operator: str, strength: str, now_us: int) -> None:
    """Write a step-up in the place of the one before."""
    row = {"strength": strength, "time_us": now_us}
    where = STEP_UP.c.operator == operator
    if db.execute(update(STEP_UP).where(where).values(row)).rowcount == 0:
        db.execute(insert(STEP_UP).values(row | {"operator": operator}))


def totp_row(db: Connection, operator: str) -> Row[Any] | None:
    """Return an operator's row, locked where the database locks rows."""
    return db.execute(select(TOTP).where(TOTP.c.operator == operator).with_for_update()).first()


def unused(operator: str) -> Any:
    """Return what selects the unused recovery codes of an operator."""
    return (
        select(RECOVERY.c.serial, RECOVERY.c.digest)
        .where(RECOVERY.c.operator == operator, RECOVERY.c.used_us.is_(None))
        .with_for_update()
    )
