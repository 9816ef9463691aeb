"""`ringfence approval`: what needs more than one operator. Only a running gateway has it."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from ringfence.cli.attach import running
from ringfence.cli.key import moment
from ringfence.cli.mfa_passkey import follow
from ringfence.cli.say import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    pairs,
    say_json,
    styled,
    table,
)

__all__ = ["approve", "execute", "list_approvals", "reject", "show"]

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The request's id.")]


def list_approvals(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List what was asked for, and where it stands."""
    found = running(config).approvals()
    if as_json:
        say_json(found)
        return
    rows = [
        [
            one["id"],
            one["act"],
            one["requester"],
            styled(one["standing"]),
            f"{sum(vote['approves'] for vote in one['votes'])}/{one['need']}",
            moment(one["expires_us"]),
        ]
        for one in found
    ]
    table(["id", "act", "asked by", "standing", "votes", "expires"], rows)


def show(
    name: IdArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Show exactly what would be done."""
    found = running(config).approval(name)
    say_json(found) if as_json else pairs(rows_of(found))


def approve(
    name: IdArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask on a terminal.")] = False,
    passkey: Annotated[
        bool, typer.Option("--passkey", help="On a page that shows it, by a passkey that signs it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Approve what another operator asked for. Shows it, and asks on a terminal."""
    client = running(config)
    if passkey:
        follow(client.approve_by_passkey(name), client.link, as_json)
        return
    if sys.stdin.isatty() and not yes and not as_json:
        pairs(rows_of(client.approval(name)))
        typer.confirm("\nApprove exactly this?", abort=True)
    said(client.vote(name, "approve"), as_json)


def reject(
    name: IdArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Reject what was asked for, or withdraw what you asked for. That ends it."""
    said(running(config).vote(name, "reject"), as_json)


def execute(
    name: IdArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Do exactly what was approved, once. A secret in the answer is shown this once."""
    done = running(config).execute_approval(name)
    say_json(done) if as_json else pairs(done.items())


def said(found: dict[str, Any], as_json: bool) -> None:
    """Say where a request stands after a vote."""
    if as_json:
        say_json(found)
    else:
        print(f"{found['id']} is {found['standing']}")


def rows_of(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return a request as people read it."""
    parameters = found["parameters"].items()
    shown = [(f"  {name}", value) for name, value in parameters if value not in (None, [], "")]
    votes = [
        (f"  {one['voter']}", f"{'approves' if one['approves'] else 'rejects'}, "
         f"{moment(one['time_us'])}")
        for one in found["votes"]
    ]  # fmt: skip
    return [
        ("id", found["id"]),
        ("act", found["act"]),
        *[(name, json.dumps(value, ensure_ascii=True)) for name, value in shown],
        ("asked by", f"{found['requester']}, {moment(found['asked_us'])}"),
        ("needs", f"{found['need']} of {', '.join(found['roles'])}"),
        ("not before", moment(found["not_before_us"])),
        ("expires", moment(found["expires_us"])),
        ("standing", found["standing"]),
        *votes,
    ]
