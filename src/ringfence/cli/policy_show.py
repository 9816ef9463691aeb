"""`ringfence policy show`: the policies, or the words that they can use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringfence import config, engine
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json, table
from ringfence.config.policy import definition
from ringfence.errors import ConfigError, EngineError, PolicyError

__all__ = ["PathOption", "compiled", "policies_of", "show"]

PathOption = Annotated[
    str | None,
    typer.Option(
        "--policies", metavar="PATH", help="Policies outside of a state folder: a file or folder."
    ),
]


def policies_of(path: str | None, file: Path) -> engine.PolicySet:
    """Return the policies at `path`, or those of the configuration `file`.

    Raises:
        FileError, ConfigError: a file cannot be read, or a policy is wrong: each with its place.
        PolicyError: the configuration has none.
    """
    try:
        return compiled(path, file)
    except EngineError as e:
        hint = "`ringfence policy show --schema` has the words"
        raise ConfigError(str(e).splitlines(), hint=hint) from e


def compiled(path: str | None, file: Path) -> engine.PolicySet:
    """Return the same.

    Raises:
        EngineError: a policy is wrong; a line for each problem.
        FileError, ConfigError, PolicyError: as `policies_of`.
    """
    if path is not None:
        return engine.PolicySet(definition(Path(), path))
    said = config.load(file).policies()
    if said is None:
        raise PolicyError(f"{file} has no section `policy`", hint="name policies with --policies")
    return engine.PolicySet(said)


def show(
    path: PathOption = None,
    file: ConfigOption = DEFAULT_CONFIG,
    schema: Annotated[
        bool, typer.Option("--schema", help="Show the schema in Cedar's own form.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the policies: effect, operations, place."""
    if schema:
        text = engine.policy_schema()
        say_json({"schema": text}) if as_json else print(text, end="")
        return
    policies = policies_of(path, file)
    if as_json:
        rows = [
            {
                "id": p.id,
                "effect": p.effect,
                "title": p.title,
                "operations": p.actions,
                "file": p.file,
                "line": p.line,
                "text": p.text,
            }
            for p in policies.policies
        ]
        say_json({"policies": rows})
        return
    every = len(engine.policy_actions())
    heads = ["id", "effect", "operations", "title", "place"]
    cells = [
        [
            p.id,
            p.effect,
            "all" if len(p.actions) == every else p.actions,
            p.title,
            f"{p.file}:{p.line}",
        ]
        for p in policies.policies
    ]
    table(heads, cells)
