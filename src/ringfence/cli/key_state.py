"""`ringfence key suspend`, `resume`, `revoke` and `destroy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.key import KeyArgument, WhyOption, keys, say_changed
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, styled

__all__ = ["destroy", "resume", "revoke", "suspend"]


def suspend(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take a credential out of use until it is resumed."""
    step(config, key_id, "suspend", why, as_json)


def resume(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bring a suspended or pre-active credential into use."""
    step(config, key_id, "resume", why, as_json)


def revoke(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Somebody else may have it.")
    ] = False,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take a credential out of use for ever."""
    step(config, key_id, "compromise" if compromised else "deactivate", why, as_json)


def destroy(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Forget what verifies a credential that is out of use. Its history stays."""
    step(config, key_id, "destroy", why, as_json)


def step(config: Path, key_id: str, asked: str, why: str, as_json: bool) -> None:
    """Let a credential take a step, and say when it took effect."""
    with keys(config) as service:
        changed = service.step(key_id, asked, why)
    say_changed(f"{key_id} is {styled(changed['state'])}", changed, as_json)
