"""`ringfence ledger reconstruct`: the life of one order, stage by stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ringfence import ledger
from ringfence.cli.ledger_query import CacheOption, LedgerArgument, load, plain
from ringfence.cli.say import JsonOption, say_json
from ringfence.errors import FileError

if TYPE_CHECKING:
    from ringfence.ledger.life import Life

__all__ = ["reconstruct"]


def reconstruct(
    directory: LedgerArgument,
    order: Annotated[
        str,
        typer.Argument(
            metavar="ORDER", help="The client's id of it, the venue's, or a message id."
        ),
    ],
    account: Annotated[
        str | None, typer.Option(help="Whose, where several accounts use the same id.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the timeline as a picture.")] = None,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what happened to an order: when it came, what was decided, what the venue said."""
    from ringfence.ledger.life import life
    from ringfence.ledger.picture import timeline
    from ringfence.ledger.query import opened

    with opened(load(directory, cache, shown=not as_json)) as db:
        found = life(db, order, account)
    if svg is not None:
        try:
            svg.write_text(timeline(found), "utf-8")
        except OSError as e:
            raise FileError(f"cannot write {svg}: {e.strerror}") from e
    if as_json:
        stages = [stage.record() for stage in found.stages]
        about = {name: plain(value) for name, value in found.about.items()}
        say_json({"order": found.order, "about": about, "stages": stages})
    else:
        tell(found)


def tell(found: Life) -> None:
    """Say it line by line; each time after the first as what has passed since."""
    about = " ".join(str(value) for value in found.about.values())
    print(ledger.harmless(f"order {found.order}: {about}"))
    start = found.stages[0].time
    for stage in found.stages:
        since_us = round((stage.time - start).total_seconds() * 1e6)
        time = f"{stage.time:%Y-%m-%d %H:%M:%S.%f}" if stage is found.stages[0] else ""
        lasted = "" if stage.lasted_us is None else f" in {stage.lasted_us:,} µs"
        said = f"{time:<26} {f'+{since_us:,} µs':>14}  {stage.what}{lasted}  (entry {stage.index})"
        print(ledger.harmless(said))
