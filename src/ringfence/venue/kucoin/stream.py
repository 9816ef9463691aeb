"""KuCoin's WebSocket: markets and, by a token that is an account's, what happens to that."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ringfence.venue.book import Fill
from ringfence.venue.day import candles
from ringfence.venue.exchange import Exchange
from ringfence.venue.kucoin import private, rest, shapes, token
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["KucoinFeed"]

ATTESTED, MARKETS = "/endpoint/private", "/endpoint/public"
"""Where whoever stands before the venue connects, and says itself who listens."""
Levels = dict[str, dict[str, str]]
"""Sizes by price, by side."""
DEPTHS = {"/spotMarket/level2Depth5": 5, "/spotMarket/level2Depth50": 50}
"""Topics that tell a whole book each time, and how deep."""
SUBJECTS = {
    "/market/ticker": "trade.ticker",
    "/market/snapshot": "trade.snapshot",
    "/market/level2": "trade.l2update",
    "/market/match": "trade.l3match",
    "/market/candles": "trade.candles.update",
    "/spotMarket/level1": "level1",
    **dict.fromkeys(DEPTHS, "level2"),
}


class KucoinFeed:
    """Source: KuCoin API docs, "WebSocket: Introduction", "Error Code" (read 2026-11)."""

    paths = (token.PATH, ATTESTED, MARKETS)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._books: dict[str, tuple[int, Levels]] = {}
        """By symbol, until when its changes were told, and the book as it stood then."""

    def opened(self, listener: Listener) -> None:
        """Let in who shows a token, and say whether it is taken."""
        said = {"id": listener.query.get("connectId", str(now_ms()))}
        if listener.path == token.PATH:
            account = token.holder(listener.query.get("token", ""))
            if account is None:
                listener.say(said | {"type": "error", "code": 401, "data": "token is invalid"})
                listener.say(None)
                return
            listener.account = account
        listener.say(said | {"type": "welcome"})

    def heard(self, listener: Listener, text: str) -> None:
        try:
            said = dict(json.loads(text))
        except (ValueError, TypeError):
            listener.say({"type": "error", "code": 400, "data": "invalid message"})
            return
        answer = {"id": said.get("id")}
        if said.get("type") == "ping":
            listener.say(answer | {"type": "pong"})
            return
        code, why = self._follow(listener, said)
        if code:
            listener.say(answer | {"type": "error", "code": code, "data": why})
        elif said.get("response") is True:
            listener.say(answer | {"type": "ack"})

    def _follow(self, listener: Listener, said: dict[str, Any]) -> tuple[int, str]:
        """Do what a message asks; return why not, or 0."""
        kind, topic = said.get("type"), said.get("topic")
        if kind not in ("subscribe", "unsubscribe"):
            return 415, "type is not supported"
        if not isinstance(topic, str):
            return 406, "topic is required"
        if topic in private.TOPICS:
            if not listener.account or said.get("privateChannel") is not True:
                return 403, "login is required"
            keep(listener.private, topic, kind)
            return 0, ""
        name, _, args = topic.partition(":")
        each = [f"{name}:{arg}" for arg in args.split(",")]
        if not all(self._known(one) for one in each):
            return 404, f"topic {topic} is not found"
        for one in each:
            keep(listener.topics, one, kind)
        return 0, ""

    def _known(self, topic: str) -> bool:
        name, _, arg = topic.partition(":")
        symbol, _, bar = arg.partition("_")
        bars = not bar if name != "/market/candles" else bar in rest.BARS_MS
        return name in SUBJECTS and symbol in self._exchange.markets and bars

    def traded(self, fill: Fill) -> Iterable[tuple[str, Any]]:
        row = shapes.trade(fill) | {"symbol": fill.taker.symbol, "type": "match"}
        ids = {
            "tradeId": str(fill.trade_id), "takerOrderId": shapes.name(fill.taker.order_id),
            "makerOrderId": shapes.name(fill.maker.order_id), "time": str(row["time"]),
        }  # fmt: skip
        topic = f"/market/match:{fill.taker.symbol}"
        yield topic, told(topic, row | ids)

    def changed(self, listener: Listener, change: Change) -> Iterable[Any]:
        return private.told(self._exchange, listener, change)

    def moment(self, topic: str) -> dict[str, Any] | None:
        name, _, arg = topic.partition(":")
        symbol, _, bar = arg.partition("_")
        market, now = self._exchange.markets[symbol], now_ms()
        if name == "/market/match":
            return None
        if name == "/market/level2":
            return told(topic, self._changes(symbol, now))
        if name == "/market/snapshot":
            return told(topic, {"sequence": str(now), "data": shapes.snapshot(market, now)})
        if name == "/market/candles":
            (last,) = candles(market, rest.BARS_MS[bar], 1, now)
            row = {"symbol": symbol, "candles": shapes.candle(last), "time": now * 1_000_000}
            return told(topic, row)
        if name == "/market/ticker":
            row = rest.best(self._exchange, {"symbol": symbol}, "")
            return told(topic, row)
        rows = shapes.book(market, DEPTHS.get(name, 1), now)
        if name == "/spotMarket/level1":
            one = {side: rows[side][0] for side in ("asks", "bids")}
            return told(topic, one | {"timestamp": now})
        return told(topic, {side: rows[side] for side in ("asks", "bids")} | {"timestamp": now})

    def _changes(self, symbol: str, now: int) -> dict[str, Any]:
        """Return what became of a book since the last time. A level that has gone is of size 0."""
        book = shapes.book(self._exchange.markets[symbol], shapes.DEEP, now)
        after: Levels = {side: dict(book[side]) for side in ("asks", "bids")}
        since, before = self._books.get(symbol, (now - 1, after))
        self._books[symbol] = (now, after)
        changes = {
            side: [
                [price, levels.get(price, "0"), str(now)]
                for price in before[side] | levels
                if before[side].get(price) != levels.get(price)
            ]
            for side, levels in after.items()
        }
        sequence = {"sequenceStart": since + 1, "sequenceEnd": now, "time": now}
        return {"symbol": symbol, "changes": changes} | sequence

    def dress(self, listener: Listener, topic: str, event: Any) -> Any:
        return event


def keep(topics: dict[str, Any], topic: str, kind: Any) -> None:
    if kind == "subscribe":
        topics[topic] = None
    else:
        topics.pop(topic, None)


def told(topic: str, data: dict[str, Any]) -> dict[str, Any]:
    subject = SUBJECTS[topic.partition(":")[0]]
    return {"type": "message", "topic": topic, "subject": subject, "data": data}
