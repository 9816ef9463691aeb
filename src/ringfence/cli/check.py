"""`ringfence check`: tell whether a configuration is good, without opening a socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ringfence import config
from ringfence.cli.say import JsonOption, say_json
from ringfence.cli.unlock import unlock
from ringfence.config.folder import Folder
from ringfence.config.limits import effective
from ringfence.errors import ConfigError

__all__ = ["check"]


@contextmanager
def checked(loaded: config.Loaded) -> Iterator[dict[str, str]]:
    """Yield where sealed keys can be read; a folder without a seal needs no opening."""
    from ringfence.identity.opened import opened_state
    from ringfence.identity.seal.folder import seal_path

    if not seal_path(Folder(loaded.folder)).exists():
        yield {}
        return
    with opened_state(loaded, unlock(loaded)) as state:
        yield state.files


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A ringfence.yaml.")],
    limits: Annotated[
        bool, typer.Option("--limits", help="Show what limits each operation.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a configuration; every mistake is named by file, line and field."""
    problems: list[str] = []
    shown: dict[str, dict[str, str]] = {}
    try:
        loaded = config.load(file)
        with checked(loaded) as files:
            config.check(loaded, files)
        if limits:
            shown = effective(loaded.config.budget.limits)
    except ConfigError as e:
        if not as_json:
            raise
        problems = e.problems
    if as_json:
        more = {"limits": shown} if limits else {}
        say_json({"file": str(file), "valid": not problems, "problems": problems, **more})
    else:
        print(f"{file} is good")
        for operation, bounds in shown.items():
            print(operation)
            for name, bound in bounds.items():
                print(f"  {name}: {bound}")
    if problems:
        raise typer.Exit(1)
