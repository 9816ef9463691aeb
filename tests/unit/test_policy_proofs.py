"""What is proved is true of the engine, and what is not is a request that the engine permits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import z3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringfence import engine
from ringfence.config.policy import definition
from ringfence.errors import PropertyError
from ringfence.policy import read_property, shipped_properties
from ringfence.policy.encode import Encoder, world_of
from ringfence.policy.prove import prove, review
from ringfence.policy.request import DEFAULTS, time_us

EXAMPLE = Path(engine.__file__).parents[1] / "policy" / "example"
ALL = "permit(principal, action, resource);"


def policies(text: str) -> engine.PolicySet:
    """Compile one text."""
    return engine.PolicySet({"files": [{"file": "a.cedar", "text": text}]})


@pytest.mark.parametrize("name", sorted(shipped_properties()))
def test_the_example_has_every_shipped_property(name: str) -> None:
    proof = prove(engine.PolicySet(definition(EXAMPLE, ".")), read_property(name))
    assert proof.counterexample is None


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        # The compiled scopes prove these, whatever the policies permit.
        ("withdraw-needs-scope", True),
        ("trade-needs-scope", True),
        ("funds-need-native-coverage", False),
        ("keys-need-fresh-passkey", False),
    ],
)
def test_what_only_policies_ensure_fails_without_them(name: str, holds: bool) -> None:
    proof = prove(policies(ALL), read_property(name))
    assert (proof.counterexample is None) == holds
    if not holds:
        assert proof.answer is not None
        assert proof.answer.permitted


def test_a_counterexample_says_no_more_than_it_must() -> None:
    text = """permit (principal == Account::"desk", action == Action::"withdraw.create", resource)
    when { context has stepUp && context.stepUp.strength == "passkey"
           && context.stepUp.age < 300 };"""
    proof = prove(policies(text), read_property("funds-need-native-coverage"))
    assert proof.counterexample is not None
    age = proof.counterexample["step_up"]["age"]
    assert proof.counterexample == {
        "operation": "withdraw.create",
        "principal": "Account::desk",
        "above": [],
        "credential": "someone-else",
        "scopes": ["withdraw"],
        "algorithm": "ed25519",
        "address": "192.0.2.1",
        "time_us": time_us(DEFAULTS["time"]),
        "coverage": "venue",
        "certificate": False,
        "transport": "http/1.1",
        "instrument": None,
        "step_up": {"age": age, "strength": "passkey"},
        "order": None,
        "funds": None,
    }


def test_a_condition_that_yaml_reads_as_a_truth_is_one(tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    file.write_text("title: nobody withdraws\nnever:\n  operation: withdraw.create\n  when: true\n")
    nobody = prove(policies("forbid (principal, action, resource);"), read_property(str(file)))
    assert nobody.counterexample is None
    assert prove(policies(ALL), read_property(str(file))).counterexample is not None
    file.write_text("never:\n  operation: withdraw.create\n  when: context.foo\n")
    with pytest.raises(PropertyError, match=r"none\.yaml:3:1: there is no context\.foo"):
        read_property(str(file))


def test_a_second_more_is_a_counterexample() -> None:
    text = (
        'permit(principal is Operator, action == Action::"key.create", resource) when '
        '{ context has stepUp && context.stepUp.strength == "passkey"'
        " && context.stepUp.age < AGE };"
    )
    wanted = read_property("keys-need-fresh-passkey")
    assert prove(policies(text.replace("AGE", "300")), wanted).counterexample is None
    found = prove(policies(text.replace("AGE", "301")), wanted).counterexample
    assert found is not None
    assert found["step_up"] == {"age": 300, "strength": "passkey"}


def test_a_written_property_is_read_and_misread_by_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "title: Nobody outside acme trades\n"
        'only:\n  operation: changes-state\n  when: principal in Organisation::"acme"\n'
    )
    wanted = read_property(str(file))
    assert "order.place" in wanted.actions
    inside = policies('permit(principal in Organisation::"acme", action, resource);')
    assert prove(inside, wanted).counterexample is None
    found = prove(policies(ALL), wanted).counterexample
    assert found is not None
    assert "Organisation::acme" not in found["above"]
    file.write_text("never:\n  operation: order.cancel\n  when: context.colour == 1\n")
    with pytest.raises(PropertyError, match=r"mine\.yaml:3:"):
        read_property(str(file))


def test_nothing_is_proved_of_what_no_policy_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("never:\n  operation: market.read\n  when: context.hour < 6\n")
    with pytest.raises(PropertyError, match=r"market\.read needs no credential"):
        read_property(str(file))


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ('context.transport like "h*"', "`like`"),
        ("context.time + 1 < 5", r"`\+`"),
    ],
)
def test_what_is_not_covered_is_refused_by_place(condition: str, what: str) -> None:
    text = f"{ALL}\nforbid(principal, action, resource)\nwhen {{ {condition} }};"
    with pytest.raises(PropertyError, match=rf"a\.cedar:3:\d+: {what} is outside"):
        prove(policies(text), read_property("withdraw-needs-scope"))


def test_policies_that_change_nothing_are_found() -> None:
    found = review(
        policies(
            '@id("all") permit(principal, action, resource);\n'
            '@id("twice") permit(principal, action == Action::"order.cancel", resource);\n'
            '@id("hour") forbid(principal, action, resource) when { context.hour == 24 };\n'
            '@id("no") forbid(principal, action == Action::"stream.open", resource);\n'
            '@id("vain") permit(principal, action == Action::"stream.open", resource);\n'
        )
    )
    assert [line.split(": ", 1)[1] for line in found] == [
        "twice is shadowed: others permit all that it does",
        "hour can never apply",
        "vain permits nothing: what it permits is forbidden by others",
    ]
    assert found[1].startswith("a.cedar:3:1: ")


CONDITIONS = st.sampled_from(
    [
        'context.coverage == "native"',
        'context.transport != "h2"',
        'context.algorithm == "ed25519"',
        "context.certificate",
        "context.hour < 8",
        "context.hour >= 18",
        "context.day == 6",
        "context.time <= 1795687200000000",
        'context.address.isInRange(ip("192.0.2.0/24"))',
        'context.address.isInRange(ip("2001:db8::/32"))',
        'context.address == ip("192.0.2.1")',
        'context.address == ip("192.0.2.0/24")',
        "context.address.isIpv4()",
        "context.address.isIpv6()",
        "context.address.isLoopback()",
        "context.address.isMulticast()",
        'context.scopes.contains("withdraw")',
        'context.scopes.containsAll(["read", "trade"])',
        'context.scopes.containsAny(["keys", "transfer"])',
        '["trade", "read", "withdraw"].containsAll(context.scopes)',
        "context.scopes.isEmpty()",
        '["native", "h2"].contains(context.coverage)',
        'context.credential == Credential::"k1"',
        'principal == Account::"alice"',
        'principal in Organisation::"acme"',
        'principal in [Account::"bob", Account::"alice"]',
        "principal is Operator",
        'principal is Account in Organisation::"acme"',
        'action in Action::"changes-state"',
        'action == Action::"order.place"',
        'action in [Action::"moves-funds", Action::"order.place"]',
        'resource == Instrument::"BTCUSDT"',
        "resource is Venue",
        "context has stepUp",
        "context has stepUp && context.stepUp.age < 300",
        'context has stepUp.strength && context.stepUp.strength == "passkey"',
        "if context.certificate then context.hour < 12 else context.hour > 12",
        "(if context.certificate then context.hour else context.day) == 4",
    ]
)
ORDERED = st.sampled_from(
    [
        "context has order",
        'context has order.side && context.order.side == "BUY"',
        "context has order && context.order.amends",
        'context has order.price && context.order.price.lessThanOrEqual(decimal("10.5"))',
        'context has order.notional && context.order.notional.greaterThan(decimal("100.0"))',
        'context has order && context.order has notional && decimal("99.9999").lessThan(context.order.notional)',  # noqa: E501
    ]
)


def joined(conditions: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return conditions of conditions."""
    return st.recursive(
        conditions,
        lambda inner: st.one_of(
            inner.map(lambda a: f"!({a})"),
            st.tuples(inner, inner).map(lambda ab: f"({ab[0]}) && ({ab[1]})"),
            st.tuples(inner, inner).map(lambda ab: f"({ab[0]}) || ({ab[1]})"),
        ),
        max_leaves=4,
    )


