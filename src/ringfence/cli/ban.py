"""`ringfence ban`: who is kept out of the running gateway for a while."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from ringfence.cli.attach import running
from ringfence.cli.key import WhyOption, moment
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json, table

__all__ = ["add", "lift", "list_bans"]

TargetArgument = Annotated[
    str, typer.Argument(metavar="TARGET", help="An address, a network, or key:ID.")
]
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def read_duration(text: str) -> int:
    """Return the seconds of a text such as 90s, 10m, 6h or 3d."""
    if not (found := re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)):
        raise typer.BadParameter("write a number and s, m, h or d, as in 10m")
    return int(found[1]) * UNITS[found[2]]


def list_bans(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the bans in force."""
    found = running(config).bans()
    if as_json:
        say_json(found)
        return
    columns = ["target", "answer", "reach", "origin", "step", "why"]
    rows = [[*(one[c] for c in columns), moment(one["until_us"])] for one in found]
    table([*columns, "until"], rows)


def add(
    target: TargetArgument,
    lasting: Annotated[str, typer.Option("--for", help="How long: 90s, 10m, 6h or 3d.")],
    config: ConfigOption = DEFAULT_CONFIG,
    spare: Annotated[
        bool, typer.Option("--spare-known", help="Spare keys known there by a good signature.")
    ] = False,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Keep an address, a network or a key out, at once. The admin socket stays open to you."""
    from ringfence.api.bans import NewBan

    reach = "strangers" if spare else "all"
    made = running(config).add_ban(NewBan(target, read_duration(lasting), reach, why))
    if as_json:
        say_json(made)
    else:
        print(f"{made['target']} is kept out until {moment(made['until_us'])}")


def lift(
    target: TargetArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Lift a ban, and forget what led to it."""
    gone = running(config).lift_ban(target, why)
    say_json(gone) if as_json else print(f"{gone['target']} is let in again")
