"""What the admin API does with policies: put others in force, and ask them of what operators do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ringfence.api.clock import now_us
from ringfence.api.telling import read_why
from ringfence.engine import Answer, Detail, Engine, Lacking, PolicySet
from ringfence.errors import (
    ApprovalError,
    EngineError,
    PolicyError,
    PolicyForbidsError,
    StepUpError,
)
from ringfence.identity.factor import Factors
from ringfence.identity.principal import Principal
from ringfence.identity.stepup import May, way_to
from ringfence.identity.tree import Tree

__all__ = ["Permits", "PolicyService", "digest"]

ACTIONS = {
    "key.create": "key.create",
    "key.rotate": "key.create",
    "key.resume": "key.change",
    "key.scope": "key.change",
    "key.expire": "key.change",
}
"""What policies call the acts that give rights. What takes rights away asks nobody.

`address.add` is not here: they are asked once it is known which address."""
SOCKET: dict[str, Any] = {
    "scopes": ["keys"],
    "algorithm": "none",
    "address": "127.0.0.1",
    "coverage": "native",
    "certificate": False,
    "transport": "unix",
}
"""The admin socket: of this machine, and the kernel vouches for all that comes from it."""

Read = Callable[[], dict[str, Any] | None]
"""Reads the files that the configuration names; None: it names none."""
Record = Callable[[str, Detail], None]
"""Puts an event into the ledger; durable on return."""
Permits = Callable[[str, dict[str, str | None]], None]
"""Takes an action and the funds that it is about; raises unless the policies permit it."""


class PolicyService:
    """The policies of one running gateway."""

    def __init__(
        self,
        read: Read,
        engine: Engine,
        record: Record,
        tree: Tree,
        factors: Factors,
        *,
        enforced: bool = True,
    ) -> None:
        """Keep what is needed. Not `enforced`: what they forbid is recorded and done."""
        self._read = read
        self._engine = engine
        self._record = record
        self._tree = tree
        self._factors = factors
        self._enforced = enforced
        self._order = threading.Lock()
        self._digest: str | None = None

    def start(self, definition: dict[str, Any] | None) -> str | None:
        """Keep which policies the engine was started with, and return their digest."""
        self._digest = None if definition is None else digest(definition)
        return self._digest

    def offered(self) -> dict[str, Any]:
        """Return what `load` would put in force now, to be approved: its digest, and by file.

        Raises:
            FileError, PolicyError, EngineError: as `load`.
        """
        found, policies = self._read_again()
        files = {name_of(one): hashlib.sha256(one["text"].encode()) for one in found["files"]}
        return {
            "sha256": digest(found),
            "files": {name: hashed.hexdigest() for name, hashed in sorted(files.items())},
            "policies": len(policies.policies),
        }

    def load(
        self, why: str, who: str, approved: str | None = None, approvals: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Put the policies in force that are in the files now, all or none.

        They decide on every message that is not judged yet. Told before it is done: a crash in
        between leaves a gateway that starts with them. `approved` is the digest that others have
        approved, where it takes others.

        Raises:
            KeyTextError: the reason cannot be kept.
            FileError: a file cannot be read.
            PolicyError: the configuration had no policies when the gateway started.
            ApprovalError: `approval_changed`: the files are others than those that were approved.
            EngineError: `policy_refused`, a line for each problem, with file and line; or the
                ledger does not take it. Nothing has changed then.
        """
        why = read_why(why)
        with self._order:
            found, policies = self._read_again()
            before, after = self._digest or "", digest(found)
            if approved not in (None, after):
                hint = "ask again: others approve the files as they are then"
                said = f"the files are {after[:16]}… by now, approved was {str(approved)[:16]}…"
                raise ApprovalError(said, code="approval_changed", hint=hint)
            detail: dict[str, str | int] = {"before": before, "after": after, "who": who}
            detail["policies"] = len(policies.policies)
            more = {"why": why, "approvals": " ".join(approvals)}
            self._record("policy.loaded", detail | {name: one for name, one in more.items() if one})
            self._engine.put_policies(policies)
            self._digest = after
        return {
            "before": before,
            "after": after,
            "policies": len(policies.policies),
            "warnings": policies.warnings,
        }

    def _read_again(self) -> tuple[dict[str, Any], PolicySet]:
        """Return the files as they are now, and what they say."""
        found = self._read()
        if found is None or self._digest is None:
            hint = "write a section `policy`, and start the gateway again"
            raise PolicyError("this gateway was started without policies", hint=hint)
        return found, PolicySet(found)

    def after(self, may: May, operator: Principal) -> May:
        """Return what judges a step-up by `may`, and then asks the policies."""

        def judge(act: str, what: str) -> None:
            may(act, what)
            if (action := ACTIONS.get(act)) is not None:
                self.require(operator, action)

        return judge

    def of(self, operator: Principal) -> Permits:
        """Return what asks the policies of an operator's acts that say what they are about."""
        return partial(self.require, operator)

    def require(
        self, operator: Principal, action: str, funds: dict[str, str | None] | None = None
    ) -> None:
        """Make sure that the policies in force, if there are any, permit an operator's act.

        `funds`: whose may leave, and where to, of an act that is about that.

        Raises:
            StepUpError: a fresh step-up is all that it lacks.
            PolicyForbidsError: they do not.
        """
        answer = self._engine.ask_policies(self._question(operator, action, funds))
        if answer is None or answer.permitted:
            return
        decided = said(answer)
        detail = {"operator": operator.name, "operation": action, "detail": decided}
        # Refused whether or not the ledger takes it.
        with suppress(EngineError):
            self._record("policy.refused" if self._enforced else "policy.observed", detail)
        if not self._enforced:
            return
        if answer.step_up is not None:
            raise self._lacking(operator, action, answer.step_up)
        raise PolicyForbidsError(f"{operator.name} may not do {action} now: {decided}")

    def _lacking(self, operator: Principal, action: str, wanted: Lacking) -> StepUpError:
        """Return what is said to who lacks a step-up only."""
        strengths = " or ".join(wanted.strengths)
        return StepUpError(
            f"{action} needs a step-up of {strengths}, no older than {wanted.max_age_s} s",
            hint=way_to(wanted.strengths, self._factors.kinds(operator.name)),
            max_age_s=wanted.max_age_s,
            strengths=wanted.strengths,
        )

    def _question(
        self, operator: Principal, action: str, funds: dict[str, str | None] | None
    ) -> dict[str, Any]:
        """Return an operator's act as policies see it."""
        at_us = now_us()
        standing = self._tree.standing(operator.name) or {"above": []}
        proof = self._factors.step_up(operator.name)
        step_up = None
        # A clock that went back makes a proof of the future: that is none.
        if proof is not None and proof.time_us <= at_us:
            age_s = (at_us - proof.time_us) // 1_000_000
            step_up = {"age": age_s, "strength": proof.strength}
        return SOCKET | {
            "operation": action,
            "principal": f"Operator::{operator.name}",
            "above": [f"{kind.capitalize()}::{name}" for kind, name in standing["above"]],
            "credential": operator.name,
            "time_us": at_us,
            "step_up": step_up,
            "funds": funds,
        }


def said(answer: Answer) -> str:
    """Return how the policies decided, as the ledger has it of a message."""
    named = ", ".join(answer.policies)
    return f"{answer.verdict} by {named}" if named else "no policy permits it"


def digest(definition: dict[str, Any]) -> str:
    """Return the SHA-256 of policies' files: texts and names, wherever their folder is."""
    files = [[name_of(one), one["text"]] for one in definition["files"]]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def name_of(file: dict[str, str]) -> str:
    """Return a file's name without its folder."""
    return file["file"].rpartition("/")[2]
