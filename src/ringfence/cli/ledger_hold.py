"""`ringfence ledger hold`: volumes that must stay, however old they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ringfence import config as configuration
from ringfence import engine
from ringfence.cli.attach import attached
from ringfence.cli.key import moment
from ringfence.cli.say import JsonOption, say_json, table
from ringfence.cli.stopped import judge
from ringfence.cli.unlock import unlock

if TYPE_CHECKING:
    from ringfence.api import Volumes

__all__ = ["lift", "list_holds", "place"]

StateArgument = Annotated[Path, typer.Argument(metavar="STATE", help="The state folder.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The hold, such as case-17.")]
WhyOption = Annotated[str, typer.Option("--why", help="The reason; it goes into the ledger.")]


@contextmanager
def volumes(state: Path) -> Iterator[Volumes]:
    """Yield the running gateway's volumes, or the state folder's while no gateway can start."""
    from ringfence.api import AskedVolumes, VolumeService
    from ringfence.identity.opened import opened_state

    loaded = configuration.load(state / "ringfence.yaml")
    with attached(state / "ringfence.yaml") as (_folder, gateway, who):
        if gateway is not None:
            yield gateway
            return
        with opened_state(loaded, unlock(loaded)) as opened:
            alone = engine.Engine(opened.snapshot()).event_alone
            service = VolumeService(loaded, alone)
            yield AskedVolumes(service, who, judge(loaded, opened.master))


def place(
    state: StateArgument,
    name: NameArgument,
    why: WhyOption,
    since: Annotated[
        str | None, typer.Option("--from", metavar="MONTH", help="The first month; else all.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="MONTH", help="The last month; else all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold volumes: they, and all newer ones, stay until the hold is lifted."""
    with volumes(state) as service:
        placed = service.hold(name, since, until, why)
    say_json(placed) if as_json else print(f"hold {name} is in force")


def list_holds(state: StateArgument = Path(), as_json: JsonOption = False) -> None:
    """Show the holds in force."""
    with volumes(state) as service:
        holds = service.holds()
    if as_json:
        say_json(holds)
        return
    rows = [
        [one["name"], one["since"], one["until"], one["who"], moment(one["placed_us"]), one["why"]]
        for one in holds
    ]
    table(["hold", "from", "to", "placed by", "at", "why"], rows)


def lift(
    state: StateArgument, name: NameArgument, why: WhyOption, as_json: JsonOption = False
) -> None:
    """Lift a hold."""
    with volumes(state) as service:
        lifted = service.lift(name, why)
    say_json(lifted) if as_json else print(f"hold {name} is lifted")
