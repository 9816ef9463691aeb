"""`ringfence key list` and `ringfence key show`."""

from __future__ import annotations

from ringfence.cli.key import KeyArgument, keys, moment, rows, tell
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, pairs, say_json, table

__all__ = ["list_keys", "show"]

COLUMNS = ("key_id", "account", "state", "scopes", "allow", "requires")


def list_keys(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List all credentials."""
    with keys(config) as service:
        found = service.all()
    if as_json:
        say_json(found)
        return
    lines = [[*(key[name] or None for name in COLUMNS), moment(key["expires_us"])] for key in found]
    table([*COLUMNS, "expires"], lines)


def show(
    key_id: KeyArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Show one credential and what became of it."""
    with keys(config) as service:
        found = service.one(key_id)
    if as_json:
        say_json(found)
        return
    pairs(rows(found))
    for change in found["history"]:
        tell(change, change["what"] or change["state"])
