"""What can be done with principals: the store first, then the engine, then the answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ringfence.api.applying import hold
from ringfence.api.clock import now_us
from ringfence.api.keys import KeyService
from ringfence.api.telling import read_why
from ringfence.errors import EngineError
from ringfence.identity.principal import Principal, PrincipalChange

__all__ = ["NewPrincipal", "PrincipalService"]


@dataclass(frozen=True, slots=True)
class NewPrincipal:
    """What a person asks for. `role` and `uid` are an operator's."""

    name: str
    kind: str = "account"
    parent: str | None = None
    role: str | None = None
    uid: int | None = None
    why: str = ""


class PrincipalService:
    """Changes principals in the store, and in the engine when one runs in this process."""

    def __init__(self, keys: KeyService) -> None:
        """Keep the keys' store, engine and order: what is below a principal are keys."""
        self._keys = keys
        self._tree = keys.store.principals

    def create(
        self, wanted: NewPrincipal, who: str, approvals: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Create a principal.

        Raises:
            KeyTextError: it cannot be what it is said to be, or not there.
            PrincipalExistsError: its name, or an operator's user, is in use.
            PrincipalMissingError: there is nothing of its parent's name.
            PrincipalStateError: its parent is not in use.
        """
        made = Principal(
            wanted.name,
            wanted.kind,
            now_us(),
            wanted.parent,
            role=wanted.role,
            uid=wanted.uid,
        )
        with self._keys.order:
            change = self._tree.add(made, who, read_why(wanted.why), approvals)
            self._record(change)
        return made.shown()

    def all(self) -> list[dict[str, Any]]:
        """Return all principals, oldest first; `held`: it, or one above it, is out of use."""
        found = self._tree.all()
        held = self._tree.held()
        return [{**one.shown(), "held": one.name in held} for one in found]

    def one(self, name: str) -> dict[str, Any]:
        """Return one principal and its history.

        Raises:
            PrincipalMissingError: there is none of this name.
        """
        found = self._tree.one(name).shown() | {"held": self._tree.holds(name)}
        return {**found, "history": [change.shown() for change in self._tree.history(name)]}

    def step(self, name: str, asked: str, why: str, who: str) -> dict[str, Any]:
        """Let a principal take a step of its life (`lifecycle.yaml`), in the engine too.

        When this returns, what stands below a principal that is out of use is so in the engine.

        Raises:
            KeyTextError: the reason cannot be kept.
            PrincipalMissingError: there is none of this name.
            PrincipalStateError: there is no such step from where it is.
            EngineError: the running engine does not follow; the store has the change.
        """
        why = read_why(why)
        effective_us = None
        with self._keys.order:
            changed, change = self._tree.step(name, asked, who, why, now_us())
            if self._keys.engine is not None:
                effective_us = hold(self._keys.engine, self._tree, name)
                self._followed(change)
            if change is not None:
                self._record(change)
        return {**changed.shown(), "effective_us": effective_us}

    def move(
        self, name: str, parent: str | None, why: str, who: str, approvals: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Put a principal, with all below it, under another one, or at the top with None.

        When this returns, the engine judges what is below by where it stands now.

        Raises:
            KeyTextError: the reason cannot be kept, or it cannot stand there.
            PrincipalMissingError: there is none of this name, or of the parent's.
            PrincipalStateError: it, its parent or one above that is out of use.
            EngineError: the running engine does not follow; the store has the change.
        """
        why = read_why(why)
        effective_us = None
        with self._keys.order:
            changed, change = self._tree.move(name, parent, who, why, now_us(), approvals)
            if self._keys.engine is not None:
                effective_us = hold(self._keys.engine, self._tree, name)
                self._keys.follow_all(self._tree.below(name))
                self._followed(change)
            if change is not None:
                self._record(change)
        return {**changed.shown(), "effective_us": effective_us}

    def record_earlier(self) -> None:
        """Record in the ledger what was changed while no gateway ran.

        Raises:
            EngineError: the ledger does not take entries; the next start tries again.
        """
        with self._keys.order:
            self._keys.record_principals(self._tree.unrecorded())

    def _followed(self, change: PrincipalChange | None) -> None:
        """Keep that the engine has a change."""
        if change is not None:
            self._keys.own.add("principals", {change.serial: change.principal})

    def _record(self, change: PrincipalChange) -> None:
        """Put a change into the ledger; what that does not take, the next start brings."""
        # A refusal changes nothing of what was done: the store has it as not recorded.
        with suppress(EngineError):
            self._keys.record_principals([change])
