"""What makes the paper venue speak one venue's API: handlers, envelopes, and a market stream.

The exchange behind it is one. Its words for sides, kinds, statuses and refusals are Binance's; the
other shapes translate them by tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ringfence.venue.book import Fill, Order
from ringfence.venue.exchange import Exchange, VenueRefusal
from ringfence.venue.keys import VenueKey

__all__ = ["Change", "Feed", "Handler", "Heart", "Listener", "Params", "Shape", "Whole", "now_ms"]

Params = dict[str, Any]
"""Query and body of a request together. The objects of a JSON list stand under `items`."""

Handler = Callable[[Exchange, Params, str], Any]
"""Answers a request: the exchange, the parameters, and the account ("" where anybody may ask)."""

QUEUE_MAX = 1000
"""Messages that a slow reader may be behind; then it misses what comes."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A handler's answer that is the whole body, with nothing around it."""

    body: Any


@dataclass(frozen=True, slots=True)
class Shape:
    """One venue's API. `wrap` puts an answer into its envelope; `refuse` gives status and body."""

    name: str
    public: Mapping[tuple[str, str], Handler]
    private: Mapping[tuple[str, str], Handler]
    wrap: Callable[[Any], Any]
    refuse: Callable[[VenueRefusal], tuple[int, Any]]
    feed: Callable[[Exchange], Feed]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an account: to its `order`, by `fill`; with neither, to its balances."""

    account: str
    order: Order | None
    fill: Fill | None


class Heart(Protocol):
    """Asks a listener again and again whether it is there."""

    due: float
    """When next, by the monotonic clock."""

    def beat(self, listener: Listener) -> None:
        """Ask it, or end it if it has not answered."""
        ...


@dataclass(slots=True, eq=False)
class Listener:
    """A client of a stream: who it is, what it wants to hear, and what it has not heard yet."""

    path: str
    query: Mapping[str, str]
    topics: dict[str, Any] = field(default_factory=dict)
    """By topic, what the feed keeps about the subscription."""
    account: str = ""
    """Whom the gateway attests, or who has logged on; nobody, if empty."""
    keys: Mapping[str, VenueKey] = field(default_factory=dict)
    """By which it may log on."""
    private: dict[str, Any] = field(default_factory=dict)
    """By topic, what it wants to hear of its account."""
    heart: Heart | None = None
    queue: asyncio.Queue[Any] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))
    """Events as JSON values, or as texts; None ends it."""

    def say(self, event: Any) -> None:
        """Let it hear `event` when it is ready."""
        with contextlib.suppress(asyncio.QueueFull):
            self.queue.put_nowait(event)


class Feed(Protocol):
    """A venue's streams."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Where clients connect."""
        ...

    def opened(self, listener: Listener) -> None:
        """Greet a new listener, and subscribe it to what its address names."""
        ...

    def heard(self, listener: Listener, text: str) -> None:
        """Do what a client says; answer by `Listener.say`."""
        ...

    def traded(self, fill: Fill) -> Iterable[tuple[str, Any]]:
        """Return what there is to tell about a trade, by topic."""
        ...

    def changed(self, listener: Listener, change: Change) -> Iterable[Any]:
        """Return what there is to tell this listener about its account."""
        ...

    def moment(self, topic: str) -> Any | None:
        """Return how things stand on `topic`, told ten times a second; None where nothing is."""
        ...

    def dress(self, listener: Listener, topic: str, event: Any) -> Any:
        """Return `event` as this listener wants it."""
        ...


def now_ms() -> int:
    """Return the time in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000
