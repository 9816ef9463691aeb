"""`ringfence ledger tail`: the last entries, and those to come."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ringfence import engine, ledger
from ringfence.cli.ledger_folder import locate
from ringfence.cli.say import JsonOption, say_json
from ringfence.ledger.personal import Personal
from ringfence.ledger.shard import ShardEntries

__all__ = ["tail"]

POLL_SECONDS = 0.2
BATCH = 1_000


def tail(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A ledger's folder, or a state folder.")
    ] = Path(),
    count: Annotated[int, typer.Option("-n", min=0, help="Entries to begin with.")] = 20,
    shard: Annotated[int | None, typer.Option(min=0, help="Of this shard only.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Wait for more.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the last entries: time, outcome, operation, code, account and key, message."""
    folder = locate(directory).directory
    # The newest checkpoint is at most a second behind; what it covers but `count` is skipped. How
    # far back the last of a shard are, nobody knows.
    start = max(0, ledger.signed_size(folder) - count) if shard is None else 0
    reader, personal = engine.LedgerReader(folder, start), Personal(folder)
    only = (lambda read: read) if shard is None else ShardEntries(shard).of
    last: deque[tuple[int, bytes]] = deque(maxlen=count)
    while entries := reader.read(BATCH):
        last.extend(only(entries))
    console = Console(soft_wrap=True, markup=False, highlight=False)
    for index, content in last:
        show(console, index, personal.resolved(json.loads(content)), as_json)
    while follow:
        entries = reader.read(BATCH)
        for index, content in only(entries):
            show(console, index, personal.resolved(json.loads(content)), as_json)
        if not entries:
            sys.stdout.flush()
            time.sleep(POLL_SECONDS)


def show(console: Console, index: int, entry: dict[str, Any], as_json: bool) -> None:
    """Print one entry as a line."""
    if as_json:
        say_json({"index": index, "entry": entry})
        return
    line = Text()
    for text, style in ledger.parts(index, entry):
        line.append(f"{text} " if text else "", style)
    line.rstrip()
    console.print(line)
