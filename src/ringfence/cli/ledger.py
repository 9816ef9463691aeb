"""`ringfence ledger`: verify it, read it, and show the key that verifies it."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ringfence import engine, ledger
from ringfence.cli.say import JsonOption, pairs, say_json

__all__ = ["app"]

app = typer.Typer(help="Verify and read the ledger.")

POLL_SECONDS = 0.2
BATCH = 1_000
DirectoryArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The ledger's folder.")]


@app.command()
def verify(
    directory: DirectoryArgument,
    vkey: Annotated[
        str | None, typer.Option(help="The verifier key, kept elsewhere since `init`.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute the whole ledger. Exit code 1 when one bit of it is not as it was written."""
    report = engine.verify_ledger(directory, vkey)
    if as_json:
        say_json(asdict(report))
    elif report.fault is None:
        pairs(
            [("entries", report.size), ("root", report.root), ("checkpoints", report.checkpoints)]
        )
        if vkey is None:
            print("No signature was checked: give --vkey to check them.")
    else:
        print(f"ringfence: ledger_invalid: {report.fault['sentence']}", file=sys.stderr)
    if report.fault is not None:
        raise typer.Exit(1)


@app.command()
def tail(
    directory: DirectoryArgument,
    count: Annotated[int, typer.Option("-n", min=0, help="Entries to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Wait for more.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the last entries."""
    at = max(0, ledger.size(directory) - count)
    while True:
        entries = engine.read_ledger(directory, at, BATCH)
        for index, content in entries:
            entry = json.loads(content)
            if as_json:
                say_json({"index": index, "entry": entry})
            else:
                print(ledger.line(index, entry), flush=follow)
        at += len(entries)
        if len(entries) < BATCH and not follow:
            return
        if not entries:
            time.sleep(POLL_SECONDS)


@app.command()
def vkey(
    state: Annotated[Path, typer.Argument(metavar="STATE", help="The state folder.")],
    as_json: JsonOption = False,
) -> None:
    """Show the verifier key of a gateway's ledger. Keep it where the gateway's owner cannot."""
    from ringfence import config

    loaded = config.load(state / "ringfence.yaml")
    key = Path(loaded.path(loaded.config.ledger.key))
    text = engine.ledger_vkey(key, loaded.config.ledger.origin)
    say_json({"vkey": text}) if as_json else print(text)
