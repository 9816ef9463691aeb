"""`ringfence ledger show`: one entry, or all entries of one message, in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ringfence import engine, ledger
from ringfence.cli.ledger_folder import locate
from ringfence.cli.ledger_query import CacheOption, LedgerArgument, load
from ringfence.cli.say import JsonOption, pairs, say_json
from ringfence.errors import LedgerError
from ringfence.ledger.personal import Personal

__all__ = ["show"]


def show(
    directory: LedgerArgument = Path(),
    wanted: Annotated[str, typer.Argument(metavar="INDEX|MESSAGE")] = "0",
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an entry by its index, or what the ledger has of a message by its id."""
    folder = locate(directory).directory
    personal = Personal(folder)
    indexes = [int(wanted)] if wanted.isdecimal() else of_message(directory, wanted, cache)
    for index in indexes:
        entries = engine.LedgerReader(folder, index).read(1)
        if not entries:
            hint = "`ringfence ledger verify` tells how many entries there are"
            raise LedgerError(f"there is no entry {index}", hint=hint, code="ledger_query")
        found, content = entries[0]
        if found != index:
            said = f"entry {index} was dropped with its volume: the oldest is {found}"
            hint = "`ringfence ledger query` finds ledger.dropped: who dropped it, when and why"
            raise LedgerError(said, hint=hint, code="ledger_query")
        entry = personal.resolved(json.loads(content))
        if as_json:
            say_json({"index": index, "entry": entry})
        else:
            print(f"entry {index}")
            pairs((name, ledger.harmless(str(value))) for name, value in flat("", entry))
            print()


def of_message(directory: Path, message: str, cache: Path | None) -> list[int]:
    """Return the indexes of a message's entries.

    Raises:
        LedgerError: there is none.
    """
    from ringfence.ledger.query import ask, opened

    with opened(load(directory, cache, shown=True)) as db:
        sql = "SELECT index FROM entries WHERE message = ? ORDER BY index"
        indexes = [row[0] for row in ask(db, sql, [message]).rows]
    if not indexes:
        hint = "the client's X-Ringfence-Message field has it, and `ringfence ledger tail`"
        raise LedgerError(f"there is no message {message}", hint=hint, code="ledger_query")
    return indexes


def flat(prefix: str, entry: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return an entry's fields with dotted names."""
    rows: list[tuple[str, Any]] = []
    for name, value in entry.items():
        if isinstance(value, dict):
            rows += flat(f"{prefix}{name}.", value)
        else:
            rows.append((f"{prefix}{name}", value))
    return rows
