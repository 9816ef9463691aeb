"""`ringfence witness vkey`: the public key that verifies a witness's cosignatures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.say import JsonOption, say_json

__all__ = ["vkey"]


def vkey(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The witness's folder.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show a witness's verifier key, for the line `witness NAME VKEY URL` of a policy."""
    from ringfence.witness import Folder

    text = Folder(folder).cosigner().vkey
    say_json({"vkey": text}) if as_json else print(text)
