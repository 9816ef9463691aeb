"""`ringfence vault shares split|combine`: the master key in shares, for the day that it is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.attach import attached
from ringfence.cli.key import WhyOption
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json
from ringfence.config.folder import write_private
from ringfence.errors import SealError

__all__ = ["combine", "split"]

NO_GATEWAY = "two operators have to ask it: start the gateway first"


def split(
    out: Annotated[Path, typer.Option(help="A new folder for the shares, a file each.")],
    config: ConfigOption = DEFAULT_CONFIG,
    threshold: Annotated[int, typer.Option(help="How many give the key back.")] = 3,
    count: Annotated[int, typer.Option("--of", help="How many are made.")] = 5,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Split the master key. Two owners must ask the same within a quarter of an hour.

    The second gets the shares: hand each to another person, and keep none.
    """
    with attached(config) as (folder, gateway, _who):
        if gateway is None:
            raise SealError("no gateway runs that could be asked", hint=NO_GATEWAY)
        if out.resolve().is_relative_to(folder.path.resolve()):
            raise SealError("shares in the state folder protect nothing", hint="name another place")
        if out.exists():
            raise SealError(f"{out} is there already", hint="name a new folder")
        done = gateway.export_shares(threshold, count, why)
    files = []
    for number, share in enumerate(done["parts"], 1):
        files.append(out / f"share-{number}.txt")
        write_private(files[-1], share.encode() + b"\n")
    if as_json:
        say_json({"until_us": done["until_us"], "files": [str(file) for file in files]})
    elif files:
        print(f"{count} shares are in {out}; {threshold} give the master key back.")
        print("Hand each to another person, and remove the folder.")
    else:
        until = datetime.fromtimestamp(done["until_us"] / 1e6, UTC).strftime("%H:%M:%S")
        print(f"asked; another owner must ask the same until {until} UTC, and gets the shares")


def combine(
    shares: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files with a share each.")],
    out: Annotated[Path, typer.Option(help="Where to write the master key; nothing may be there.")],
    as_json: JsonOption = False,
) -> None:
    """Put the master key together from as many shares as it takes."""
    from ringfence.identity.seal import shares as sharing
    from ringfence.identity.seal.unlock import read_private, wiped

    texts = []
    for path in shares:
        with wiped(read_private(path, "share")) as share:
            try:
                texts.append(share.decode("ascii"))
            except ValueError:
                raise SealError(f"{path} holds no share") from None
    with wiped(sharing.combine(texts)) as secret:
        write_private(out, secret.hex().encode() + b"\n")
    if as_json:
        say_json({"file": str(out)})
    else:
        print(f"{out} is the master key: put it in the place of keys/master.key")
