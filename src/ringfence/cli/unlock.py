"""What opens a sealed state folder, for every command: `ringfence --unlock-fd 3 serve …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ringfence.errors import SealError

if TYPE_CHECKING:
    from ringfence.identity.seal.unlock import Unlock

__all__ = ["options", "unlock"]


NAMED: list[Path | int | None] = [None, None]
"""File and descriptor of this command line; written once, before the command runs."""


def options(
    unlock_file: Annotated[
        Path | None, typer.Option(help="A file with the passphrase, PIN or token of the seal.")
    ] = None,
    unlock_fd: Annotated[
        int | None, typer.Option(min=0, help="A descriptor to read it from instead.")
    ] = None,
) -> None:
    """A gateway that authenticates, limits, checks and records every trading message."""
    NAMED[:] = [unlock_file, unlock_fd]


def unlock() -> Unlock:
    """Return what the command line names.

    Raises:
        SealError: it names two.
    """
    from ringfence.identity.seal.unlock import Unlock

    file, descriptor = NAMED
    if file is not None and descriptor is not None:
        raise SealError("--unlock-file and --unlock-fd are two places", hint="name one")
    named = file if isinstance(file, Path) else None
    return Unlock(named, descriptor if isinstance(descriptor, int) else None)
