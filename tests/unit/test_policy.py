"""Policies are read whole or refused by place; a table of requests is held against the engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ringfence import engine
from ringfence.config.model import Policy
from ringfence.config.policy import definition
from ringfence.config.problem import lines
from ringfence.config.text import read_document
from ringfence.errors import EngineError, FileError, PolicyError
from ringfence.policy import read_table, run_table
from ringfence.policy.request import complete, time_us

EXAMPLE = Path(engine.__file__).parents[1] / "policy" / "example"


def policies(text: str) -> engine.PolicySet:
    """Compile one text."""
    return engine.PolicySet({"files": [{"file": "a.cedar", "text": text}]})


@pytest.fixture
def example() -> engine.PolicySet:
    """Return the policies that ship as an example."""
    return engine.PolicySet(definition(EXAMPLE, "."))


def test_the_example_decides_as_its_table_says(example: engine.PolicySet) -> None:
    outcomes = run_table(example, read_table(EXAMPLE / "cases.yaml"))
    assert [(o.case.name, o.why) for o in outcomes if o.why] == []
    assert len(outcomes) >= 15
    assert example.warnings == []


@pytest.mark.parametrize("policy", ["10-trading.cedar", "20-funds.cedar"])
def test_the_example_s_table_notices_when_a_file_is_taken_away(policy: str) -> None:
    said = definition(EXAMPLE, ".")
    said["files"] = [file for file in said["files"] if not file["file"].endswith(policy)]
    assert len(said["files"]) == 1
    outcomes = run_table(engine.PolicySet(said), read_table(EXAMPLE / "cases.yaml"))
    assert any(outcome.why for outcome in outcomes)


def test_every_problem_has_its_place() -> None:
    with pytest.raises(EngineError) as refusal:
        policies("permit(principal, action, resource)\nwhen { context.colour == 1 };")
    assert refusal.value.code == "policy_refused"
    assert str(refusal.value).startswith("a.cedar:2:")


def test_a_pattern_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no file"):
        definition(tmp_path, "policy/*.cedar")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"operation": "order.plaze"}, "there is no order.plaze"),
        ({"operation": "order.place", "colour": 1}, "colour is no part of a request"),
        ({"operation": "order.place", "time": "noon"}, "time: noon is no time"),
        ({"operation": "order.place", "time": "2026-11-26T12:00:00"}, "is no time"),
        ({"operation": "order.place", "coverage": "all"}, "coverage: all is none of"),
        ({"operation": "order.place", "address": "1.1.1.x"}, "address: 1.1.1.x is no address"),
    ],
)
def test_a_request_that_says_something_else_is_refused(said: dict[str, object], what: str) -> None:
    with pytest.raises(PolicyError, match=what):
        complete(said)


def test_time_is_exact() -> None:
    assert time_us("1970-01-01T01:00:00.000001+01:00") == 1


def test_an_unexpected_decider_is_told(tmp_path: Path) -> None:
    table = tmp_path / "cases.yaml"
    table.write_text(
        "cases:\n"
        "  - {request: {operation: order.cancel}, expect: permitted, by: [b]}\n"
        "  - {request: {operation: order.cancel}, expect: forbidden}\n"
        "  - {request: {operation: order.cancel, scopes: []}, expect: scope_missing, by: []}\n"
    )
    outcomes = run_table(
        policies('@id("a") permit(principal, action, resource);'), read_table(table)
    )
    assert [outcome.why for outcome in outcomes] == [
        "expected it by b, got it by a",
        "expected forbidden, got permitted by a",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("cases: []\n", ":1: write a list"),
        ("cases:\n  - {request: {operation: order.cancel}}\n", ":2: expect: write one of"),
        ("cases:\n  - {request: 1, expect: permitted}\n", ":2: a request is a section"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(tmp_path: Path, text: str, what: str) -> None:
    table = tmp_path / "cases.yaml"
    table.write_text(text)
    with pytest.raises(PolicyError, match=what):
        read_table(table)


def test_a_request_that_the_engine_does_not_read_says_where(tmp_path: Path) -> None:
    table = tmp_path / "cases.yaml"
    table.write_text(
        "cases:\n  - {request: {operation: order.cancel, principal: bob}, expect: forbidden}\n"
    )
    permissive = policies("permit(principal, action, resource);")
    with pytest.raises(PolicyError, match=r"cases\.yaml:2: principal: write Account::NAME"):
        run_table(permissive, read_table(table))


def test_actions_are_those_of_the_schema() -> None:
    schema = engine.policy_schema()
    for action in engine.policy_actions().values():
        assert f'"{action.name}"' in schema


def test_organisations_in_the_configuration_are_refused_by_their_line(tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as refusal:
        Policy.model_validate({"path": "policy", "organisations": {"acme": ["alice"]}})
    file = tmp_path / "ringfence.yaml"
    file.write_text("path: policy\norganisations:\n  acme: [alice]\n")
    (line,) = lines(read_document(file), refusal.value, Policy)
    assert line.startswith(f"{file}:2: organisations: is not taken any more")
    assert "ringfence principal create" in line


def test_a_request_says_who_stands_above_its_principal() -> None:
    made = policies('permit(principal in Organisation::"acme", action, resource);')
    inside = complete({"operation": "order.cancel", "above": ["Organisation::acme"]})
    assert made.decide(inside).permitted
    assert not made.decide(complete({"operation": "order.cancel"})).permitted
    with pytest.raises(EngineError, match=r"above: write Account::NAME or Organisation::NAME"):
        made.decide(complete({"operation": "order.cancel", "above": ["acme"]}))
