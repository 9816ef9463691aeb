"""`ringfence venue`: a paper exchange for demonstrations and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.say import JsonOption, say_json
from ringfence.errors import FileError

__all__ = ["app"]

PORT_MAX = 65_535
app = typer.Typer(help="A paper exchange that speaks a venue's own API.")


@app.callback()
def venue() -> None:
    """Keep `serve` a subcommand, though it is the only one."""


@app.command()
def serve(
    name: Annotated[str, typer.Option("--venue", help="Whose API it speaks.")] = "binance",
    listen: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1:8080",
    attestation_key: Annotated[
        Path | None,
        typer.Option(help="The gateway's attestation key; others are then refused."),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(help="API keys that it holds itself; only what they signed is then taken."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the paper exchange until SIGTERM. Prints one line when it is ready."""
    from ringfence.venue.keys import read_keys
    from ringfence.venue.server import VenueConfig, read_attestation_key
    from ringfence.venue.server import serve as run
    from ringfence.venue.shapes import SHAPES

    if name not in SHAPES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(SHAPES)}", param_hint="--venue")
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        raise typer.BadParameter(f"{listen!r} is not HOST:PORT, such as 127.0.0.1:8080")
    try:
        key = read_attestation_key(attestation_key) if attestation_key else None
    except (OSError, ValueError) as e:
        raise FileError(f"the attestation key cannot be read: {e}") from e
    if key is not None and keys is not None:
        raise typer.BadParameter("--keys and --attestation-key exclude each other")
    try:
        own = read_keys(keys) if keys else None
    except (OSError, ValueError) as e:
        raise FileError(f"the venue's keys cannot be read: {e}") from e

    def ready(url: str) -> None:
        if as_json:
            say_json({"url": url})
        else:
            print(f"paper venue on {url}, in the shapes of {name}", flush=True)

    config = VenueConfig(host=host, port=int(port), key=key, own_keys=own, venue=name)
    try:
        run(config, ready)
    except OSError as e:
        hint = "give --listen an address of this machine and a port that nobody has"
        raise FileError(f"cannot listen on {listen}: {e.strerror}", hint=hint) from e
