"""Kraken's streams: v2 by channels and symbols, v1 by pairs and subscriptions."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ringfence.venue.book import SIDES, Fill
from ringfence.venue.day import day
from ringfence.venue.exchange import Exchange, Market, VenueRefusal
from ringfence.venue.kraken import private, rest, shapes
from ringfence.venue.kraken.private import iso
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["KrakenFeed"]

V1, V2 = "/", "/v2"
CHANNELS = ("ticker", "trade", "book")
DEPTH = 10
CHECKED = 10
"""Levels of each side that a book's checksum covers."""


class KrakenFeed:
    """Source: Kraken API docs, "WebSocket v2" and "v1" (read 2026-11). Books are told as snapshots.

    Topics are `channel:symbol:depth` with the pair's id as symbol.
    """

    paths = (V1, V2)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def opened(self, listener: Listener) -> None:
        if listener.path == V2:
            state = {"system": "online", "api_version": "v2", "version": "2.0.10"}
            row = state | {"connection_id": id(listener)}
            listener.say({"channel": "status", "type": "update", "data": [row]})
        else:
            state = {"event": "systemStatus", "status": "online", "version": "1.9.6"}
            listener.say(state | {"connectionID": id(listener)})

    def heard(self, listener: Listener, text: str) -> None:
        try:
            said = dict(json.loads(text))
        except (ValueError, TypeError):
            listener.say({"error": "Malformed request", "success": False})
            return
        if listener.path == V2:
            self._heard_v2(listener, said)
        else:
            self._heard_v1(listener, said)

    def _heard_v2(self, listener: Listener, said: dict[str, Any]) -> None:
        method, params = said.get("method"), said.get("params") or {}
        stamp = {"time_in": iso(now_ms()), "time_out": iso(now_ms())}
        stamp |= {"req_id": said["req_id"]} if "req_id" in said else {}
        if method == "ping":
            listener.say({"method": "pong", **stamp})
            return
        if params.get("channel") in private.CHANNELS:
            # Who has not been attested shows a token.
            shown = self._exchange.tokens.get(params.get("token", ""), "")
            listener.account = listener.account or shown
            for event in private.answer(self._exchange, listener, method, params["channel"]):
                listener.say(event | stamp if "method" in event else event)
            return
        for symbol in params.get("symbol", []):
            topic = self._topic(params.get("channel"), str(symbol), params.get("depth"))
            answer = {"method": method, "symbol": symbol, **stamp}
            if topic is None or method not in ("subscribe", "unsubscribe"):
                listener.say(answer | {"error": "Currency pair not supported", "success": False})
                continue
            keep(listener, topic, method == "subscribe")
            result = {"channel": params["channel"], "symbol": symbol, "snapshot": True}
            listener.say(answer | {"result": result, "success": True})

    def _heard_v1(self, listener: Listener, said: dict[str, Any]) -> None:
        event, wanted = said.get("event"), said.get("subscription") or {}
        stamp = {"reqid": said["reqid"]} if "reqid" in said else {}
        if event == "ping":
            listener.say({"event": "pong", **stamp})
            return
        for pair in said.get("pair", []):
            name = wanted.get("name")
            topic = self._topic(name, str(pair), wanted.get("depth"))
            answer = {"event": "subscriptionStatus", "pair": pair, "subscription": wanted, **stamp}
            if topic is None or event not in ("subscribe", "unsubscribe"):
                text = "Currency pair not supported"
                listener.say(answer | {"errorMessage": text, "status": "error"})
                continue
            keep(listener, topic, event == "subscribe")
            listener.say(answer | {"channelName": name, "channelID": 1, "status": f"{event}d"})

    def _topic(self, channel: Any, symbol: str, depth: Any) -> str | None:
        try:
            market = rest.market(self._exchange, symbol)
        except VenueRefusal:
            return None
        if channel not in CHANNELS:
            return None
        levels = depth if isinstance(depth, int) and 0 < depth <= 1000 else DEPTH
        return f"{channel}:{market.instrument.symbol}:{levels if channel == 'book' else 0}"

    def traded(self, fill: Fill) -> Iterable[tuple[str, Any]]:
        yield f"trade:{fill.taker.symbol}:0", fill

    def changed(self, listener: Listener, change: Change) -> Iterable[Any]:
        return private.told(self._exchange, listener, change)

    def moment(self, topic: str) -> Any | None:
        channel, symbol, _ = topic.split(":")
        return None if channel == "trade" else self._exchange.markets[symbol]

    def dress(self, listener: Listener, topic: str, event: Any) -> Any:
        channel, symbol, depth = topic.split(":")
        market = self._exchange.markets[symbol]
        if listener.path == V2:
            return told_v2(channel, market, event, int(depth))
        pair = shapes.pair(market.instrument)["wsname"]
        name = f"book-{depth}" if channel == "book" else channel
        return [1, payload_v1(channel, market, event, int(depth)), name, pair]


def keep(listener: Listener, topic: str, wanted: bool) -> None:
    if wanted:
        listener.topics[topic] = None
    else:
        listener.topics.pop(topic, None)


def told_v2(channel: str, market: Market, event: Any, depth: int) -> dict[str, Any]:
    pair = shapes.pair(market.instrument)["wsname"].replace("XBT", "BTC")
    if channel == "trade":
        row: dict[str, Any] = {
            "symbol": pair, "side": event.taker.side.lower(), "price": float(event.price),
            "qty": float(event.quantity), "ord_type": shapes.kind(event.taker),
            "trade_id": event.trade_id, "timestamp": iso(event.time_ms),
        }  # fmt: skip
    elif channel == "ticker":
        d = day(market)
        row = {
            "symbol": pair, "bid": float(d.bid), "bid_qty": float(d.bid_size),
            "ask": float(d.ask), "ask_qty": float(d.ask_size), "last": float(d.last),
            "volume": float(d.volume), "vwap": float(d.average), "low": float(d.low),
            "high": float(d.high), "change": float(d.last - d.open),
            "change_pct": round(float(d.change * 100), 4),
        }  # fmt: skip
    else:
        levels = {side: market.book.levels(side, depth) for side in SIDES}
        rows = {
            name: [{"price": float(price), "qty": float(size)} for price, size in levels[side]]
            for name, side in zip(("bids", "asks"), SIDES, strict=True)
        }
        row = {"symbol": pair, **rows, "checksum": checksum(market, levels)}
        row["timestamp"] = iso(now_ms())
    kind = "snapshot" if channel == "book" else "update"
    return {"channel": channel, "type": kind, "data": [row]}


def checksum(market: Market, levels: dict[Any, list[tuple[Decimal, Decimal]]]) -> int:
    """Return a book's CRC-32 over its best asks, then bids, without points and leading zeros."""
    instrument, text = market.instrument, ""
    for side in reversed(SIDES):
        for price, size in levels[side][:CHECKED]:
            for value, step in ((price, instrument.tick), (size, instrument.lot)):
                text += f"{value.quantize(step):f}".replace(".", "").lstrip("0")
    return zlib.crc32(text.encode())


def payload_v1(channel: str, market: Market, event: Any, depth: int) -> Any:
    if channel == "ticker":
        return shapes.ticker(market)
    if channel == "trade":
        price, size, at, side, kind, misc, _ = shapes.trade(event)
        return [[price, size, f"{at:.6f}", side, kind, misc]]
    now = f"{now_ms() / 1000:.6f}"
    rows = shapes.book(market, depth, now_ms())
    return {
        short: [[price, size, now] for price, size, _ in rows[name]]
        for short, name in (("as", "asks"), ("bs", "bids"))
    }
