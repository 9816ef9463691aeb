"""`ringfence ledger vkey`: the public key that verifies a gateway's ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringfence import config, engine
from ringfence.cli.say import JsonOption, say_json

__all__ = ["vkey"]


def vkey(
    state: Annotated[Path, typer.Argument(metavar="STATE", help="The state folder.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show the verifier key of a gateway's ledger. Keep it where the gateway's owner cannot."""
    loaded = config.load(state / "ringfence.yaml")
    key = Path(loaded.path(loaded.config.ledger.key))
    text = engine.ledger_vkey(key, loaded.config.ledger.origin)
    say_json({"vkey": text}) if as_json else print(text)
