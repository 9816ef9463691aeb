"""`ringfence ledger prove`: the receipt of one entry, which proves it without the ledger."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ringfence import engine
from ringfence.cli.ledger_folder import locate
from ringfence.cli.say import JsonOption, say_json
from ringfence.errors import FileError, LedgerError

__all__ = ["prove"]


def prove(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A ledger's folder, or a state folder.")
    ],
    what: Annotated[
        str, typer.Argument(metavar="INDEX|MESSAGE", help="An entry's index, or a message id.")
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The file to write, a .tlog-proof.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the receipt (C2SP tlog-proof) of an entry; of a message, that of its decision.

    What the ledger has since it was last published is published first when the entry needs it.
    """
    folder = locate(directory).directory
    index, others = find(folder, what)
    receipt = engine.prove_entry(folder, index)
    if out is None and not as_json:
        sys.stdout.buffer.write(receipt)
        sys.stdout.flush()
    elif out is not None:
        write(out, receipt)
    if as_json:
        text = receipt.decode()
        say_json({"index": index, "receipt": text, "others": others})
    for other in others:
        print(f"entry {other} is about the same message", file=sys.stderr)


def find(folder: Path, what: str) -> tuple[int, list[int]]:
    """Return the index meant, and those of other entries about the same message."""
    if what.isdecimal():
        return int(what), []
    found = engine.find_message(folder, what)
    if not found:
        raise LedgerError(
            f"no entry is about the message {what}",
            code="ledger_message",
            hint="message ids stand at the end of the lines of `ringfence ledger tail`",
        )
    return found[0], found[1:]


def write(out: Path, receipt: bytes) -> None:
    """Write a new file; a receipt that exists may be somebody's evidence."""
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(receipt)
    except OSError as e:
        raise FileError(f"cannot write {out}: {e.strerror}") from e