EFFECTS = st.sampled_from(["permit", "forbid"])
PLAIN = st.tuples(EFFECTS, joined(CONDITIONS)).map(
    lambda ec: f"{ec[0]}(principal, action, resource) when {{ {ec[1]} }};"
)
ORDERS = st.tuples(EFFECTS, joined(st.one_of(ORDERED, CONDITIONS))).map(
    lambda ec: (
        f'{ec[0]}(principal, action in Action::"carries-order", resource) when {{ {ec[1]} }};'
    )
)
NUMBERS = st.sampled_from(["0.0000", "10.5000", "10.5001", "99.9999", "100.0000", "100.0001"])


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """Return requests on both sides of everything that the conditions compare."""
    action = engine.policy_actions()[draw(st.sampled_from(sorted(engine.policy_actions())))]
    hour_us = 3_600_000_000
    order: dict[str, Any] | None = None
    if action.order and draw(st.booleans()):
        order = {"amends": draw(st.booleans())}
        for name, values in (
            ("side", st.sampled_from(["BUY", "SELL"])),
            ("price", NUMBERS),
            ("notional", NUMBERS),
        ):
            if draw(st.booleans()):
                order[name] = draw(values)
    step_up = None
    if draw(st.booleans()):
        ages, strengths = st.sampled_from([0, 299, 300]), st.sampled_from(["passkey", "otp"])
        step_up = {"age": draw(ages), "strength": draw(strengths)}
    names = ["Account::alice", "Account::bob", "Operator::dora", "Service::alice"]
    addresses = [
        "192.0.2.1",
        "192.0.2.2",
        "127.0.0.1",
        "224.0.0.1",
        "2001:db8::1",
        "::1",
        "ff02::1",
    ]
    scopes = ["read", "trade", "withdraw", "transfer", "keys", "admin"]
    return {
        "operation": action.name,
        "principal": draw(st.sampled_from(names)),
        "above": draw(st.sampled_from([[], ["Organisation::acme"], ["Organisation::other"]])),
        "credential": draw(st.sampled_from(["k1", "k2"])),
        "scopes": draw(st.lists(st.sampled_from(scopes), unique=True)),
        "algorithm": draw(st.sampled_from(["ed25519", "hmac-sha256"])),
        "address": draw(st.sampled_from(addresses)),
        "time_us": 1_795_687_200_000_000 + draw(st.integers(-80, 80)) * hour_us,
        "coverage": draw(st.sampled_from(["venue", "native"])),
        "certificate": draw(st.booleans()),
        "transport": draw(st.sampled_from(["http/1.1", "h2", "websocket"])),
        "instrument": draw(st.sampled_from(["BTCUSDT", "ETHUSDT"])) if action.order else None,
        "step_up": step_up,
        "order": order,
        "funds": None,
    }


