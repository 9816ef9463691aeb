"""What is done when there is more to do than there is room for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ringfence.config.section import Section

__all__ = ["Overload"]

Wait = Annotated[int, Field(ge=1, le=60_000)]


class Waits(Section):
    """How long a message waits at most; then it is refused and never sent late.

    What reduces risk waits on while anything less urgent is in its way.
    """

    risk_reducing: Wait = 1_000
    order: Wait = 500
    account_read: Wait = 500
    market_read: Wait = 200


class Breaker(Section):
    """A venue that did not answer so often in a row is left alone for so long, but by cancels."""

    failures: Annotated[int, Field(ge=1, le=10_000)] = 5
    open_ms: Annotated[int, Field(ge=1, le=600_000)] = 1_000
    """At first; each time that it is not back, twice as long, up to eight times."""


class Overload(Section):
    """Who waits for whom, and for how long. Each engine thread has lines of its own."""

    waits_ms: Waits = Waits()
    waiting: Annotated[int, Field(ge=1, le=1_000_000)] = 1_024
    """Messages that wait for a connection to the venue."""
    lag_ms: Annotated[int, Field(ge=1, le=60_000)] = 50
    """A thread that is behind by more does without reads."""
    reserve_percent: Annotated[int, Field(ge=0, le=90)] = 10
    """Of the connections to the venue, rounded up, for what reduces risk."""
    adaptive: bool = True
    """Whether so many are under way at once as the venue keeps up with, from `floor` to as many as
    there are connections; otherwise always as many as those."""
    floor: Annotated[int, Field(ge=1, le=65_536)] = 4
    breaker: Breaker | None = Breaker()
    """None: the venue is asked however often it does not answer."""
