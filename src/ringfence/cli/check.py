"""`ringfence check`: tell whether a configuration is good, without opening a socket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringfence import config
from ringfence.cli.say import JsonOption, say_json
from ringfence.errors import ConfigError

__all__ = ["check"]


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A ringfence.yaml.")],
    as_json: JsonOption = False,
) -> None:
    """Check a configuration; every mistake is named by file, line and field."""
    problems: list[str] = []
    try:
        config.check(config.load(file))
    except ConfigError as e:
        if not as_json:
            raise
        problems = e.problems
    if as_json:
        say_json({"file": str(file), "valid": not problems, "problems": problems})
    else:
        print(f"{file} is good")
    if problems:
        raise typer.Exit(1)
