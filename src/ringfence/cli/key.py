"""`ringfence key`: credentials. Talks to the running gateway, or to the store when none runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence.config.folder import Folder
from ringfence.errors import FileError, RunningError

if TYPE_CHECKING:
    from ringfence.api import Keys

__all__ = ["KeyArgument", "WhyOption", "keys", "moment", "rows"]

WAIT_SECONDS = 5.0
POLL_SECONDS = 0.05
WhyOption = Annotated[str, typer.Option("--why", help="The reason; it goes into the ledger.")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The credential's id.")]


@contextmanager
def keys(config: Path) -> Iterator[Keys]:
    """Yield the running gateway's keys, or the store's while no gateway can start.

    Raises:
        FileError: there is no such configuration.
        RunningError: the state folder stays held by somebody who does not answer.
    """
    if not config.is_file():
        hint = "name the state folder's configuration: -c DIR/ringfence.yaml"
        raise FileError(f"there is no configuration {config}", hint=hint)
    with ExitStack() as stack:
        yield attach(Folder(config.resolve().parent), stack)


def attach(folder: Folder, stack: ExitStack) -> Keys:
    """Return whom to talk to; wait a while for a gateway that starts, or for another command.

    Raises:
        RunningError: the folder stays held by somebody who does not answer.
    """
    from ringfence.api import Asked, Client, KeyService, runs
    from ringfence.api.person import person
    from ringfence.identity import MasterKey, Store

    until = time.monotonic() + WAIT_SECONDS
    while not runs(folder.socket):
        try:
            stack.enter_context(folder.held())
        except RunningError:
            if time.monotonic() > until:
                raise
            time.sleep(POLL_SECONDS)
            continue
        service = KeyService(Store(folder.store), MasterKey.read(folder.master_key))
        return Asked(service, person(os.getuid()))
    return Client(folder.socket)


def rows(key: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return a credential as names and values for people."""
    shown = [(name, key[name]) for name in ("key_id", "account", "algorithm", "scopes", "allow")]
    shown += [("state", key["state"]), ("created", moment(key["created_us"]))]
    return [*shown, ("expires", moment(key["expires_us"]))]


def moment(time_us: int | None) -> str | None:
    """Return a time as people read it, UTC."""
    if time_us is None:
        return None
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
