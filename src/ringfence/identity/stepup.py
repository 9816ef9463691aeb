"""Whether who asks has just proved again who they are, as strongly as the act needs it.

One question for all that needs it. The rules are data (`stepup.yaml`); an act without a rule is
refused. Reads no clock.

Source: RFC 9470: a proof has an age (max_age) and a strength (acr).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ringfence.errors import StepUpError

__all__ = ["ACTS", "STRENGTHS", "Need", "StepUp", "require_step_up"]

STRENGTHS = ("recovery", "totp")
"""Weakest first."""


class Need(BaseModel):
    """What an act needs."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    strength: Literal["recovery", "totp"]
    max_age_s: int = Field(ge=1, le=3_600)
    when: Literal["always", "enrolled"]


@dataclass(frozen=True, slots=True)
class StepUp:
    """A proof that was given: which, and when in µs since the Unix epoch."""

    strength: str
    time_us: int


def read_acts() -> dict[str, Need]:
    """Return what each act needs."""
    place = resources.files("ringfence") / "identity" / "stepup.yaml"
    return TypeAdapter(dict[str, Need]).validate_python(yaml.safe_load(place.read_bytes())["acts"])


ACTS = read_acts()


def require_step_up(
    act: str, what: str, proof: StepUp | None, now_us: int, *, enrolled: bool
) -> None:
    """Make sure that `proof` is enough for `act`; `what` says it in words.

    `enrolled`: whether who asks has a one-time code in force.

    Raises:
        StepUpError: it is not. What needs it stays undone.
    """
    need = ACTS.get(act)
    if need is None:
        raise StepUpError(f"{what}: nothing says what this needs, so nothing is enough", hint="")
    if need.when == "enrolled" and not enrolled:
        return
    if proof is not None and proof.strength in STRENGTHS:
        strong = STRENGTHS.index(proof.strength) >= STRENGTHS.index(need.strength)
        # A clock that went back makes a proof of the future: that is none.
        if strong and 0 <= now_us - proof.time_us <= need.max_age_s * 1_000_000:
            return
    hint = "`ringfence mfa step-up`, then ask again"
    if not enrolled:
        hint = "`ringfence mfa totp` enrols an authenticator app; then `ringfence mfa step-up`"
    said = f"{what} needs a step-up of {need.strength}, no older than {need.max_age_s} s"
    raise StepUpError(said, hint=hint, max_age_s=need.max_age_s, strength=need.strength)
