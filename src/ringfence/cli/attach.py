"""Whom a command talks to: the running gateway, or the state folder while no gateway can start."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ringfence.cli.elsewhere import elsewhere
from ringfence.config.folder import Folder
from ringfence.errors import FileError, RunningError

if TYPE_CHECKING:
    from ringfence.api import Client

__all__ = ["attached", "running"]

WAIT_SECONDS = 5.0
POLL_SECONDS = 0.05


@contextmanager
def attached(config: Path) -> Iterator[tuple[Folder, Client | None, str]]:
    """Yield the state folder, the gateway that runs in it (None: it is held), and who asks.

    A gateway elsewhere that the command line names stands for the one in the folder.

    Waits a while for a gateway that starts, or for another command.

    Raises:
        FileError: there is no such configuration.
        RunningError: the folder stays held by somebody who does not answer.
    """
    from ringfence.api import Client, runs
    from ringfence.api.person import person

    if (named := elsewhere()) is not None:
        yield Folder(config.parent), Client(named), person(os.getuid())
        return
    if not config.is_file():
        hint = "name the state folder's configuration: -c DIR/ringfence.yaml"
        raise FileError(f"there is no configuration {config}", hint=hint)
    folder, until = Folder(config.resolve().parent), time.monotonic() + WAIT_SECONDS
    with ExitStack() as stack:
        while not runs(folder.socket):
            try:
                stack.enter_context(folder.held())
            except RunningError:
                if time.monotonic() > until:
                    raise
                time.sleep(POLL_SECONDS)
                continue
            yield folder, None, person(os.getuid())
            return
        yield folder, Client(folder.socket), person(os.getuid())


def running(config: Path) -> Client:
    """Return the gateway that runs in a folder, or the one elsewhere that the command line names.

    Raises:
        RunningError: none runs in the folder.
    """
    from ringfence.api import Client, runs

    if (named := elsewhere()) is not None:
        return Client(named)
    folder = Folder(config.resolve().parent)
    if not runs(folder.socket):
        hint = f"start it: ringfence serve -c {config}"
        raise RunningError(f"no gateway runs in {folder.path}", hint=hint, code="gateway_down")
    return Client(folder.socket)
