"""`ringfence ledger verify`: prove offline that a ledger is as it was written."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ringfence import engine, ledger
from ringfence.cli.ledger_folder import locate
from ringfence.cli.say import JsonOption, pairs, say_json, warn
from ringfence.engine import LedgerReport
from ringfence.errors import EngineError, FileError, LedgerError

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
    policy: Annotated[
        Path | None,
        typer.Option(help="Also: who must have cosigned the published checkpoint."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute a whole ledger, offline.

    Exit code 1: it is not as it was written. 3: it is, as far as it goes, but nobody closed it:
    the gateway was killed, or the end was cut.
    """
    located = locate(directory)
    rules = None if policy is None else read(policy)
    if rules is not None and vkey is None and len(logs := engine.read_policy(rules).logs) == 1:
        vkey = logs[0]
    # A verification may take minutes, and there is nothing to tidy up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with progress(located.directory, shown=not as_json) as tell:
        report = engine.verify_ledger(located.directory, vkey or located.vkey, tell)
    sound = report.fault is None
    accepted = accept(located.directory, rules) if rules is not None and sound else None
    if as_json:
        told = {} if accepted is None else {"accepted": asdict(accepted)}
        say_json({**asdict(report), **told})
        if not sound:
            raise typer.Exit(1)
    else:
        tell_people(report, own_key=vkey is None and located.vkey is not None)
        for name, time_s in [] if accepted is None else accepted.witnesses:
            at = datetime.fromtimestamp(time_s, UTC).isoformat(" ", "seconds")
            print(f"cosigned by {name} at {at}")
    if report.unfinished:
        raise typer.Exit(UNFINISHED_EXIT)


def read(file: Path) -> bytes:
    """Return a file's content."""
    try:
        return file.read_bytes()
    except OSError as e:
        raise FileError(f"{file} cannot be read: {e.strerror}") from e


def accept(directory: Path, policy: bytes) -> engine.Accepted:
    """Check the newest published checkpoint, which the report found sound, by a policy.

    It vouches for the volumes before its own too: the link to them stands in its first entry.
    """
    volumes = reversed(engine.ledger_volumes(directory))
    notes = (volume.directory / "tlog" / "checkpoint" for volume in volumes)
    note = next((note for note in notes if note.is_file()), None)
    if note is None:
        raise LedgerError(
            "no checkpoint is published, so no witness can have cosigned one",
            code="ledger_policy",
            hint="ringfence ledger publish DIR --policy FILE asks the witnesses",
        )
    try:
        return engine.accept_checkpoint(policy, read(note))
    except EngineError as e:
        raise LedgerError(
            f"the published checkpoint does not satisfy the policy: {e}",
            code="ledger_policy",
            hint="the ledger's own files fit each other; ask the witnesses what they cosigned",
        ) from e


def tell_people(report: LedgerReport, *, own_key: bool) -> None:
    """Say what was found.

    Raises:
        LedgerError: with the place of the fault and what fits it.
    """
    if (fault := report.fault) is not None:
        entry = "" if fault["entry"] is None else f", entry {fault['entry']}"
        place = f"{fault['file']} at byte {fault['offset']}{entry}"
        safe = f"{report.size} entries before it fit; {report.signed_size} of them are signed"
        pairs([("ledger", report.origin), ("safe", safe)])
        raise LedgerError(f"{place}: {fault['sentence']}", code=f"ledger_{fault['kind']}")
    rows = [("ledger", report.origin), ("entries", report.size), ("root", report.root)]
    rows.append(("checkpoints", f"{report.checkpoints}, up to entry {report.signed_size}"))
    if months := [volume["month"] for volume in report.volumes]:
        span = f"{len(months)}, {months[0]} to {months[-1]}"
        rows.insert(1, ("volumes", span if len(months) > 1 else months[0]))
    if report.published is not None:
        rows.append(("published", f"{report.published} entries"))
    if report.personal or report.erased:
        erased = f", {report.erased} erased" if report.erased else ""
        rows.append(("personal data", f"{report.personal} addresses{erased}"))
    if beats := report.heartbeats["count"]:
        longest_s = report.heartbeats["longest_us"] / 1_000_000
        rows.append(("heartbeats", f"{beats}, at most {longest_s:.1f} s apart in one run"))
    pairs(rows)
    if missing := report.heartbeats["missing"]:
        warn(f"{missing} heartbeats are missing: the gateway did not record them")
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
