"""`ringfence venue`: a paper exchange for demonstrations and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.say import JsonOption

__all__ = ["app"]

app = typer.Typer(help="A paper exchange that speaks Binance's spot API.")


@app.callback()
def venue() -> None:
    """Keep `serve` a subcommand, though it is the only one."""


@app.command()
def serve(
    listen: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1:8080",
    attestation_key: Annotated[
        Path | None,
        typer.Option(help="The gateway's attestation key; others are then refused."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the paper exchange until SIGTERM. Prints one line when it is ready."""
    from ringfence.venue.server import serve as run

    run(listen, attestation_key, as_json)
