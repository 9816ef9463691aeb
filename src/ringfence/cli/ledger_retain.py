"""`ringfence ledger retain`: how long volumes are kept, and dropping those whose time is over."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ringfence import config as configuration
from ringfence import engine
from ringfence.cli.ledger_hold import volumes
from ringfence.cli.say import JsonOption, say_json, table
from ringfence.config.folder import Folder
from ringfence.errors import LedgerError
from ringfence.ledger.hold import read_holds
from ringfence.ledger.retention import Kept, droppable, survey

__all__ = ["retain"]

HEADS = ["volume", "trade entries", "security entries", "MB", "kept until", "held by", "now"]


def retain(
    state: Annotated[Path, typer.Argument(metavar="STATE", help="The state folder.")] = Path(),
    drop: Annotated[bool, typer.Option("--drop", help="Drop the volumes that may go.")] = False,
    why: Annotated[str, typer.Option("--why", help="The reason; it goes into the ledger.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how long each volume must be kept, by what it holds.

    With --drop, the oldest volumes whose time is over go, for good. Each is verified before, and
    the ledger says that it went.
    """
    from ringfence.api.volumes import periods

    loaded = configuration.load(state / "ringfence.yaml")
    ledger = Path(loaded.path(loaded.config.ledger.directory))
    today = datetime.now(UTC).date()
    kept = survey(ledger, periods(loaded), read_holds(Folder(loaded.folder).holds))
    going = droppable(kept, today)
    if not as_json:
        table(HEADS, [row(one, one in going, one is kept[-1]) for one in kept])
    if not drop:
        if as_json:
            volumes = [{**one.record(), "may_go": one in going} for one in kept]
            say_json({"volumes": volumes})
        return
    if not why.strip():
        raise LedgerError("say why volumes go", hint='--why "five years are over"', code=CODE)
    if going and not yes:
        entries = sum(one.trade + one.security for one in going)
        typer.confirm(f"Drop {len(going)} volumes with {entries} entries for good?", abort=True)
    dropped = go(state, loaded, going, why)
    if as_json:
        say_json({"dropped": dropped})
    else:
        print(f"dropped {', '.join(dropped)}" if dropped else "nothing may go")


CODE = "ledger_retention"


def row(one: Kept, goes: bool, newest: bool) -> list[object]:
    """Return a volume as a row for people."""
    now = "may go" if goes else "is written" if newest else "stays"
    size = f"{one.size_bytes / 1e6:.1f}"
    return [one.month, one.trade, one.security, size, one.until, one.holds, now]


def go(state: Path, loaded: configuration.Loaded, going: list[Kept], why: str) -> list[str]:
    """Verify the whole ledger, then drop volume by volume; return the months that went.

    Raises:
        LedgerError: the ledger is not as it was written, or a volume must be kept after all.
    """
    section = loaded.config.ledger
    vkey = engine.ledger_vkey(Path(loaded.path(section.key)), section.origin)
    report = engine.verify_ledger(Path(loaded.path(section.directory)), vkey)
    if report.fault is not None:
        said = f"the ledger is damaged, so nothing goes: {report.fault['sentence']}"
        raise LedgerError(said, hint="see `ringfence ledger verify`", code=CODE)
    with volumes(state) as service:
        return [str(service.drop(one.month, why)["month"]) for one in going]
