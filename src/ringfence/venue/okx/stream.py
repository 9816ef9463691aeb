"""OKX's public channel: trades, tickers and books; clients keep it alive by a bare `ping`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ringfence.venue.book import Fill
from ringfence.venue.exchange import Exchange
from ringfence.venue.okx import private, shapes
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["OkxFeed"]

BOOKS = {"books5": 5, "bbo-tbt": 1}
"""Channels that tell a whole book each time, and how deep."""
CHANNELS = {"tickers", "trades", "books", *BOOKS}


class OkxFeed:
    """Source: OKX v5 API docs, "WebSocket" (read 2026-11). `books` is told as snapshots."""

    paths = ("/ws/v5/public", private.PATH)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def opened(self, listener: Listener) -> None:
        """Nothing is told before it is asked for."""

    def heard(self, listener: Listener, text: str) -> None:
        if text == "ping":
            listener.say("pong")
            return
        try:
            said = json.loads(text)
            op, args = said["op"], [dict(arg) for arg in said["args"]]
        except (ValueError, KeyError, TypeError):
            listener.say({"event": "error", "code": "60012", "msg": "Illegal request"})
            return
        if listener.path == private.PATH:
            private.heard(self._exchange, listener, op, args)
            return
        for arg in args:
            topic = f"{arg.get('channel')}:{arg.get('instId')}"
            if op not in ("subscribe", "unsubscribe") or not self._known(topic):
                text = f"Wrong URL or {arg} doesn't exist."
                listener.say({"event": "error", "code": "60018", "msg": text})
                continue
            if op == "subscribe":
                listener.topics[topic] = None
            else:
                listener.topics.pop(topic, None)
            listener.say({"event": op, "arg": arg, "connId": "paper"})

    def _known(self, topic: str) -> bool:
        channel, _, symbol = topic.partition(":")
        return channel in CHANNELS and symbol in self._exchange.markets

    def traded(self, fill: Fill) -> Iterable[tuple[str, Any]]:
        topic = f"trades:{fill.taker.symbol}"
        yield topic, told(topic, shapes.trade(fill) | {"count": "1"})

    def changed(self, listener: Listener, change: Change) -> Iterable[Any]:
        return private.told(self._exchange, listener, change)

    def moment(self, topic: str) -> dict[str, Any] | None:
        channel, _, symbol = topic.partition(":")
        market, now = self._exchange.markets[symbol], now_ms()
        if channel == "tickers":
            return told(topic, shapes.ticker(market, now))
        if channel == "trades":
            return None
        book = shapes.book(market, BOOKS.get(channel, 400), now) | {"seqId": now, "prevSeqId": -1}
        if channel in BOOKS:
            return told(topic, book | {"instId": symbol})
        return told(topic, book) | {"action": "snapshot"}

    def dress(self, listener: Listener, topic: str, event: Any) -> Any:
        return event


def told(topic: str, row: Any) -> dict[str, Any]:
    channel, _, symbol = topic.partition(":")
    return {"arg": {"channel": channel, "instId": symbol}, "data": [row]}
