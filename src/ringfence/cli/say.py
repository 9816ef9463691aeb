"""How commands speak: JSON for programs (--json), short lines for people."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

__all__ = [
    "DEFAULT_CONFIG",
    "ConfigOption",
    "JsonOption",
    "pairs",
    "say_json",
    "styled",
    "table",
    "warn",
]

DEFAULT_CONFIG = Path("ringfence.yaml")
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
ConfigOption = Annotated[
    Path, typer.Option("-c", "--config", help="The configuration in the state folder.")
]


def say_json(answer: Any) -> None:
    """Print `answer` as one line of JSON, at once: a program may wait for it."""
    print(json.dumps(answer, ensure_ascii=False), flush=True)


COLOURS = {
    "active": "32",
    "pre-active": "36",
    "suspended": "33",
    "deactivated": "2",
    "closed": "2",
    "destroyed": "2",
    "compromised": "31",
}
"""How states look on a terminal (ECMA-48 SGR)."""


def styled(state: str) -> str:
    """Return a state in its colour, where a person reads it on a terminal and wants colours."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or state not in COLOURS:
        return state
    return f"\x1b[{COLOURS[state]}m{state}\x1b[0m"


def warn(what: str) -> None:
    """Tell on stderr what deserves attention, though nothing failed."""
    print(f"warning: {what}", file=sys.stderr)


def pairs(rows: Iterable[tuple[str, Any]]) -> None:
    """Print names and values below each other."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        print(f"{name:<{width}}  {text(value)}")


def table(heads: list[str], rows: Iterable[list[Any]]) -> None:
    """Print a table. Cells are never cut when the output is not a terminal."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        made.add_column(head, overflow="fold")
    for row in rows:
        made.add_row(*(text(cell) for cell in row))
    width = None if sys.stdout.isatty() else 4_096
    Console(width=width, markup=False, highlight=False, soft_wrap=True).print(made)


def text(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value)
    if isinstance(value, dict):
        return " ".join(f"{name}={text(inner)}" for name, inner in value.items()) or "-"
    return str(value)
