"""`ringfence address`: where an account's withdrawals may go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence.cli.attach import attached
from ringfence.cli.key import WhyOption, moment, service_of, tell
from ringfence.cli.say import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    pairs,
    say_json,
    styled,
    table,
)
from ringfence.cli.stopped import judge

if TYPE_CHECKING:
    from ringfence.api import AddressBook

__all__ = ["add", "list_addresses", "remove", "show"]

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The withdrawal address's id.")]
COLUMNS = ("id", "account", "asset", "network", "address", "tag", "max_amount", "label")


@contextmanager
def book(config: Path) -> Iterator[AddressBook]:
    """Yield the running gateway's addresses, or the store's while no gateway can start."""
    from ringfence.api import AddressService, AskedAddresses
    from ringfence.config import load

    with attached(config) as (folder, gateway, who):
        if gateway is not None:
            yield gateway
            return
        keys, loaded = service_of(folder), load(folder.config)
        may = judge(loaded, keys.master)
        lock_s = loaded.config.withdrawals.lock_s
        service = AddressService(keys.addresses, None, lock_s=lock_s)
        yield AskedAddresses(service, who, may, loaded.config.admin.rules())


def add(
    account: Annotated[str, typer.Option(help="Whose withdrawals may go there.")],
    asset: Annotated[str, typer.Option(help="What may go there, as the venue calls it.")],
    address: Annotated[str, typer.Option(help="The address, byte for byte.")],
    config: ConfigOption = DEFAULT_CONFIG,
    network: Annotated[
        str | None, typer.Option(help="The network; left out, a withdrawal must name none.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="The tag or memo, where there is one.")] = None,
    most: Annotated[
        str | None, typer.Option("--max", help="Most that one withdrawal may move.")
    ] = None,
    label: Annotated[str, typer.Option(help="What people call it.")] = "",
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add an address that withdrawals may go to. It takes nothing before its lock is over."""
    from ringfence.identity.address import NewAddress

    wanted = NewAddress(account, asset, address, network, tag, most, label, why)
    with book(config) as service:
        made = service.add_address(wanted)
    if as_json:
        say_json(made)
    else:
        print(f"{made['id']} takes withdrawals of {account} from {moment(made['usable_us'])}")


def list_addresses(
    config: ConfigOption = DEFAULT_CONFIG,
    account: Annotated[str | None, typer.Option(help="Of this account only.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List withdrawal addresses, those that were removed too."""
    with book(config) as service:
        found = service.addresses(account)
    if as_json:
        say_json(found)
        return
    rows = [
        [*(one[c] for c in COLUMNS), styled(one["standing"]), moment(one["usable_us"])]
        for one in found
    ]
    table([*COLUMNS[:6], "at most", "label", "standing", "usable from"], rows)


def show(
    name: IdArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Show one withdrawal address and what became of it."""
    with book(config) as service:
        found = service.address(name)
    if as_json:
        say_json(found)
        return
    pairs(rows_of(found))
    for step in found["history"]:
        tell(step, step["step"], step["approvals"])


def remove(
    name: IdArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Remove a withdrawal address, at once and for good."""
    with book(config) as service:
        gone = service.remove_address(name, why)
    say_json(gone) if as_json else print(f"{gone['id']} takes nothing any more")


def rows_of(one: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return an address as names and values for people."""
    shown = [(name, one[name]) for name in COLUMNS]
    return [
        *shown,
        ("standing", styled(one["standing"])),
        ("usable from", moment(one["usable_us"])),
    ]
