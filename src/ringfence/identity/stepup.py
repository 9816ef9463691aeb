"""Whether who asks has just proved again who they are, as strongly as the act needs it.

One question for all that needs it. The rules are data (`stepup.yaml`); an act without a rule is
refused. Reads no clock.

Source: RFC 9470: a proof has an age (max_age) and a strength (acr).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ringfence.errors import StepUpError

__all__ = [
    "ACTS",
    "STRENGTHS",
    "May",
    "Need",
    "StepUp",
    "enough",
    "refused",
    "require_step_up",
    "way_to",
]

STRENGTHS = ("admitted", "recovery", "totp", "passkey")
"""Weakest first."""

May = Callable[[str, str], None]
"""Takes an act, and what it is in words (empty: the rule's own); raises StepUpError unless it may
be done."""


class Need(BaseModel):
    """What an act needs; `says`: what it is, in words."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    strength: Literal["admitted", "recovery", "totp", "passkey"]
    max_age_s: int = Field(ge=1, le=86_400)
    says: str


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
    act: str, what: str, proof: StepUp | None, now_us: int, *, enrolled: Collection[str]
) -> None:
    """Make sure that `proof` is enough for `act`; `what` says it in words, empty: as the rule.

    `enrolled`: what who asks can step up with.

    Raises:
        StepUpError: it is not. What needs it stays undone.
    """
    need = ACTS.get(act)
    if need is None:
        said = f"{what or act}: nothing says what this needs, so nothing is enough"
        raise StepUpError(said, hint="")
    if proof is not None and proof.strength in STRENGTHS:
        strong = STRENGTHS.index(proof.strength) >= STRENGTHS.index(need.strength)
        # A clock that went back makes a proof of the future: that is none.
        if strong and 0 <= now_us - proof.time_us <= need.max_age_s * 1_000_000:
            return
    raise StepUpError(
        f"{what or need.says} needs a step-up of {need.strength}, no older than {need.max_age_s} s",
        hint=way_to(enough(need.strength), enrolled),
        max_age_s=need.max_age_s,
        strengths=enough(need.strength),
    )


def enough(strength: str) -> tuple[str, ...]:
    """Return all strengths that are as good as this one, weakest first."""
    return STRENGTHS[STRENGTHS.index(strength) :]


def way_to(strengths: Collection[str], enrolled: Collection[str]) -> str:
    """Return what to do for a proof of one of these strengths."""
    if "admitted" in strengths:
        return "an owner lets you enrol: `ringfence mfa reset NAME`, good for 24 hours"
    if "passkey" in strengths and "passkey" in enrolled:
        return "`ringfence mfa step-up --passkey`, then ask again"
    if "passkey" in strengths and "totp" not in strengths:
        return "`ringfence mfa passkey add` enrols one; then `ringfence mfa step-up --passkey`"
    if "passkey" in strengths and not enrolled:
        return "`ringfence mfa totp` or `ringfence mfa passkey add` enrols a factor; then step up"
    if "totp" in strengths and "totp" not in enrolled:
        return "`ringfence mfa totp` enrols an app; then `ringfence mfa step-up`"
    return "`ringfence mfa step-up`, then ask again"


def refused(act: str, what: str) -> None:
    """Refuse, as whoever asks has proved nothing."""
    require_step_up(act, what, None, 0, enrolled=("totp",))
