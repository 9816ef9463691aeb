"""How whoever goes on after being refused is made to wait, then kept out."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ringfence.config.section import Section, wrong

__all__ = ["Bans"]

POINTS = {
    "signature_invalid": 10,
    "signature_malformed": 10,
    "credential_unknown": 5,
    "replay_seen": 5,
    "http_framing_ambiguous": 20,
    "http_malformed": 5,
    "http_flood": 100,
    "route_unknown": 2,
    "edge_rate": 1,
    "edge_full": 1,
    "budget_exceeded": 10,
}
"""What says Retry-After counts only from whoever comes again before."""

Seconds = Annotated[int, Field(ge=1, le=31_536_000)]


def read_network(text: str) -> str:
    """Check a network in CIDR form."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise wrong("is not a network", "write 10.0.0.0/8 or 2001:db8::/32") from None
    return text


class Step(Section):
    """One step up: `wait` answers 429, `ban` in the venue's own words for it."""

    answer: Literal["wait", "ban"]
    seconds: Seconds


STEPS = (
    Step(answer="wait", seconds=10),
    Step(answer="wait", seconds=60),
    Step(answer="ban", seconds=120),
    Step(answer="ban", seconds=600),
    Step(answer="ban", seconds=3_600),
    Step(answer="ban", seconds=21_600),
    Step(answer="ban", seconds=86_400),
    Step(answer="ban", seconds=259_200),
)
"""From 2 minutes to 3 days, as at Binance."""


class Bans(Section):
    """The ladder. `threshold` points are one step up; `leak_per_s` are forgotten in a second."""

    points: dict[str, Annotated[int, Field(ge=1, le=1_000_000)]] = Field(default=POINTS)
    """Of an offence, by the refusal's code."""
    threshold: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1_000
    leak_per_s: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    forgive_s: Seconds = 3_600
    """After so long without an offence a step is taken back."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=32, strict=False)] = STEPS
    exempt: Annotated[
        tuple[Annotated[str, AfterValidator(read_network)], ...],
        Field(max_length=256, strict=False),
    ] = ("127.0.0.0/8", "::1/128")
    """Never banned by these rules: a proxy or a tunnel of your own, which stands for many."""
    known_s: Seconds = 86_400
    """How long a key is known at an address by a good signature; then a ban spares it there."""
    verifications: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Signatures that are verified in a window of the edge, of a banned address."""
    capacity: Annotated[int, Field(ge=1, le=1 << 24)] = 65_536
    """How many bans these rules keep at most."""
