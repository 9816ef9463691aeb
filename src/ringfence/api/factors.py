"""What operators do with their second factors, and how they prove one: recorded, or not done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ringfence.api.clock import now_us
from ringfence.api.stepup import StepUps
from ringfence.api.telling import read_why
from ringfence.engine import Detail
from ringfence.errors import EngineError, FactorError, PrincipalStateError, RunningError
from ringfence.identity.factor.totp import enrolment_uri
from ringfence.identity.lifecycle import KINDS as KINDS_OF
from ringfence.identity.tree import Tree

__all__ = ["FactorService"]

KINDS = ("totp", "recovery")
"""What a step-up can be given with."""
SEEN = ("totp", "passkey")
"""What policies on messages know as proofs."""


class FactorService:
    """The second factors of a gateway's operators."""

    def __init__(
        self,
        step_ups: StepUps,
        tree: Tree,
        record: Callable[[str, Detail], None],
        node: str = "",
        open_for: Callable[[str, int, str], None] | None = None,
    ) -> None:
        """Keep what is needed. `record` returns when the ledger has an event durably.

        `open_for` lets the running engine know of a step-up for an account, or of an operator;
        None: none runs.
        """
        self.step_ups = step_ups
        self.node = node
        self._factors = step_ups.factors
        self._tree = tree
        self._record = record
        self._open_for = open_for

    def shown(self, operator: str) -> dict[str, Any]:
        """Return an operator's factors, without what proves them, and their last step-up."""
        proof = self._factors.step_up(operator)
        return {
            "operator": operator,
            "totp": self._factors.has_totp(operator),
            "passkeys": [one.shown() for one in self._factors.passkeys.of(operator)],
            "recovery_codes": self._factors.recovery_left(operator),
            "step_up": None if proof is None else {"by": proof.strength, "time_us": proof.time_us},
            "asked": self.step_ups.asked(),
        }

    def begin_totp(self, operator: str) -> dict[str, Any]:
        """Return a new secret, shown this once. It counts once `confirm_totp` has seen a code.

        Raises:
            FactorError: `totp_enrolled`; `factor_first`: an owner's comes before all others.
            StepUpError: step-ups are asked for, and nobody has admitted this operator.
        """
        if not self._factors.has_totp(operator):
            self.may_enrol(operator)
        secret = self._factors.enrol_totp(operator, now_us())
        return {"secret": secret, "uri": enrolment_uri(secret, operator, self.node)}

    def confirm_totp(self, operator: str, code: str, who: str) -> dict[str, Any]:
        """Put the secret in force that `begin_totp` has shown: `code` is its app's first.

        It is a step-up, too.

        Raises:
            FactorError: `totp_missing`, `totp_wrong`, `totp_unreadable`, `factor_locked`.
            StepUpError: as `begin_totp`: it may have changed since.
            EngineError: the ledger does not take it; nothing is in force.
        """
        self.may_enrol(operator)
        self._proved(operator, "totp", who, lambda at: self._first(operator, code, at))
        try:
            self.tell("factor.enrolled", operator, who, kind="totp")
        except EngineError:
            self._factors.remove_totp(operator, now_us())
            raise
        self.keep(operator, "totp")
        return self.shown(operator)

    def recovery_codes(self, operator: str, who: str) -> list[str]:
        """Return ten new recovery codes, shown this once; the ones before are gone.

        Raises:
            FactorError: `totp_missing`: they are for who has lost a factor, and there is none.
        """
        if not self._factors.kinds(operator):
            hint = "`ringfence mfa totp` first"
            raise FactorError("there is nothing to recover yet", code="totp_missing", hint=hint)
        self.tell("factor.enrolled", operator, who, kind="recovery")
        return self._factors.new_recovery_codes(operator)

    def remove_totp(self, operator: str, who: str) -> dict[str, Any]:
        """Take an operator's codes out of force; new ones may be enrolled for a day.

        Step-ups are asked for all the same.

        Raises:
            FactorError: `totp_missing`.
        """
        if self._factors.has_totp(operator):
            self.tell("factor.removed", operator, who, kind="totp")
        self._factors.remove_totp(operator, now_us())
        return self.shown(operator)

    def remove_passkey(self, operator: str, label: str, who: str) -> dict[str, Any]:
        """Take a passkey out of force for good; after the last factor, another may be enrolled.

        Raises:
            FactorError: `passkey_missing`.
        """
        for one in self._factors.passkeys.of(operator):
            if one.label == label:
                self.tell("factor.removed", operator, who, kind="passkey", passkey=one.short)
        self._factors.passkeys.remove(operator, label, now_us())
        if not self._factors.kinds(operator):
            self.admit(operator)
        return self.shown(operator)

    def step_up(self, operator: str, kind: str, code: str, who: str) -> dict[str, Any]:
        """Prove a factor.

        Raises:
            FactorError: the code is not good; its code says why.
            EngineError: the ledger does not take it: it does not count then.
        """
        proofs = {"totp": self._factors.prove_totp, "recovery": self._factors.prove_recovery}
        if kind not in proofs:
            hint = "prove one of: " + ", ".join(KINDS)
            raise FactorError(f"{kind!r} is no factor", code="factor_refused", hint=hint)
        self._proved(operator, kind, who, lambda at: proofs[kind](operator, code, at))
        self.stepped_up(operator, who, kind)
        return self.shown(operator)

    def step_up_for(self, account: str, operator: str, code: str, who: str) -> dict[str, Any]:
        """Prove a one-time code for what an account's keys are about to ask: policies see it.

        Raises:
            PrincipalMissingError: there is no such account.
            PrincipalStateError: it has no keys, or is out of use.
            RunningError: no gateway runs whose policies could see it.
            FactorError, EngineError: as `step_up`.
        """
        self.check_account(account)
        self._proved(operator, "totp", who, lambda at: self._factors.prove_totp(operator, code, at))
        self.open_account(account, operator, who, "totp")
        return self.shown(operator)

    def check_account(self, account: str) -> None:
        """Make sure that somebody can step up for an account now.

        Raises:
            PrincipalMissingError, PrincipalStateError, RunningError: as `step_up_for`.
        """
        found = self._tree.one(account)
        # An operator proves for themselves, and for nobody else.
        able = found.kind != "operator" and KINDS_OF[found.kind].keys
        if not able or self._tree.holds(account):
            hint = "name an account, a sub-account or a service that is in use"
            raise PrincipalStateError(f"nothing can be asked as {account}", hint=hint)
        if self._open_for is None:
            hint = "start the gateway first: a step-up for an account is kept by the engine"
            raise RunningError("no gateway runs", hint=hint, code="gateway_down")

    def open_account(
        self, account: str, operator: str, who: str, strength: str, **more: str
    ) -> None:
        """Let policies see a step-up for an account, once the ledger has it."""
        self.tell("step_up.proved", operator, who, kind=strength, account=account, **more)
        if self._open_for is not None:
            self._open_for(account, now_us(), strength)

    def stepped_up(self, operator: str, who: str, strength: str, **more: str) -> None:
        """Keep an operator's step-up, once the ledger has it."""
        self.tell("step_up.proved", operator, who, kind=strength, **more)
        self.keep(operator, strength)

    def keep(self, operator: str, strength: str) -> None:
        """Keep an operator's step-up of now; policies on their keys' messages see it, too."""
        at_us = now_us()
        self._factors.keep_step_up(operator, strength, at_us)
        self._show(operator, at_us, strength)

    def show_kept(self) -> None:
        """Let the engine, which has just started, see operators' step-ups from before."""
        for operator in self._tree.operators():
            if (proof := self._factors.step_up(operator.name)) is not None:
                self._show(operator.name, proof.time_us, proof.strength)

    def _show(self, operator: str, at_us: int, strength: str) -> None:
        if self._open_for is not None and strength in SEEN:
            self._open_for(operator, at_us, strength)

    def reset(self, name: str, why: str, who: str, operator: str | None) -> dict[str, Any]:
        """Take all factors of another operator away, and let them enrol anew for a day.

        `operator` is who asks; None: who holds the state folder, while no gateway runs.

        Raises:
            PrincipalMissingError: there is none of this name.
            PrincipalStateError: it is no operator, or out of use.
            FactorError: `factor_own`: nobody vouches for themselves.
        """
        why = read_why(why)
        if name == operator:
            hint = "`ringfence mfa remove totp`; or another owner does it"
            raise FactorError("these are your own factors", code="factor_own", hint=hint)
        found = self._tree.one(name)
        if found.kind != "operator" or found.state != "active":
            said = f"{name} is no operator in use"
            raise PrincipalStateError(said, hint="`ringfence principal list` shows who is")
        self.tell("factor.reset", name, who, **({"why": why} if why else {}))
        self._factors.reset(name, now_us())
        return self.shown(name)

    def admit(self, name: str) -> None:
        """Let an operator enrol a first factor."""
        self._factors.keep_step_up(name, "admitted", now_us())

    def _first(self, operator: str, code: str, at_us: int) -> None:
        self._factors.prove_totp(operator, code, at_us, first=True)

    def may_enrol(self, operator: str) -> None:
        """Make sure that an operator may have one more factor.

        Who has one proves it. Nobody's factor comes before an owner's: who enrols puts step-ups in
        force for all, and only an owner can let the others enrol then.
        """
        if self._factors.kinds(operator):
            self.step_ups.require(operator, "factor.change")
        elif self._factors.ever():
            self.step_ups.require(operator, "factor.enrol")
        elif self._tree.one(operator).role != "owner":
            hint = "an owner enrols first; then they let you: `ringfence mfa reset NAME`"
            raise FactorError("no owner has a factor yet", code="factor_first", hint=hint)

    def _proved(self, operator: str, kind: str, who: str, prove: Callable[[int], None]) -> None:
        """Prove a code; tell of one that was not good."""
        try:
            prove(now_us())
        except FactorError as e:
            # Refused whether or not the ledger takes it.
            with suppress(EngineError):
                self.tell("factor.refused", operator, who, kind=kind, code=e.code)
            raise

    def tell(self, name: str, operator: str, who: str, **more: str) -> None:
        """Have the ledger told durably.

        Raises:
            EngineError: it does not take it.
        """
        self._record(name, {"operator": operator, "who": who, **more})
