"""`ringfence key`: credentials. Talks to the running gateway, or to the store when none runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence.cli.attach import attached

if TYPE_CHECKING:
    from ringfence.api import Keys

__all__ = ["KeyArgument", "WhyOption", "keys", "moment", "rows"]

WhyOption = Annotated[str, typer.Option("--why", help="The reason; it goes into the ledger.")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The credential's id.")]


@contextmanager
def keys(config: Path) -> Iterator[Keys]:
    """Yield the running gateway's keys, or the store's while no gateway can start.

    Raises:
        FileError: there is no such configuration.
        RunningError: the state folder stays held by somebody who does not answer.
    """
    from ringfence.api import Asked, KeyService
    from ringfence.identity import Store, open_master

    with attached(config) as (folder, gateway, who):
        if gateway is not None:
            yield gateway
        else:
            yield Asked(KeyService(Store(folder.store), open_master(folder)), who)


def rows(key: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return a credential as names and values for people."""
    shown = [(name, key[name]) for name in ("key_id", "account", "algorithm", "scopes", "allow")]
    if key["requires"]:
        shown.append(("requires", key["requires"]))
    shown += [("state", key["state"]), ("created", moment(key["created_us"]))]
    return [*shown, ("expires", moment(key["expires_us"]))]


def moment(time_us: int | None) -> str | None:
    """Return a time as people read it, UTC."""
    if time_us is None:
        return None
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
