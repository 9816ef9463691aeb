"""What stands before every command: what opens a sealed folder, and a gateway elsewhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ringfence.cli.elsewhere import Named, name
from ringfence.cli.vault_passkey import opened_on_page
from ringfence.errors import SealError

if TYPE_CHECKING:
    from ringfence.config import Loaded
    from ringfence.identity.seal.unlock import Unlock

__all__ = ["options", "unlock"]


NAMED: list[Path | int | bool | None] = [None, None, False]
"""File, descriptor, and whether people are asked for the recovery passphrase; written once, before
the command runs."""


def options(
    context: typer.Context,
    unlock_file: Annotated[
        Path | None, typer.Option(help="A file with the passphrase, PIN or token of the seal.")
    ] = None,
    unlock_fd: Annotated[
        int | None, typer.Option(min=0, help="A descriptor to read it from instead.")
    ] = None,
    unlock_recovery: Annotated[
        bool,
        typer.Option("--unlock-recovery", help="Ask for the passphrase, not for a passkey."),
    ] = False,
    gateway: Annotated[
        str | None, typer.Option(help="Ask a gateway elsewhere: https://HOST:PORT.")
    ] = None,
    key_id: Annotated[str | None, typer.Option(help="The operator's key there.")] = None,
    key_file: Annotated[Path | None, typer.Option(help="Its private half.")] = None,
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of roots to trust instead of the system's.")
    ] = None,
) -> None:
    """A gateway that authenticates, limits, checks and records every trading message."""
    NAMED[:] = [unlock_file, unlock_fd, unlock_recovery]
    name(Named(gateway, key_id, key_file, ca), context.invoked_subcommand)


def unlock(loaded: Loaded | None = None) -> Unlock:
    """Return what the command line names; a passkey's page is where `loaded` has its pages.

    Raises:
        SealError: it names two.
    """
    from ringfence.identity.seal.unlock import Unlock

    file, descriptor, recovery = NAMED
    if file is not None and descriptor is not None:
        raise SealError("--unlock-file and --unlock-fd are two places", hint="name one")
    made = Unlock(
        file if isinstance(file, Path) else None,
        descriptor if isinstance(descriptor, int) else None,
    )
    if loaded is not None and not recovery:
        made.page = partial(opened_on_page, loaded)
    return made