NAMES = """
permit(principal == Account::"bob", action == Action::"key.change", resource) when {
  ["hmac-sha256", "ed25519", "otp", "passkey"].contains(context.algorithm)
  && [Credential::"k1", Credential::"k2"].contains(context.credential)
  && [Operator::"dora"].contains(Operator::"dora")
  && Service::"alice" is Service && Account::"alice" is Account
  && [Organisation::"acme", Organisation::"other"].contains(Organisation::"acme") };
permit(principal, action == Action::"order.test", resource) when {
  [Instrument::"BTCUSDT", Instrument::"ETHUSDT"].contains(resource)
  && context has order.side && ["BUY", "SELL"].contains(context.order.side) };
"""
"""Names everything that requests name, so that each is of the world."""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(PLAIN, ORDERS), max_size=3), st.lists(questions(), min_size=1, max_size=6)
)
def test_the_formula_and_the_engine_agree(texts: list[str], asked: list[dict[str, Any]]) -> None:
    made = policies("\n".join([NAMES, *texts]))
    world = world_of([made])
    solver = z3.Solver()
    solver.add(*world.rules)
    permitted = Encoder(world).permitted(made)
    for question in asked:
        facts = world.fixed(question)
        assert solver.check(*facts) == z3.sat, "a request that can be is one of the world"
        expected = z3.sat if made.decide(question).permitted else z3.unsat
        assert solver.check(*facts, permitted) == expected, (texts, question)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(PLAIN, ORDERS), min_size=1, max_size=3))
def test_every_model_is_a_request_that_the_engine_judges_alike(texts: list[str]) -> None:
    made = policies("\n".join(texts))
    world = world_of([made])
    permitted = Encoder(world).permitted(made)
    for wanted in (permitted, z3.Not(permitted)):
        solver = z3.Solver()
        solver.add(*world.rules, wanted)
        if solver.check() == z3.sat:
            answer = made.decide(world.question(solver.model()))
            assert answer.permitted == (wanted is permitted)
