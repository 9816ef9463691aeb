"""`ringfence ledger publish`: lay a ledger out as C2SP tlog-tiles, cosigned if a policy says so."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.ledger_folder import locate
from ringfence.cli.say import JsonOption, say_json, warn
from ringfence.errors import FileError

__all__ = ["publish"]


def publish(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A ledger's folder, or a state folder.")
    ] = Path(),
    policy: Annotated[
        Path | None,
        typer.Option(help="Ask its witnesses to cosign; publish only what its quorum cosigned."),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as it grows.")] = False,
    interval_s: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Publish each volume's newest checkpoint with its tiles in its folder `tlog`.

    Any web server can serve them. Runs beside the gateway and never holds it up.
    """
    from ringfence.witness.publish import publish as publish_now

    folder = locate(directory).directory
    rules = read(policy) if policy is not None else None
    last = -1
    while True:
        size = publish_now(folder, rules, warn)
        if size != last:
            say_json({"size": size}) if as_json else print(f"published {size} entries", flush=True)
        last = size
        if not follow:
            return
        time.sleep(interval_s)


def read(policy: Path) -> bytes:
    """Return a policy file's content."""
    try:
        return policy.read_bytes()
    except OSError as e:
        raise FileError(f"{policy} cannot be read: {e.strerror}") from e
