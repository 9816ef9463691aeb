"""`ringfence mfa passkey`: an operator's passkeys, which a browser makes and shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ringfence.api.clock import now_us
from ringfence.cli.key import moment
from ringfence.cli.mfa import factors
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json, table
from ringfence.errors import FactorError

__all__ = ["add", "follow", "list_passkeys", "remove"]

POLL_SECONDS = 0.3


def add(
    config: ConfigOption = DEFAULT_CONFIG,
    label: Annotated[str, typer.Option(help="What you call it: laptop, blue key.")] = "passkey",
    as_json: JsonOption = False,
) -> None:
    """Enrol a passkey: prints a link for your browser, and waits until it is done."""
    with factors(config) as service:
        follow(service.enrol_passkey(label), service.link, as_json)


def list_passkeys(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List your passkeys."""
    with factors(config) as service:
        found = service.factors()["passkeys"]
    if as_json:
        say_json(found)
        return
    rows = [
        [
            one["label"],
            one["id"],
            "synced" if one["synced"] else "one device",
            "yes" if one["unlocks"] else "no",
            moment(one["created_us"]),
            None if one["used_us"] is None else moment(one["used_us"]),
        ]
        for one in found
    ]
    table(["label", "id", "kept", "opens a seal", "enrolled", "used"], rows)


def remove(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="As the list shows it.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Take a passkey of yours out of force, for good. Needs a step-up."""
    with factors(config) as service:
        found = service.remove_passkey(label)
    say_json(found) if as_json else print(f"Your passkey {label} is good no more.")


def follow(
    opened: dict[str, Any], state: Callable[[str], dict[str, Any]], as_json: bool
) -> dict[str, Any]:
    """Show a link, wait until what it is for is done, and say so.

    Raises:
        FactorError: it failed, or its time is over.
    """
    if as_json:
        say_json(opened)
    else:
        print("Open this link in your browser, within five minutes; it is good once:\n")
        print(f"  {opened['link']}\n")
        sys.stdout.flush()
    found = wait(opened, state)
    say_json(found) if as_json else print(f"{found['said'][0].upper()}{found['said'][1:]}.")
    return found


def wait(opened: dict[str, Any], state: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Return what became of a link.

    Raises:
        FactorError: `link_unknown`: its time is over; `factor_refused`: it failed too often.
    """
    while now_us() < opened["expires_us"]:
        found = state(opened["id"])
        if found["state"] == "done":
            return found
        if found["state"] == "failed":
            raise FactorError(f"the page gave up: {found['said']}")
        time.sleep(POLL_SECONDS)
    hint = "run the command again; it prints another"
    raise FactorError("nobody used the link in time", code="link_unknown", hint=hint)
