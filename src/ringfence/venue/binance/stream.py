"""Binance's market streams: trades, best prices and books under names such as `btcusdt@trade`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

from ringfence.venue.binance import shapes, user_data
from ringfence.venue.book import Fill
from ringfence.venue.exchange import Exchange
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["BinanceFeed"]


class BinanceFeed:
    """Source: Binance spot API docs, "WebSocket Streams" (read 2026-11)."""

    MARKET_PATHS: tuple[str, ...] = ("/ws", "/ws/{names:path}", "/stream")
    paths: tuple[str, ...] = (*MARKET_PATHS, user_data.PATH)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._updates = itertools.count(1)

    def opened(self, listener: Listener) -> None:
        names = listener.query.get("streams", "")
        if "/ws/" in listener.path:
            names = listener.path.partition("/ws/")[2]
        listener.topics.update(dict.fromkeys(filter(None, names.split("/"))))

    def heard(self, listener: Listener, text: str) -> None:
        if listener.path == user_data.PATH:
            listener.say(user_data.answer(listener, text))
            return
        try:
            wanted = json.loads(text)
            method, names = wanted["method"], list(map(str, wanted.get("params") or []))
        except (ValueError, KeyError, TypeError):
            listener.say({"error": {"code": 2, "msg": "Invalid request"}})
            return
        result: Any = None
        if method == "SUBSCRIBE":
            listener.topics.update(dict.fromkeys(names))
        elif method == "UNSUBSCRIBE":
            for name in names:
                listener.topics.pop(name, None)
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(listener.topics)
        listener.say({"result": result, "id": wanted.get("id")})

    def traded(self, fill: Fill) -> Iterable[tuple[str, Any]]:
        symbol = fill.taker.symbol
        event = {
            "e": "trade", "E": fill.time_ms, "s": symbol, "t": fill.trade_id,
            "p": shapes.text(fill.price), "q": shapes.text(fill.quantity), "T": fill.time_ms,
            "m": fill.maker.side == "BUY", "M": True,
        }  # fmt: skip
        yield f"{symbol.lower()}@trade", event

    def changed(self, listener: Listener, change: Change) -> Iterable[Any]:
        return user_data.told(self._exchange, listener, change)

    def moment(self, topic: str) -> dict[str, Any] | None:
        symbol, _, kind = topic.partition("@")
        market = self._exchange.markets.get(symbol.upper())
        if market is None:
            return None
        if kind == "bookTicker":
            full = shapes.ticker(market, 0)
            keys = {"b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}
            rows = {short: full[long] for short, long in keys.items()}
            return {"u": next(self._updates), "s": symbol.upper(), **rows}
        levels = kind.removesuffix("@100ms").removeprefix("depth")
        if not kind.startswith("depth") or not (levels or "1000").isdecimal():
            return None
        book = shapes.depth(market, int(levels or 1000))
        if levels:
            return book
        update = next(self._updates)
        return {
            "e": "depthUpdate", "E": now_ms(), "s": symbol.upper(),
            "U": update, "u": update, "b": book["bids"], "a": book["asks"],
        }  # fmt: skip

    def dress(self, listener: Listener, topic: str, event: Any) -> Any:
        """What is asked for on `/stream` is told with its name; answers are as they are."""
        return {"stream": topic, "data": event} if listener.path.endswith("/stream") else event
