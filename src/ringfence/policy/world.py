"""Every request that there can be, as unknowns of a solver; and one request out of them.

Numbers are ten-thousandths as in the engine. A text is a number: known texts have small ones.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

import z3

from ringfence import engine
from ringfence.policy.request import DEFAULTS, STATES, time_us

__all__ = ["SCOPES", "World", "units"]

SCOPES = ("read", "trade", "withdraw", "transfer", "keys", "admin")
KINDS = ("Account", "Service", "Operator")
HOUR_US = 3_600_000_000
ELSE, ANYTHING = "someone-else", "anything"
"""Whoever, and whatever, nobody has named."""
MOST = (1 << 63) - 1
MOST_US = 1 << 52
"""The year 2112."""

TEXTS = (
    "order.side",
    "order.type",
    "funds.account",
    "funds.asset",
    "funds.network",
    "funds.address",
    "funds.tag",
)
DECIMALS = ("order.price", "order.quantity", "order.notional", "funds.amount")

Entity = tuple[str, str]


def units(text: str) -> int:
    """Return a Cedar decimal in ten-thousandths."""
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.removeprefix("-").partition(".")
    return sign * int(whole + fraction.ljust(4, "0"))


class World:
    """The unknowns, and what ties them together."""

    def __init__(self, entities: Iterable[Entity], texts: Iterable[str]) -> None:
        """Make a world of these entities and one more of each kind, and these texts."""
        self.actions = engine.policy_actions()
        others = [(kind, ELSE) for kind in (*KINDS, "Credential", "Instrument")]
        groups = [("Action", g) for a in self.actions.values() for g in a.groups]
        acts = [("Action", name) for name in self.actions]
        every = [*entities, *others, *groups, *acts, ("Venue", "venue")]
        self.entities: list[Entity] = list(dict.fromkeys(every))
        self.index = {entity: i for i, entity in enumerate(self.entities)}
        self.above: dict[Entity, set[Entity]] = {entity: {entity} for entity in self.entities}
        for action in self.actions.values():
            self.above[("Action", action.name)] |= {("Action", g) for g in action.groups}
        stated = [text for allowed in STATES.values() for text in allowed]
        stated += [str(DEFAULTS["algorithm"]), ANYTHING]
        self.texts = {text: i for i, text in enumerate(dict.fromkeys([*SCOPES, *stated, *texts]))}
        self.declare()
        self.rules = list(self.tie())

    def declare(self) -> None:
        """Name the unknowns."""
        names = ("principal", "action", "resource", "credential", "time")
        self.unknown: dict[str, Any] = {name: z3.Int(name) for name in names}
        self.unknown["time"] = time = z3.Int("time")
        self.unknown["hour"] = (time / HOUR_US) % 24
        self.unknown["day"] = (time / (24 * HOUR_US) + 3) % 7 + 1
        for name in ("coverage", "transport", "algorithm", "stepUp.age", "stepUp.strength"):
            self.unknown[name] = z3.Int(name)
        for name in (*TEXTS, *DECIMALS):
            self.unknown[name] = z3.Int(name)
        self.unknown["certificate"] = z3.Bool("certificate")
        self.unknown["order.amends"] = z3.Bool("order.amends")
        self.v6, self.bits = z3.Bool("v6"), z3.BitVec("address", 128)
        self.scope = {name: z3.Bool(f"scope {name}") for name in SCOPES}
        there = ("stepUp", "order", "funds", *TEXTS, *DECIMALS)
        self.there = {name: z3.Bool(f"has {name}") for name in there}
        # Whatever the tree of principals is, or becomes.
        over = [entity for entity in self.entities if entity[0] in ("Account", "Organisation")]
        self.under = {entity: z3.Bool(f"under {'::'.join(entity)}") for entity in over}

    def tie(self) -> Iterable[Any]:
        """Yield what is true of every request."""
        get = self.unknown
        for name, kinds in (("principal", KINDS), ("credential", ("Credential",))):
            yield self.one_of(get[name], (e for e in self.entities if e[0] in kinds))
        yield self.one_of(get["action"], (("Action", name) for name in self.actions))
        accounts = [under for entity, under in self.under.items() if entity[0] == "Account"]
        # A sub-account or a service stands under one account, which stands under none.
        yield z3.PbLe([(under, 1) for under in accounts], 1)
        operators = (e for e in self.entities if e[0] == "Operator")
        yield z3.Implies(self.one_of(get["principal"], operators), z3.Not(z3.Or(accounts)))
        for entity in self.under:
            itself = get["principal"] == self.index[entity]
            yield z3.Implies(itself, z3.Not(self.under[entity]))
        orders = self.doing(a.name for a in self.actions.values() if a.order)
        funds = self.doing(a.name for a in self.actions.values() if a.funds)
        instruments = (e for e in self.entities if e[0] == "Instrument")
        venue = [("Venue", "venue")]
        yield z3.If(
            orders,
            self.one_of(get["resource"], instruments),
            self.one_of(get["resource"], venue),
        )
        yield z3.Implies(self.there["order"], orders)
        yield z3.Implies(self.there["funds"], funds)
        for name in (*TEXTS, *DECIMALS):
            yield z3.Implies(self.there[name], self.there[name.split(".")[0]])
        for name, allowed in STATES.items():
            yield z3.Or([get[name] == self.texts[text] for text in allowed])
        yield z3.And(get["time"] >= 0, get["time"] < MOST_US)
        yield z3.And(get["stepUp.age"] >= 0, get["stepUp.age"] < MOST_US)
        for name in DECIMALS:
            yield z3.And(get[name] >= 0, get[name] <= MOST)
        for name in ("algorithm", "stepUp.strength", *TEXTS):
            yield get[name] >= 0
        yield z3.Implies(z3.Not(self.v6), z3.ULT(self.bits, z3.BitVecVal(1 << 32, 128)))
        # A mapped IPv4 address is read as the IPv4 address that it is.
        mapped = z3.Extract(127, 32, self.bits) == 0xFFFF
        yield z3.Implies(self.v6, z3.Not(mapped))

    def wishes(self) -> Iterator[Any]:
        """Yield what makes a request plain to people, most telling first: what it need not have is
        left out, and the rest is as in a request of a table that says nothing."""
        get, default = self.unknown, DEFAULTS
        for section in ("order", "funds", "stepUp"):
            yield z3.Not(self.there[section])
        for name in (*TEXTS, *DECIMALS):
            yield z3.Not(self.there[name])
        yield get["principal"] == self.index[("Account", ELSE)]
        for held in (*self.under.values(), *self.scope.values()):
            yield z3.Not(held)
        yield z3.And(z3.Not(self.v6), self.bits == int(ipaddress.ip_address(default["address"])))
        yield get["time"] == time_us(default["time"])
        yield z3.Not(get["certificate"])
        for name in ("algorithm", "coverage", "transport"):
            yield get[name] == self.texts[default[name]]
        for name in DECIMALS:
            yield get[name] == units("1")
        for name in TEXTS:
            yield get[name] == self.texts[ANYTHING]

    def one_of(self, value: Any, entities: Iterable[Entity]) -> Any:
        """Say that `value` is one of `entities`."""
        return z3.Or([value == self.index[entity] for entity in entities])

    def doing(self, actions: Iterable[str]) -> Any:
        """Say that the operation is one of `actions`."""
        return self.one_of(self.unknown["action"], (("Action", name) for name in actions))

    def has_scope(self) -> Any:
        """Say what comes before any policy: the credential has the operation's scope."""
        return z3.Or(
            [
                z3.And(self.doing([a.name]), self.scope[a.scope] if a.scope else True)
                for a in self.actions.values()
            ]
        )

    def inside(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Any:
        """Say that the address is in `network`."""
        family = self.v6 if network.version == 6 else z3.Not(self.v6)
        free = network.max_prefixlen - network.prefixlen
        base = z3.BitVecVal(int(network.network_address) >> free, 128)
        return z3.And(family, z3.LShR(self.bits, free) == base)

    def question(self, model: Any) -> dict[str, Any]:
        """Return the request of a model, as the engine reads it."""
        spelt = {i: text for text, i in self.texts.items()}

        def number(name: str) -> int:
            return int(model.eval(self.unknown[name], True).as_long())

        def true(value: Any) -> bool:
            return bool(z3.is_true(model.eval(value, True)))

        def entity(name: str) -> Entity:
            return self.entities[number(name)]

        def text(name: str) -> str:
            return spelt.get(number(name), f"other-{number(name)}")

        def part(section: str) -> dict[str, Any] | None:
            if not true(self.there[section]):
                return None
            said: dict[str, Any] = {}
            for name in (*TEXTS, *DECIMALS):
                if name.startswith(f"{section}.") and true(self.there[name]):
                    value = number(name)
                    exact = f"{value // 10_000}.{value % 10_000:04}"
                    said[name.split(".")[1]] = text(name) if name in TEXTS else exact
            if section == "order":
                said["amends"] = true(self.unknown["order.amends"])
            return said

        bits = model.eval(self.bits, True).as_long()
        address = ipaddress.IPv6Address(bits) if true(self.v6) else ipaddress.IPv4Address(bits)
        resource = entity("resource")
        step_up = {"age": number("stepUp.age"), "strength": text("stepUp.strength")}
        return {
            "operation": entity("action")[1],
            "principal": "::".join(entity("principal")),
            "above": ["::".join(one) for one, under in self.under.items() if true(under)],
            "credential": entity("credential")[1],
            "scopes": [name for name, held in self.scope.items() if true(held)],
            "algorithm": text("algorithm"),
            "address": str(address),
            "time_us": number("time"),
            "coverage": text("coverage"),
            "certificate": true(self.unknown["certificate"]),
            "transport": text("transport"),
            "instrument": resource[1] if resource[0] == "Instrument" else None,
            "step_up": step_up if true(self.there["stepUp"]) else None,
            "order": part("order"),
            "funds": part("funds"),
        }

    def fixed(self, question: dict[str, Any]) -> list[Any]:
        """Return what makes the unknowns this one request; its names must be of this world."""
        get, facts = self.unknown, []
        kind, _, name = question["principal"].partition("::")
        resource = ("Venue", "venue")
        if question["instrument"] is not None:
            resource = ("Instrument", question["instrument"])
        for key, entity in (
            ("principal", (kind, name)),
            ("action", ("Action", question["operation"])),
            ("resource", resource),
            ("credential", ("Credential", question["credential"])),
        ):
            facts.append(get[key] == self.index[entity])
        above = question.get("above", [])
        facts += [under == ("::".join(one) in above) for one, under in self.under.items()]
        facts += [held == (name in question["scopes"]) for name, held in self.scope.items()]
        for key in ("algorithm", "coverage", "transport"):
            facts.append(get[key] == self.texts[question[key]])
        address = ipaddress.ip_address(question["address"])
        facts += [self.v6 == (address.version == 6), self.bits == int(address)]
        facts += [get["time"] == question["time_us"]]
        facts += [get["certificate"] == question["certificate"]]
        step_up = question["step_up"]
        facts.append(self.there["stepUp"] == (step_up is not None))
        if step_up is not None:
            facts.append(get["stepUp.age"] == step_up["age"])
            facts.append(get["stepUp.strength"] == self.texts[step_up["strength"]])
        for section in ("order", "funds"):
            said = question[section]
            facts.append(self.there[section] == (said is not None))
            for path in (*TEXTS, *DECIMALS):
                if path.startswith(f"{section}."):
                    value = (said or {}).get(path.split(".")[1])
                    facts.append(self.there[path] == (value is not None))
                    if value is not None:
                        number = self.texts[value] if path in TEXTS else units(value)
                        facts.append(get[path] == number)
        if question["order"] is not None:
            facts.append(get["order.amends"] == question["order"].get("amends", False))
        return facts
