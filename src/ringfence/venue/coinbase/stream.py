"""No stream: Coinbase's WebSockets are another API, which this venue does not speak."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ringfence.venue.book import Fill
from ringfence.venue.exchange import Exchange
from ringfence.venue.shape import Change, Listener

__all__ = ["CoinbaseFeed"]


class CoinbaseFeed:
    """Nobody can connect, so that there is nobody to tell anything."""

    paths: tuple[str, ...] = ()

    def __init__(self, exchange: Exchange) -> None:
        """Take the exchange, as every feed does."""

    def opened(self, listener: Listener) -> None:
        """Greet nobody."""

    def heard(self, listener: Listener, text: str) -> None:
        """Hear nothing."""

    def traded(self, fill: Fill) -> Iterable[tuple[str, Any]]:
        """Return nothing."""
        return ()

    def changed(self, listener: Listener, change: Change) -> Iterable[Any]:
        """Return nothing."""
        return ()

    def moment(self, topic: str) -> Any | None:
        """Return nothing."""
        return None

    def dress(self, listener: Listener, topic: str, event: Any) -> Any:
        """Return the event."""
        return event
