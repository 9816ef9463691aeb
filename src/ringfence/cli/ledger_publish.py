"""`ringfence ledger publish`: lay a ledger out as C2SP tlog-tiles, cosigned if a policy says so."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ringfence import engine
from ringfence.cli.ledger_folder import locate
from ringfence.cli.say import JsonOption, say_json, warn
from ringfence.errors import EngineError, FileError, WitnessError
from ringfence.ledger import covers

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
    folder = locate(directory).directory
    rules = read(policy) if policy is not None else None
    last = -1
    while True:
        size = newest(folder, rules)
        if size != last:
            say_json({"size": size}) if as_json else print(f"published {size} entries", flush=True)
        last = size
        if not follow:
            return
        time.sleep(interval_s)


def newest(folder: Path, policy: bytes | None) -> int:
    """Publish what is not yet, volume by volume, and return how many entries now are."""
    volumes = engine.ledger_volumes(folder)
    for volume in volumes:
        ended = volume is not volumes[-1]
        if not (ended and published(volume.directory, policy)):
            size = publish_volume(volume.directory, policy)
    return volume.sequence + size


def published(volume: Path, policy: bytes | None) -> bool:
    """Tell whether all of a volume that has ended is published, as the policy wants it."""
    note = volume / "tlog" / "checkpoint"
    if not 0 < covers(volume / "checkpoint") == covers(note):
        return False
    try:
        if policy is not None:
            engine.accept_checkpoint(policy, note.read_bytes())
    except (EngineError, OSError):
        return False
    return True


def publish_volume(volume: Path, policy: bytes | None) -> int:
    """Publish a volume and return how many of its entries now are."""
    return engine.publish_ledger(volume) if policy is None else cosigned(volume, policy)


def read(policy: Path) -> bytes:
    """Return a policy file's content."""
    try:
        return policy.read_bytes()
    except OSError as e:
        raise FileError(f"{policy} cannot be read: {e.strerror}") from e


def cosigned(volume: Path, policy: bytes) -> int:
    """Publish once the policy's quorum has cosigned, and return how many entries."""
    from ringfence.witness import ask

    note = engine.stage_ledger(volume)
    refused: WitnessError | None = None
    for witness in engine.read_policy(policy).witnesses:
        try:
            note = ask(volume, note, witness)
        except WitnessError as e:
            # The others may be enough; a contradiction outweighs any quorum.
            if e.code in ("witness_fork", "witness_rollback"):
                raise
            refused = e
            warn(str(e))
    try:
        engine.accept_checkpoint(policy, note)
    except EngineError as e:
        hint = None if refused is None else refused.hint
        raise WitnessError(f"nothing was published: {e}", hint=hint) from e
    return engine.release_ledger(volume, note)
