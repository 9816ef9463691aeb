"""`ringfence top`: what goes through the running gateway, live; or once, for scripts."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence.cli.attach import running
from ringfence.cli.ban import read_duration
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json, warn
from ringfence.errors import GatewayError, TerminalError

if TYPE_CHECKING:
    from ringfence.api import Client
    from ringfence.top import Measured

__all__ = ["top"]


def top(
    config: ConfigOption = DEFAULT_CONFIG,
    every: Annotated[
        str | None,
        typer.Option(help="How often to look: 1s, 5s, 1m. With --json, a line each time."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print one picture, and end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Watch traffic, limits near their edge, refusals, bans and health of the running gateway."""
    every_s = 1 if every is None else read_duration(every)
    client = running(config)
    if not once and not as_json:
        if not (sys.stdout.isatty() and sys.stdin.isatty()) or os.environ.get("TERM") == "dumb":
            raise TerminalError("there is no terminal here to draw on")
        from ringfence.top.app import Top

        # Before the screen is taken: who may not look is told so in words.
        client.top()
        Top(client.top, place(client), every_s).run()
    elif once:
        draw(measured(client.top, every_s), place(client))
    elif every is None:
        say_json(asdict(measured(client.top, every_s)))
    else:
        follow(client.top, every_s)


def place(client: Client) -> str:
    """Return where the gateway is: its folder, or its address."""
    return str(client.where).removesuffix("/admin.sock")


def measured(ask: Callable[[], dict[str, Any]], every_s: float) -> Measured:
    """Look twice, and return what happened between."""
    from ringfence.top import measure

    before = ask()
    time.sleep(every_s)
    return measure(before, ask())


def draw(seen: Measured, where: str) -> None:
    """Print one picture, as wide as the terminal or 80 columns; in ASCII if there is no more."""
    from ringfence.top import picture

    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    width = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
    print(picture(seen, where, width, plain=not encoding.startswith("utf")))


def follow(ask: Callable[[], dict[str, Any]], every_s: float) -> None:
    """Print a line for each look until interrupted. A gateway that is gone may come back."""
    from ringfence.top import measure

    before: dict[str, Any] | None = ask()
    gone = False
    while True:
        time.sleep(every_s)
        try:
            now = ask()
        except GatewayError as e:
            if not gone:
                warn(f"gateway gone, trying again: {e}")
            before, gone = None, True
            continue
        say_json(asdict(measure(before, now)))
        before, gone = now, False
