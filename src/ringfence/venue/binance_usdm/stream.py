"""The futures' market streams: the spot venue's, with what a futures event has besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ringfence.venue.binance.stream import BinanceFeed
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["UsdmFeed"]


class UsdmFeed(BinanceFeed):
    """Source: Binance USDS-M futures docs, "Websocket Market Streams" (read 2026-11)."""

    paths = ("/ws", "/ws/{names:path}", "/stream")

    def changed(self, listener: Listener, change: Change) -> Iterable[Any]:
        """Tell nothing: an account's events come under a `listenKey`, which is not given out."""
        return ()

    def moment(self, topic: str) -> dict[str, Any] | None:
        event = super().moment(topic)
        if event is None:
            return None
        now, symbol = now_ms(), topic.partition("@")[0].upper()
        if topic.endswith("@bookTicker"):
            return event | {"e": "bookTicker", "E": now, "T": now}
        if "bids" in event:
            update = event["lastUpdateId"]
            names = {"e": "depthUpdate", "E": now, "T": now, "s": symbol}
            book = {"b": event["bids"], "a": event["asks"]}
            return names | {"U": update, "u": update, "pu": update} | book
        return event | {"T": now, "pu": event["U"] - 1}
