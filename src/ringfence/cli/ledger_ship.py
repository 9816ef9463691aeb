"""`ringfence ledger ship`: committed entries to a SIEM, at least once, while the gateway runs."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence.cli.ledger_folder import locate
from ringfence.cli.ledger_query import LedgerArgument
from ringfence.cli.say import JsonOption, say_json, warn

if TYPE_CHECKING:
    from ringfence.ledger.ship import Progress

__all__ = ["ship"]


def ship(
    directory: LedgerArgument,
    to: Annotated[
        str,
        typer.Option(help="syslog+tls://HOST:PORT, otlp+https://HOST or webhook+https://HOST/P."),
    ],
    cursor: Annotated[Path, typer.Option(help="The file that keeps how far it has come.")],
    ca: Annotated[Path | None, typer.Option(help="PEM file that its certificate leads to.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with a bearer token, for HTTP.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when all has been sent.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send every entry, and those to come, until it is stopped. Some may be sent twice, none never.

    A receiver that is away is tried again for as long as it takes; no order waits for it.
    """
    from ringfence.ledger.bus import Consumer
    from ringfence.ledger.personal import Personal
    from ringfence.ledger.ship import receiver
    from ringfence.ledger.ship import ship as run

    receive = receiver(to, ca, token_file)
    folder = locate(directory).directory
    consumer = Consumer(folder, cursor)
    stop = threading.Event()

    def end(_number: int, _frame: Any) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    teller = Teller(as_json=as_json)
    run(consumer, receive, stop, teller, personal=Personal(folder), once=once)
    answer = {"next": consumer.next}
    say_json(answer) if as_json else print(f"sent up to entry {consumer.next}")


class Teller:
    """Says once when a receiver goes away, and once when it is back."""

    def __init__(self, *, as_json: bool) -> None:
        """Say it to programs or to people."""
        self._as_json = as_json
        self._trouble: str | None = None

    def __call__(self, progress: Progress) -> None:
        """Take note of how it stands."""
        if progress.trouble is not None and self._trouble is None:
            warn(f"{progress.trouble}; entries from {progress.next} on wait")
        elif progress.trouble is None and self._trouble is not None:
            warn(f"the receiver is back; sent up to entry {progress.next}")
        self._trouble = progress.trouble
