"""Policies as the engine reads and judges them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from ringfence import _core
from ringfence.engine.call import named

__all__ = [
    "Action",
    "Answer",
    "Lacking",
    "PolicySet",
    "WrittenPolicy",
    "policy_actions",
    "policy_schema",
]


@dataclass(frozen=True, slots=True)
class Action:
    """An operation in the words of policies. `scope` is what comes before any policy, if any."""

    name: str
    scope: str | None
    groups: list[str]
    order: bool
    funds: bool


@dataclass(frozen=True, slots=True)
class WrittenPolicy:
    """One policy. `condition` is a tree of `[name, "line:column", part...]`, its scope included."""

    id: str
    file: str
    line: int
    column: int
    effect: str
    title: str | None
    actions: list[str]
    condition: list[Any]
    text: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """The fresh step-up that a request lacks, and nothing else: any of `strengths`, weakest first,
    and at most so old."""

    strengths: tuple[str, ...]
    max_age_s: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine makes of a request: `verdict` is permitted, forbidden, unpermitted, failed
    or scope_missing; `policies` are those that decided."""

    permitted: bool
    code: str | None
    verdict: str
    scope: str | None
    policies: list[str]
    step_up: Lacking | None = None

    @classmethod
    def read(cls, said: bytes) -> Answer:
        """Return what the engine says."""
        told = json.loads(said)
        lacking = told.pop("step_up")
        if lacking is not None:
            lacking = Lacking(tuple(lacking["strengths"]), lacking["max_age_s"])
        return cls(**told, step_up=lacking)


class PolicySet:
    """A valid policy set: files' names and texts."""

    def __init__(self, definition: dict[str, Any]) -> None:
        """Compile it.

        Raises:
            EngineError: `policy_refused`, a line for each problem.
        """
        self.definition = definition
        with named():
            self.compiled = _core.PolicySet(json.dumps(definition).encode())
        said = json.loads(self.compiled.describe())
        self.policies = [WrittenPolicy(**policy) for policy in said["policies"]]
        self.warnings: list[str] = said["warnings"]

    def decide(self, question: dict[str, Any]) -> Answer:
        """Answer one request as the engine would: scope first, then the policies.

        Raises:
            EngineError: `policy_refused` or `json_invalid`: the request cannot be read.
        """
        with named():
            return Answer.read(self.compiled.decide(json.dumps(question).encode()))


@cache
def policy_actions() -> dict[str, Action]:
    """Return what policies may call actions, by name."""
    return {action["name"]: Action(**action) for action in json.loads(_core.policy_actions())}


def policy_schema() -> str:
    """Return the schema in Cedar's own form."""
    return _core.policy_schema()
