"""`ringfence status`: what the running gateway counts."""

from __future__ import annotations

from ringfence.cli.attach import running
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, pairs, say_json

__all__ = ["status"]


def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show the running gateway's counters."""
    found = running(config).status()
    say_json(found) if as_json else pairs(found.items())
