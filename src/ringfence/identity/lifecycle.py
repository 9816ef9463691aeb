"""What may become of credentials and principals, as `lifecycle.yaml` says.

Reads no clock. The table is data: what is not in it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from ringfence.errors import GatewayError, KeyStateError, PrincipalStateError

__all__ = ["CREDENTIAL", "KINDS", "PRINCIPAL", "ROLES", "Kind", "Lifecycle", "Transition"]


@dataclass(frozen=True, slots=True)
class Transition:
    """One way through a life: from any of `sources` to `target`."""

    name: str
    sources: tuple[str, ...]
    target: str
    word: str
    """What people ask for it by."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The states of one sort of thing, and the ways between them."""

    noun: str
    states: tuple[str, ...]
    transitions: Mapping[str, Transition]
    final: tuple[str, ...]
    refusal: type[GatewayError]

    def step(self, name: str, state: str, asked: str) -> str | None:
        """Return where `asked` brings `name`, which is in `state`; None: it is there already.

        Raises:
            GatewayError: the refusal of this sort: there is no such way from `state`.
        """
        way = self.transitions.get(asked)
        if way is None:
            hint = "transitions: " + ", ".join(self.transitions)
            raise self.refusal(f"{asked!r} is no transition of a {self.noun}", hint=hint)
        if state == way.target:
            return None
        if state not in way.sources:
            allowed = [one.word for one in self.transitions.values() if state in one.sources]
            hint = f"from {state} it can: {', '.join(allowed)}"
            if not allowed:
                hint = f"what is {state} stays so; create another"
            said = f"{self.noun} {name} is {state}: {way.word} is for {', '.join(way.sources)}"
            raise self.refusal(said, hint=hint)
        return way.target


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of principal: what it may stand under (None: by itself), whether it has API keys."""

    name: str
    under: tuple[str | None, ...]
    keys: bool


def life(content: Any, noun: str, refusal: type[GatewayError]) -> Lifecycle:
    """Return one section of the table."""
    ways = content["transitions"].items()
    transitions = {
        name: Transition(name, tuple(way["from"]), way["to"], way.get("word", name))
        for name, way in ways
    }
    final = tuple(content["final"])
    return Lifecycle(noun, tuple(content["states"]), transitions, final, refusal)


def kind(name: str, content: Any) -> Kind:
    """Return one kind of principal."""
    under = tuple(None if each == "none" else each for each in content["under"])
    return Kind(name, under, content["keys"])


TABLE = yaml.safe_load((resources.files("ringfence") / "identity" / "lifecycle.yaml").read_bytes())
CREDENTIAL = life(TABLE["credential"], "credential", KeyStateError)
PRINCIPAL = life(TABLE["principal"], "principal", PrincipalStateError)
KINDS = {name: kind(name, content) for name, content in TABLE["kinds"].items()}
ROLES: tuple[str, ...] = tuple(TABLE["roles"])
