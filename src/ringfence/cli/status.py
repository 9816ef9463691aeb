"""`ringfence status`: what the running gateway counts, and what it was alarmed by."""

from __future__ import annotations

from typing import Any

from ringfence.cli.attach import running
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, pairs, say_json, warn

__all__ = ["status"]


def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show the running gateway's counters, and warn of signs of a stolen key."""
    found = running(config).status()
    if as_json:
        say_json(found)
        return
    last = (found.get("watch") or {}).pop("last", None)
    pairs(found.items())
    if last is not None:
        alarm(found["watch"]["signs"], last)


def alarm(signs: dict[str, int], last: dict[str, Any]) -> None:
    """Say what was found since the start, the last of it, and what to do."""
    counted = ", ".join(f"{name} {count}" for name, count in signs.items())
    whose = f"{last['credential']} ({last['account']})" if "account" in last else last["credential"]
    warn(f"signs of a stolen key since the start: {counted}")
    warn(f"the last, of {whose} in entry {last['entry']}: {last['sign']}: {last['what']}")
    warn(f"unless it was expected: `ringfence key suspend {last['credential']}`")
