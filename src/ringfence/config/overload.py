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
    order: Wait = 200
    account_read: Wait = 200
    market_read: Wait = 100


class Overload(Section):
    """Who waits for whom, and for how long. Each engine thread has lines of its own."""

    waits_ms: Waits = Waits()
    waiting: Annotated[int, Field(ge=1, le=1_000_000)] = 1_024
    """Messages that wait for a connection to the venue."""
    reserve_percent: Annotated[int, Field(ge=0, le=90)] = 10
    """Of the connections to the venue, rounded up, for what reduces risk."""
