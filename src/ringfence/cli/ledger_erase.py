"""`ringfence ledger erase` and `disclose`: the personal data that entries are committed to."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ringfence import engine
from ringfence.cli.ledger_folder import locate
from ringfence.cli.ledger_hold import StateArgument, WhyOption, volumes
from ringfence.cli.ledger_query import LedgerArgument
from ringfence.cli.say import JsonOption, pairs, say_json
from ringfence.errors import LedgerError
from ringfence.ledger.personal import disclosed

__all__ = ["disclose", "erase"]


def erase(
    state: StateArgument,
    address: Annotated[str, typer.Option("--address", help="A client's address.")],
    why: WhyOption,
    until: Annotated[
        str | None, typer.Option("--until", metavar="MONTH", help="The last month; else all.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a client's address, for good. The entries stay, and all that proves them.

    The ledger says of which volumes, who asked and why; it does not say the address.
    """
    if not yes:
        typer.confirm(f"Erase {address} for good?", abort=True)
    with volumes(state) as service:
        erased = service.erase(address, until, why)
    if as_json:
        say_json({"erased": erased})
        return
    print(f"erased from {', '.join(one['volume'] for one in erased)}; entries show `erased`")


def disclose(
    directory: LedgerArgument,
    index: Annotated[int, typer.Argument(metavar="INDEX", min=0, help="The entry.")],
    as_json: JsonOption = False,
) -> None:
    """Show what an entry's address is committed to: commitment, field, salt, value.

    The holder of a receipt checks the address with it: save what --json prints, and give that to
    `ringfence ledger verify-receipt --disclosed FILE`.
    """
    folder = locate(directory).directory
    entries = engine.LedgerReader(folder, index).read(1)
    address = json.loads(entries[0][1]).get("address") if entries else None
    if not entries or entries[0][0] != index or not str(address).startswith("sha256:"):
        hint = "`ringfence ledger show` shows it"
        raise LedgerError(f"entry {index} holds no commitment", hint=hint, code="ledger_personal")
    row = disclosed(folder, str(address))
    say_json(row) if as_json else pairs(row.items())
