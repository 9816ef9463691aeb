"""`ringfence shard`: cells of principals. Talks to the running gateway, or to the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence.cli.attach import attached
from ringfence.cli.key import WhyOption, say_changed, service_of
from ringfence.cli.say import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    say_json,
    styled,
    table,
)
from ringfence.cli.stopped import judge

if TYPE_CHECKING:
    from ringfence.api import ShardBook

__all__ = ["drain", "isolate", "list_shards", "move", "resume"]

ShardArgument = Annotated[int, typer.Argument(metavar="SHARD", min=0, help="Its number.")]
HOME = "home"
"""What is said for a shard to end a move."""


@contextmanager
def book(config: Path) -> Iterator[ShardBook]:
    """Yield the running gateway's shards, or the store's while no gateway can start."""
    from ringfence.api import AskedShards, ShardService
    from ringfence.config import load

    with attached(config) as (folder, gateway, who):
        if gateway is not None:
            yield gateway
            return
        keys = service_of(folder)
        yield AskedShards(ShardService(keys), who, judge(load(folder.config), keys.master))


def list_shards(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the shards: how each stands, who stands there, and how much it has used."""
    with book(config) as service:
        found = service.shards()
    if as_json:
        say_json(found)
        return
    columns = ("accounts", "credentials", "permitted", "refused")
    rows = [
        [
            one["shard"],
            styled(one["state"]),
            *(one[name] for name in columns),
            share(one["replay_claims"], one["replay_room"]),
            ", ".join(
                share(lim["used"], lim["used"] + lim["remaining"], lim["limit"])
                for lim in one["limits"] or ()
            ),
            ", ".join([*one["pinned"], *(f"{name} (moved)" for name in one["moved"])]),
        ]
        for one in found
    ]
    table(["shard", "state", *columns, "replay memory", "limits", "by name"], rows)


def share(used: int | None, whole: int | None, name: str = "") -> str:
    """Return how much of what there is was used."""
    return "" if used is None else f"{name} {used}/{whole}".strip()


def read_shard(text: str) -> int | None:
    """Return a shard's number; None for `home`."""
    if text == HOME:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise typer.BadParameter(f"write a shard's number, or {HOME}")
    return int(text)


def move(
    principal: Annotated[
        str, typer.Argument(metavar="PRINCIPAL", help="An organisation or account.")
    ],
    shard: Annotated[
        str, typer.Argument(metavar="SHARD", help=f"Where to; {HOME}: where pins and hash say.")
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Put a principal, with all below it, into a shard at once. Its secrets stay where they are."""
    with book(config) as service:
        done = service.move_to_shard(principal, read_shard(shard), why)
    say_changed(f"{principal} stands in shard {done['shard']}", done, as_json)


def drain(
    shard: ShardArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let nothing new be begun in a shard: cancels and reads go on."""
    step(shard, "drain", config, why, as_json)


def isolate(
    shard: ShardArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Serve nobody in a shard, at once: its sessions and streams are closed."""
    step(shard, "isolate", config, why, as_json)


def resume(
    shard: ShardArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Serve a shard again that was drained or isolated."""
    step(shard, "resume", config, why, as_json)


def step(shard: int, asked: str, config: Path, why: str, as_json: bool) -> None:
    """Ask for a step and say what became of it."""
    with book(config) as service:
        done: dict[str, Any] = service.step_shard(shard, asked, why)
    say_changed(f"shard {shard} is {done['state']}", done, as_json)
