"""`ringfence witness contradictions`: what the watched logs contradicted themselves by."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence.cli.say import JsonOption, say_json, table

if TYPE_CHECKING:
    from ringfence.witness.state import Contradiction

__all__ = ["contradictions"]

HEADS = ["log", "entries", "seen at", "what it is"]


def contradictions(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The witness's folder.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show checkpoints that were not shown to continue what was cosigned; exit code 1 if any.

    With --json both checkpoints: anybody can verify them by the log's key. Two of one size with
    different roots prove a fork; of others, ask the log to prove that one continues the other.
    """
    from ringfence.witness import Folder, State

    with State(Folder(folder).state_file).turn() as turn:
        found = turn.contradictions()
    if as_json:
        say_json([record(one) for one in found])
    elif found:
        table(HEADS, [list(record(one).values())[:4] for one in found])
    else:
        print("no log contradicted itself")
    if found:
        raise typer.Exit(1)


def record(one: Contradiction) -> dict[str, Any]:
    """Return it for JSON."""
    return {
        "log": one.origin,
        "entries": one.size,
        "seen_at": datetime.fromtimestamp(one.seen_s, UTC).isoformat(),
        "what": "a fork" if one.forked else "not shown to continue",
        "note": one.note.decode(),
        "cosigned": one.cosigned.decode(),
    }
