"""Conditions of policies as formulas over a world. What has no exact formula is refused by place.

Covered: booleans, `if`, comparisons of whole numbers and decimals, equality, sets of literals and
the scopes, `in` and `is` over the hierarchy, `has`, address ranges. Not covered: arithmetic,
`like`, records.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import z3

from ringfence import engine
from ringfence.errors import PropertyError
from ringfence.policy.world import World, units

__all__ = ["Encoder", "world_of"]

Node = list[Any]
VARIABLES = ("principal", "action", "resource")
RANGES = {
    "isLoopback": ("127.0.0.0/8", "::1/128"),
    "isMulticast": ("224.0.0.0/4", "ff00::/8"),
    "isIpv4": ("0.0.0.0/0",),
    "isIpv6": ("::/0",),
}
COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "lessThan": lambda a, b: a < b,
    "lessThanOrEqual": lambda a, b: a <= b,
    "greaterThan": lambda a, b: a > b,
    "greaterThanOrEqual": lambda a, b: a >= b,
}


@dataclass(frozen=True, slots=True)
class Value:
    """A formula with its kind. Of a set, pairs of whether something is in it, and what."""

    kind: str
    of: Any


def world_of(sets: list[engine.PolicySet]) -> World:
    """Return a world with all that policies name."""
    entities, texts = [], []
    for policies in sets:
        for policy in policies.policies:
            for node in walk(policy.condition):
                if node[0] == "entity":
                    entities.append((node[2].rsplit("::", 1)[-1], node[3]))
                elif node[0] == "text":
                    texts.append(node[2])
    return World(entities, texts)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    yield node
    for part in node[2:]:
        if isinstance(part, list) and len(part) > 1 and node[0] != "has":
            yield from walk(part)
    if node[0] == "has":
        yield from walk(node[2])


class Encoder:
    """Encodes the conditions of one world."""

    def __init__(self, world: World) -> None:
        """Encode over `world`."""
        self.world = world

    def permitted(self, policies: engine.PolicySet) -> Any:
        """Return when a request is permitted: the scope, a permit, and no forbid.

        Raises:
            PropertyError: a policy is outside of what can be encoded; its place is named.
        """
        permits = [self.applies(p) for p in policies.policies if p.effect == "permit"]
        forbids = [self.applies(p) for p in policies.policies if p.effect == "forbid"]
        return z3.And(self.world.has_scope(), z3.Or(permits), z3.Not(z3.Or(forbids)))

    def applies(self, policy: engine.WrittenPolicy) -> Any:
        """Return when a policy's scope and conditions hold."""
        self.file = policy.file
        value = self.value(policy.condition)
        if value.kind != "bool":
            raise self.outside(policy.condition, "a condition that is no boolean")
        return z3.BoolVal(value.of) if isinstance(value.of, bool) else value.of

    def outside(self, node: Node, what: str) -> PropertyError:
        """Return the error of a node that is not covered."""
        return PropertyError(f"{self.file}:{node[1]}: {what} is outside of what can be proved")

    def value(self, node: Node) -> Value:
        """Return the formula of a node."""
        name, parts = node[0], node[2:]
        match name:
            case "bool" | "long":
                return Value(name, z3.BoolVal(parts[0]) if name == "bool" else z3.IntVal(parts[0]))
            case "text":
                return Value("text", z3.IntVal(self.world.texts[parts[0]]))
            case "entity":
                entity = (parts[0].rsplit("::", 1)[-1], parts[1])
                return Value("entity", z3.IntVal(self.world.index[entity]))
            case "var" if parts[0] in VARIABLES:
                return Value("entity", self.world.unknown[parts[0]])
            case "get":
                return self.get(node)
            case "has":
                return self.has(node)
            case "if":
                test, then, other = (self.value(part) for part in parts)
                if then.kind != other.kind or then.kind in ("set", "address", "network"):
                    raise self.outside(node, "`if` between sets or addresses")
                return Value(then.kind, z3.If(test.of, then.of, other.of))
            case "and" | "or" | "not":
                made = {"and": z3.And, "or": z3.Or, "not": z3.Not}[name]
                return Value("bool", made(*(self.value(part).of for part in parts)))
            case "is":
                return Value("bool", self.is_kind(self.value(parts[0]), parts[1]))
            case "set":
                return Value("set", [(z3.BoolVal(True), self.value(part)) for part in parts])
            case "decimal" | "ip":
                return self.literal(node)
        return self.applied(node)

    def literal(self, node: Node) -> Value:
        """Return what a constructor of a literal makes."""
        argument = node[2]
        if argument[0] != "text":
            raise self.outside(node, f"{node[0]}() of something that is no literal")
        if node[0] == "decimal":
            return Value("decimal", z3.IntVal(units(argument[2])))
        return Value("network", ipaddress.ip_interface(argument[2]))

    def applied(self, node: Node) -> Value:
        """Return what an operator or a method makes."""
        name = node[0]
        known = (*COMPARED, *RANGES, "==", "in", "isInRange")
        sets = ("contains", "containsAll", "containsAny", "isEmpty")
        if name not in (*known, *sets):
            raise self.outside(node, f"`{name}`")
        values = [self.value(part) for part in node[2:]]
        if name in COMPARED:
            return Value("bool", COMPARED[name](values[0].of, values[1].of))
        if name in RANGES:
            networks = [ipaddress.ip_interface(text) for text in RANGES[name]]
            ranges = [self.in_range(values[0], network) for network in networks]
            return Value("bool", z3.Or(ranges))
        if name == "isInRange":
            if values[1].kind != "network":
                raise self.outside(node, "a range that is no literal")
            return Value("bool", self.in_range(values[0], values[1].of))
        if name == "==":
            return Value("bool", self.equal(node, *values))
        if name == "in":
            return Value("bool", self.is_in(*values))
        return Value("bool", self.about_set(node, values))

    def about_set(self, node: Node, values: list[Value]) -> Any:
        """Return what a method of a set makes."""
        if values[0].kind != "set" or (node[0] in ("containsAll", "containsAny")) != (
            values[-1].kind == "set" and len(values) == 2
        ):
            raise self.outside(node, f"`{node[0]}` of something else than sets of literals")
        held = values[0].of

        def contains(value: Value) -> Any:
            return z3.Or([z3.And(there, self.equal(node, item, value)) for there, item in held])

        match node[0]:
            case "contains":
                return contains(values[1])
            case "containsAll":
                return z3.And([z3.Implies(there, contains(v)) for there, v in values[1].of])
            case "containsAny":
                return z3.Or([z3.And(there, contains(v)) for there, v in values[1].of])
        return z3.Not(z3.Or([there for there, _ in held]))

    def equal(self, node: Node, a: Value, b: Value) -> Any:
        """Return when two values are the same."""
        if {a.kind, b.kind} == {"address", "network"}:
            network = a.of if a.kind == "network" else b.of
            alone = network.network.prefixlen == network.network.max_prefixlen
            return self.world.inside(network.network) if alone else z3.BoolVal(False)
        if a.kind == b.kind == "network":
            return z3.BoolVal(a.of == b.of)
        if a.kind == b.kind == "address":
            return z3.BoolVal(True)
        if a.kind != b.kind or a.kind == "set":
            raise self.outside(node, "`==` of sets")
        return a.of == b.of

    def is_in(self, a: Value, b: Value) -> Any:
        """Return when an entity is another, or below it, or below one of a set."""
        if b.kind == "set":
            return z3.Or([z3.And(there, self.is_in(a, item)) for there, item in b.of])
        world = self.world
        pairs = [
            z3.And(a.of == world.index[low], b.of == world.index[high])
            for low, above in world.above.items()
            for high in above
        ]
        # Who acts may stand under any of those that may stand above somebody.
        stands = [
            z3.And(a.of == world.unknown["principal"], b.of == world.index[high], under)
            for high, under in world.under.items()
        ]
        return z3.Or([*pairs, *stands])

    def is_kind(self, value: Value, kind: str) -> Any:
        """Return when an entity is of a type."""
        return self.world.one_of(value.of, (e for e in self.world.entities if e[0] == kind))

    def in_range(self, value: Value, range_: Any) -> Any:
        """Return when an address is in a network."""
        network = range_.network
        if value.kind == "address":
            return self.world.inside(network)
        if value.kind == "network" and value.of.version == network.version:
            return z3.BoolVal(value.of.network.subnet_of(network))
        return z3.BoolVal(False)

    def path(self, node: Node) -> str:
        """Return `order.price` of `context.order.price`."""
        if node[:1] == ["var"] and node[2] == "context":
            return ""
        if node[0] == "get":
            base = self.path(node[2])
            return f"{base}.{node[3]}" if base else str(node[3])
        raise self.outside(node, "an attribute of something else than the context")

    def get(self, node: Node) -> Value:
        """Return an attribute of the context."""
        path, world = self.path(node), self.world
        if path == "address":
            return Value("address", None)
        if path == "scopes":
            scopes = world.scope.items()
            items = [(held, Value("text", z3.IntVal(world.texts[s]))) for s, held in scopes]
            return Value("set", items)
        kinds = {
            "credential": "entity",
            "certificate": "bool",
            "order.amends": "bool",
            **dict.fromkeys(("time", "hour", "day", "stepUp.age"), "long"),
            **dict.fromkeys(
                ("order.price", "order.quantity", "order.notional", "funds.amount"), "decimal"
            ),
        }
        if path not in world.unknown:
            raise self.outside(node, f"context.{path}")
        return Value(kinds.get(path, "text"), world.unknown[path])

    def has(self, node: Node) -> Value:
        """Return when an attribute of the context is there, with all on the way to it."""
        base, met = self.path(node[2]), []
        for attribute in node[3]:
            base = f"{base}.{attribute}" if base else attribute
            parent = base.split(".")[0]
            met.append(self.world.there.get(base, self.world.there.get(parent, z3.BoolVal(True))))
        return Value("bool", z3.And(met))
