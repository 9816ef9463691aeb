"""`ringfence policy prove`: prove a property of scopes and policies, or refute it by a request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from ringfence import config
from ringfence.cli.policy_show import PathOption, policies_of
from ringfence.cli.say import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    pairs,
    say_json,
    table,
)
from ringfence.errors import PropertyError
from ringfence.policy import read_property, shipped_properties

__all__ = ["prove"]


def prove(
    wanted: Annotated[
        str | None,
        typer.Argument(metavar="PROPERTY", help="A shipped property's name, or a YAML file."),
    ] = None,
    path: PathOption = None,
    file: ConfigOption = DEFAULT_CONFIG,
    listed: Annotated[bool, typer.Option("--list", help="List the shipped properties.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove a property of every request that there can be. Exit code 1: it does not hold."""
    if listed or wanted is None:
        shipped = shipped_properties().values()
        if as_json:
            say_json([{"name": p.name, "title": p.title} for p in shipped])
        else:
            table(["name", "property"], [[p.name, p.title] for p in shipped])
        return
    try:
        from ringfence.policy.prove import prove as proof_of
    except ImportError as e:
        hint = "pip install 'ringfence[prove]'"
        raise PropertyError("the solver z3 is not installed", hint=hint) from e
    if path is None and config.load(file).config.controls.authority != "enforce":
        hint = "say controls.authority: enforce, or name the policies with --policies"
        raise PropertyError("the control authority only observes: it refuses nothing", hint=hint)
    proof = proof_of(policies_of(path, file), read_property(wanted))
    said = {"property": proof.property.title, "proved": proof.counterexample is None}
    if as_json:
        by = proof.answer.policies if proof.answer else []
        say_json({**said, "counterexample": proof.counterexample, "permitted_by": by})
    elif proof.counterexample is None:
        print(f"proved: {proof.property.title}")
    else:
        print(f"does not hold: {proof.property.title}")
        print("The engine permits this request:")
        by = proof.answer.policies if proof.answer else []
        pairs([*rows(proof.counterexample), ("permitted by", by)])
    if proof.counterexample is not None:
        raise typer.Exit(1)


def rows(question: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return a request for people; its time as one."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=question["time_us"])
    shown = {**question, "time": moment.isoformat(), "scopes": question["scopes"] or "none"}
    del shown["time_us"]
    return [(name, value) for name, value in shown.items() if value not in (None, [])]
