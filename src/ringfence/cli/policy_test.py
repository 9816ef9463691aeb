"""`ringfence policy test`: hold policies against a table of requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.policy_show import PathOption, policies_of
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json
from ringfence.policy import read_table, run_table

__all__ = ["test"]


def test(
    table: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML table of requests.")],
    path: PathOption = None,
    file: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Ask the engine each request of a table; every one that is not as expected is shown."""
    outcomes = run_table(policies_of(path, file), read_table(table))
    failed = [outcome for outcome in outcomes if outcome.why]
    if as_json:
        rows = [
            {
                "name": o.case.name,
                "line": o.case.line,
                "verdict": o.answer.verdict,
                "policies": o.answer.policies,
                "why": o.why or None,
            }
            for o in outcomes
        ]
        say_json({"cases": rows, "failed": len(failed)})
    else:
        for outcome in failed:
            print(f"{table}:{outcome.case.line}: {outcome.case.name}: {outcome.why}")
        print(f"{len(outcomes) - len(failed)} of {len(outcomes)} cases are as expected")
    if failed:
        raise typer.Exit(1)
