"""`ringfence ledger verify`: prove offline that a ledger is as it was written."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ringfence import engine, ledger
from ringfence.cli.ledger_folder import locate
from ringfence.cli.say import JsonOption, pairs, say_json, warn
from ringfence.engine import LedgerReport
from ringfence.errors import LedgerError

__all__ = ["verify"]

UNFINISHED_EXIT = 3
"""All that is there is sound, but the log was not closed."""


def verify(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A ledger's folder, or a state folder.")
    ] = Path(),
    vkey: Annotated[
        str | None, typer.Option(help="The verifier key, kept elsewhere since `init`.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute a whole ledger, offline.

    Exit code 1: it is not as it was written. 3: it is, as far as it goes, but nobody closed it:
    the gateway was killed, or the end was cut.
    """
    located = locate(directory)
    # A verification may take minutes, and there is nothing to tidy up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with progress(located.directory, shown=not as_json) as tell:
        report = engine.verify_ledger(located.directory, vkey or located.vkey, tell)
    if as_json:
        say_json(asdict(report))
        if report.fault is not None:
            raise typer.Exit(1)
    else:
        tell_people(report, own_key=vkey is None and located.vkey is not None)
    if report.unfinished:
        raise typer.Exit(UNFINISHED_EXIT)


def tell_people(report: LedgerReport, *, own_key: bool) -> None:
    """Say what was found.

    Raises:
        LedgerError: with the place of the fault and what fits it.
    """
    if (fault := report.fault) is not None:
        entry = "" if fault["entry"] is None else f", entry {fault['entry']}"
        place = f"{fault['file']} at byte {fault['offset']}{entry}"
        raise LedgerError(f"{place}: {fault['sentence']}", code=f"ledger_{fault['kind']}")
    rows = [("ledger", report.origin), ("entries", report.size), ("root", report.root)]
    pairs([*rows, ("checkpoints", f"{report.checkpoints}, up to entry {report.signed_size}")])
    if not report.signatures_checked:
        warn("no signature was checked; give --vkey, which `ringfence init` showed")
    elif own_key:
        warn("the key came from the state folder itself; one kept elsewhere proves more: --vkey")
    if report.live:
        warn("a gateway is writing this ledger; what comes after this is not covered")
    for left in report.unfinished:
        warn(f"{left['file']} at byte {left['offset']}: {left['sentence']}")


@contextmanager
def progress(directory: Path, *, shown: bool) -> Iterator[Callable[[int], None] | None]:
    """Yield what to tell the entries done to: a bar on a terminal's stderr, or nothing."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=ledger.signed_size(directory) or None)
        yield lambda done: bar.update(task, completed=done)
