"""`ringfence key suspend`, `resume` and `revoke`."""

from __future__ import annotations

from pathlib import Path

from ringfence.cli.key import KeyArgument, WhyOption, keys
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json

__all__ = ["resume", "revoke", "suspend"]


def suspend(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take a credential out of use until it is resumed."""
    change(config, key_id, "suspended", why, as_json)


def resume(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bring a suspended or pre-active credential into use."""
    change(config, key_id, "active", why, as_json)


def revoke(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take a credential out of use for ever."""
    change(config, key_id, "revoked", why, as_json)


def change(config: Path, key_id: str, state: str, why: str, as_json: bool) -> None:
    """Change a state and say when it took effect."""
    with keys(config) as service:
        changed = service.set_state(key_id, state, why)
    if as_json:
        say_json(changed)
        return
    after_us = changed["effective_us"]
    where = (
        "in the store; no gateway runs" if after_us is None else f"effective after {after_us} µs"
    )
    print(f"{key_id} is {changed['state']}, {where}")
