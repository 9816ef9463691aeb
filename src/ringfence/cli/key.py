"""`ringfence key`: credentials. Talks to the running gateway, or to the store when none runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence.cli.say import ConfigOption, JsonOption, pairs, say_json, table
from ringfence.config.folder import Folder
from ringfence.errors import FileError, KeyTextError, RunningError

if TYPE_CHECKING:
    from ringfence.api import Keys

__all__ = ["app"]

app = typer.Typer(help="Create, show, suspend, resume and revoke credentials.")

DEFAULT_CONFIG = Path("ringfence.yaml")
WAIT_SECONDS = 5.0
POLL_SECONDS = 0.05
WhyOption = Annotated[str, typer.Option("--why", help="The reason; it goes into the ledger.")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The credential's id.")]


@contextmanager
def keys(config: Path) -> Iterator[Keys]:
    """Yield the running gateway's keys, or the store's while no gateway can start."""
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
    from ringfence.api import Client, KeyService, runs
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
        return KeyService(Store(folder.store), MasterKey.read(folder.master_key))
    return Client(folder.socket)


@app.command()
def create(
    account: Annotated[str, typer.Option(help="Whose orders these are.")],
    scope: Annotated[list[str], typer.Option(help="read, trade, withdraw, transfer or keys.")],
    allow: Annotated[list[str], typer.Option(help="A network that may use it, as CIDR.")],
    config: ConfigOption = DEFAULT_CONFIG,
    key_id: Annotated[str | None, typer.Option(help="An id of your own.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends, as 2027-01-31T00:00:00Z.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="PEM file: Ed25519 or RSA instead of HMAC.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a credential. Its secret is shown now and never again."""
    from ringfence.api import NewKey

    wanted = NewKey(
        account,
        scope,
        allow,
        key_id,
        expiry_us(expires),
        pem_text(public_key) if public_key else None,
    )
    with keys(config) as service:
        created = service.create(wanted)
    if as_json:
        say_json(created)
        return
    pairs(rows(created))
    if created["secret"] is not None:
        pairs([("secret", created["secret"])])
        print("\nKeep the secret now: it will not be shown again.")


@app.command("list")
def list_keys(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List all credentials."""
    with keys(config) as service:
        found = service.all()
    if as_json:
        say_json(found)
        return
    heads = ["key_id", "account", "state", "scopes", "allow", "expires"]
    table(heads, [[*(key[name] for name in heads[:5]), moment(key["expires_us"])] for key in found])


@app.command()
def show(
    key_id: KeyArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Show one credential."""
    with keys(config) as service:
        found = service.one(key_id)
    say_json(found) if as_json else pairs(rows(found))


@app.command()
def suspend(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take a credential out of use until it is resumed."""
    change(config, key_id, "suspended", why, as_json)


@app.command()
def resume(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bring a suspended credential back into use."""
    change(config, key_id, "active", why, as_json)


@app.command()
def revoke(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take a credential out of use for ever."""
    change(config, key_id, "revoked", why, as_json)


def change(config: Path, key_id: str, state: str, why: str, as_json: bool) -> None:
    """Change a state and say when it took effect."""
    with keys(config) as service:
        changed = service.set_state(key_id, state, why)
    if as_json:
        say_json(changed)
        return
    after_us = changed["effective_us"]
    where = (
        "in the store; no gateway runs" if after_us is None else f"effective after {after_us} µs"
    )
    print(f"{key_id} is {changed['state']}, {where}")


def rows(key: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return a credential as names and values for people."""
    shown = [(name, key[name]) for name in ("key_id", "account", "algorithm", "scopes", "allow")]
    shown += [("state", key["state"]), ("why", key["why"] or None)]
    shown += [("created", moment(key["created_us"])), ("expires", moment(key["expires_us"]))]
    return shown


def moment(time_us: int | None) -> str | None:
    """Return a time as people read it, UTC."""
    if time_us is None:
        return None
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def expiry_us(text: str | None) -> int | None:
    """Read a time with its zone, as microseconds since the epoch.

    Raises:
        KeyTextError: it is no time, or says no zone.
    """
    if text is None:
        return None
    hint = "write 2027-01-31T00:00:00Z"
    try:
        time = datetime.fromisoformat(text)
    except ValueError as e:
        raise KeyTextError(f"{text!r} is not a time", hint=hint) from e
    if time.tzinfo is None:
        raise KeyTextError(f"{text!r} does not say its zone", hint=hint)
    return int(time.timestamp()) * 1_000_000


def pem_text(path: Path) -> str:
    """Return a PEM file's text.

    Raises:
        FileError: it cannot be read.
    """
    try:
        return path.read_text("ascii")
    except (OSError, ValueError) as e:
        raise FileError(f"cannot read {path} as PEM text") from e
