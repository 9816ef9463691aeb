"""Proves properties of a policy set together with the compiled scopes, or shows why they fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import z3

from ringfence import engine
from ringfence.errors import InternalError, PropertyError
from ringfence.policy.encode import Encoder, world_of
from ringfence.policy.property import Property

__all__ = ["Proof", "prove", "review"]

PATIENCE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Proof:
    """`counterexample` is a request that the engine permits against the property; None: proved."""

    property: Property
    counterexample: dict[str, Any] | None
    answer: engine.Answer | None


def prove(policies: engine.PolicySet, wanted: Property) -> Proof:
    """Prove `wanted` of every request that there can be, or find one that breaks it.

    Raises:
        PropertyError: a policy is outside of what can be proved, or the solver gave up.
        InternalError: the engine does not confirm a counterexample: then nothing is claimed.
    """
    world = world_of([policies, wanted.condition])
    encoder = Encoder(world)
    holds = encoder.applies(wanted.condition.policies[0])
    broken = holds if wanted.kind == "never" else z3.Not(holds)
    asked = world.doing(wanted.actions)
    known = [*world.rules, asked, encoder.permitted(policies), broken]
    model = solve(known, world.wishes())
    if model is None:
        return Proof(wanted, None, None)
    question = world.question(model)
    answer = policies.decide(question)
    # Whoever is permitted has the scope, so this answer is the condition's alone.
    fulfils = wanted.condition.decide(question).permitted
    if not answer.permitted or fulfils != (wanted.kind == "never"):
        raise InternalError(f"the engine does not confirm this counterexample: {question}")
    return Proof(wanted, question, answer)


def review(policies: engine.PolicySet) -> list[str]:
    """Return what is strange: policies that can never apply, and those that change nothing.

    Raises:
        PropertyError: a policy is outside of what can be proved.
    """
    world = world_of([policies])
    encoder = Encoder(world)
    applies = {p.id: encoder.applies(p) for p in policies.policies}
    said = []
    for policy in policies.policies:
        rest = [p for p in policies.policies if p.id != policy.id]
        same = [applies[p.id] for p in rest if p.effect == policy.effect]
        forbids = [applies[p.id] for p in rest if p.effect == "forbid"]
        place = f"{policy.file}:{policy.line}:{policy.column}: {policy.id}"
        known = [*world.rules, world.has_scope(), applies[policy.id]]
        if solve(known) is None:
            said.append(f"{place} can never apply")
        elif policy.effect == "permit" and forbids and solve([*known, none(forbids)]) is None:
            said.append(f"{place} permits nothing: what it permits is forbidden by others")
        elif same and solve([*known, none(same)]) is None:
            said.append(f"{place} is shadowed: others {policy.effect} all that it does")
    return said


def none(formulas: list[Any]) -> Any:
    """Say that none holds."""
    return z3.Not(z3.Or(formulas))


def solve(formulas: list[Any], wishes: Iterable[Any] = ()) -> Any:
    """Return a model, or None when there is none; of several, one with as many wishes as can be.

    The earlier ones go before.

    Raises:
        PropertyError: the solver gave up.
    """
    solver = z3.Solver()
    solver.set("timeout", PATIENCE_MS)
    solver.add(*formulas)
    match solver.check():
        case z3.unsat:
            return None
        case z3.sat:
            return wished(solver, wishes)
    raise PropertyError(f"the solver gave up after {PATIENCE_MS // 1000} s", code="property_open")


def wished(solver: Any, wishes: Iterable[Any]) -> Any:
    """Return a model of what has one, with each wish that leaves one."""
    model = solver.model()
    for wish in wishes:
        solver.push()
        solver.add(wish)
        if solver.check() == z3.sat:
            model = solver.model()
        else:
            solver.pop()
    return model
