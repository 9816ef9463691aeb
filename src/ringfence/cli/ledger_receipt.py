"""`ringfence ledger verify-receipt`: check a receipt offline, with the log's public key alone."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from ringfence import engine
from ringfence.cli.say import JsonOption, pairs, say_json
from ringfence.errors import FileError, LedgerError

__all__ = ["verify_receipt"]


def verify_receipt(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The receipt.")],
    vkey: Annotated[str | None, typer.Option(help="The log's verifier key.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Or a policy with logs and quorum.")] = None,
    entry: Annotated[
        Path | None, typer.Option(help="The entry it must prove; else the one in the receipt.")
    ] = None,
    disclosed: Annotated[
        Path | None, typer.Option(help="What `ringfence ledger disclose` printed of its address.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that a receipt (C2SP tlog-proof) proves its entry. Reads no ledger and no network."""
    if (vkey is None) == (policy is None):
        raise typer.BadParameter("give either --vkey or --policy")
    rules = None if policy is None else read(policy)
    logged = None if entry is None else read(entry)
    proven = engine.verify_receipt(read(file), vkey, rules, logged)
    text = proven.entry.decode("utf-8", "backslashreplace")
    address = None if disclosed is None else checked(proven.entry, read(disclosed))
    if as_json:
        say_json(
            {
                "index": proven.index,
                "origin": proven.origin,
                "size": proven.size,
                "root": proven.root,
                "entry": text,
                "address": address,
            }
        )
        return
    if not text.isprintable():
        raise LedgerError("the entry is proven, but it is no text", hint="read it with --json")
    pairs(
        [
            ("proven", f"entry {proven.index} of {proven.size}"),
            ("ledger", proven.origin),
            ("root", proven.root),
            ("entry", text),
            *([("address", address)] if address is not None else []),
        ]
    )


def checked(entry: bytes, disclosed: bytes) -> str:
    """Return the address that `entry` is committed to, as a line of personal data gives it.

    Raises:
        LedgerError: the line is none, or does not fit the entry.
    """
    try:
        row = json.loads(disclosed)
        lines = ("ringfence personal data v1", row["field"], row["salt"], row["value"])
        digest = hashlib.sha256("\n".join(lines).encode()).digest()
        made = "sha256:" + base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if made == json.loads(entry)[row["field"]]:
            return str(row["value"])
    except (ValueError, TypeError, KeyError):
        pass
    said = "what was disclosed does not fit the entry"
    hint = "it must be what `ringfence ledger disclose` printed of this very entry"
    raise LedgerError(said, hint=hint, code="ledger_personal")


def read(file: Path) -> bytes:
    """Return a file's content."""
    try:
        return file.read_bytes()
    except OSError as e:
        raise FileError(f"{file} cannot be read: {e.strerror}") from e
