"""`ringfence status`: what the running gateway counts."""

from __future__ import annotations

from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, pairs, say_json
from ringfence.config.folder import Folder
from ringfence.errors import RunningError

__all__ = ["status"]


def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show the running gateway's counters."""
    from ringfence.api import Client, runs

    folder = Folder(config.resolve().parent)
    if not runs(folder.socket):
        hint = f"start it: ringfence serve -c {config}"
        raise RunningError(f"no gateway runs in {folder.path}", hint=hint, code="gateway_down")
    found = Client(folder.socket).status()
    say_json(found) if as_json else pairs(found.items())
