"""`ringfence witness init`: lay a witness's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.say import JsonOption, pairs, say_json

__all__ = ["init"]


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to lay.")],
    name: Annotated[str, typer.Option(help="The witness's name, such as witness.example.com/w1.")],
    log: Annotated[list[str], typer.Option(help="A log's verifier key; may be repeated.")],
    as_json: JsonOption = False,
) -> None:
    """Lay a witness with a fresh key. Its name and key are what policies refer to."""
    from ringfence.witness import Folder

    vkey = Folder.lay(folder, name, log).cosigner().vkey
    if as_json:
        say_json({"folder": str(folder), "name": name, "vkey": vkey, "logs": log})
        return
    pairs([("witness", name), ("vkey", vkey), ("logs", folder / "logs")])
    print(f"\nNext: ringfence witness serve {folder}")
