"""`ringfence ledger vkey`: the public key that verifies a gateway's ledger."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ringfence import config, engine
from ringfence.cli.say import JsonOption, say_json

__all__ = ["vkey"]


def vkey(
    state: Annotated[Path, typer.Argument(metavar="STATE", help="The state folder.")] = Path(),
    volume: Annotated[
        str | None, typer.Option(metavar="MONTH", help="The key under one volume's own name.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the verifier key of a gateway's ledger. Keep it where the gateway's owner cannot.

    It is enough for all volumes, which one key signs. Others' tools want a volume's own name.
    """
    if volume is not None and re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", volume) is None:
        raise typer.BadParameter("a volume is named by its month: 2026-11", param_hint="--volume")
    loaded = config.load(state / "ringfence.yaml")
    key = Path(loaded.path(loaded.config.ledger.key))
    origin = loaded.config.ledger.origin
    text = engine.ledger_vkey(key, origin if volume is None else f"{origin}/{volume}")
    say_json({"vkey": text}) if as_json else print(text)
