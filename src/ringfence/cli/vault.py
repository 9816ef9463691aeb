"""`ringfence vault`: the keys that sign for a venue. Never shown, never on a command line."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ringfence import config as configuration
from ringfence import engine
from ringfence.cli.attach import attached
from ringfence.cli.key import WhyOption, moment
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json, table
from ringfence.cli.stopped import judge
from ringfence.cli.unlock import unlock
from ringfence.errors import FileError, VaultError

if TYPE_CHECKING:
    from ringfence.api import Vaults

__all__ = ["list_keys", "put", "remove", "vaults"]

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The key, as `egress` names it.")]


@contextmanager
def vaults(config: Path) -> Iterator[Vaults]:
    """Yield the running gateway's vault, or the state folder's while no gateway can start.

    Raises:
        VaultError: this gateway signs for no venue.
    """
    from ringfence.api import AskedVault, VaultService
    from ringfence.config.folder import Folder
    from ringfence.identity import Vault
    from ringfence.identity.opened import opened_state
    from ringfence.identity.seal.folder import floor_of
    from ringfence.identity.seal.standing import Standing

    loaded = configuration.load(config)
    path = loaded.vault()
    if path is None:
        raise VaultError("this gateway signs for no venue", hint="write a section `egress` first")
    with attached(config) as (_folder, gateway, who):
        if gateway is not None:
            yield gateway
            return
        with opened_state(loaded, unlock(loaded)) as state:
            alone = engine.Engine(state.snapshot()).event_alone
            vault = Vault(path, state.master, floor_of(Folder(loaded.folder)))
            standing = Standing.of(loaded, state.master)
            service = VaultService(vault, loaded, alone, standing=standing)
            yield AskedVault(service, who, judge(loaded, state.master))


def put(
    name: NameArgument,
    dialect: Annotated[str, typer.Option(help="The venue's dialect, that of the listener.")],
    key_id: Annotated[str, typer.Option(help="The id that the venue gave the key.")],
    config: ConfigOption = DEFAULT_CONFIG,
    secret_file: Annotated[
        Path | None, typer.Option(help="A file with the secret, or the private key in PEM.")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="A file with the passphrase, where the venue gives one.")
    ] = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Put a venue key into the vault, or another in its place.

    The secret is asked for without echo, or read from standard input or a file.
    """
    from ringfence.api import NewVenueKey

    phrase = None if passphrase_file is None else text(passphrase_file).strip()
    wanted = NewVenueKey(name, dialect, key_id, secret(secret_file), phrase, why)
    with vaults(config) as service:
        done = service.put_venue_key(wanted)
    if as_json:
        say_json(done)
    elif not done["used"]:
        print(f"{name} is in the vault; no account uses it: name it in `egress.accounts`")
    elif done["in_force"]:
        print(f"{name} is in the vault, and in force")
    else:
        print(f"{name} is in the vault; no gateway runs")


def list_keys(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show the venue keys, without what signs."""
    with vaults(config) as service:
        keys = service.venue_keys()
    if as_json:
        say_json(keys)
        return
    rows = [
        [one["name"], one["dialect"], one["key_id"], one["algorithm"], moment(one["added_us"])]
        for one in keys
    ]
    table(["key", "dialect", "id at the venue", "algorithm", "since"], rows)


def remove(
    name: NameArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Remove a venue key. Revoke it at the venue, too: a copy may be elsewhere."""
    with vaults(config) as service:
        done = service.remove_venue_key(name, why)
    if as_json:
        say_json(done)
    else:
        print(f"{name} is no longer in the vault")


def secret(file: Path | None) -> str:
    """Return the secret: from a file, from standard input, or asked for without echo."""
    if file is not None:
        return text(file)
    if sys.stdin.isatty():
        return getpass.getpass("secret (not shown): ")
    return sys.stdin.read()


def text(file: Path) -> str:
    """Return a file's text.

    Raises:
        FileError: it cannot be read.
    """
    try:
        return file.read_text("ascii")
    except (OSError, ValueError):
        raise FileError(f"cannot read {file} as text") from None
