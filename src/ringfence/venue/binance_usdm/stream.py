"""The futures' streams: the spot venue's, with what futures events have besides, and accounts'."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ringfence.venue.binance.stream import BinanceFeed
from ringfence.venue.binance_usdm import user_data
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["UsdmFeed"]

ROUTED_PATHS = tuple(
    f"/{kind}{path}" for kind in ("public", "market") for path in BinanceFeed.MARKET_PATHS
)
"""Since 2026 a stream's kind stands in front of its path; without one it is a public one."""


class UsdmFeed(BinanceFeed):
    """Source: Binance USDS-M futures docs, "Websocket Market Streams" (read 2026-11)."""

    paths = (*BinanceFeed.MARKET_PATHS, *ROUTED_PATHS, *user_data.PATHS)

    def opened(self, listener: Listener) -> None:
        name = listener.query.get("listenKey", "") or listener.path.rpartition("/ws/")[2]
        private = listener.path.startswith("/private/")
        if private or (listener.path.startswith("/ws/") and not set(name) & set("@!/")):
            user_data.opened(self._exchange, listener, name)
        else:
            super().opened(listener)

    def changed(self, listener: Listener, change: Change) -> Iterable[Any]:
        return user_data.told(self._exchange, listener, change)

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
