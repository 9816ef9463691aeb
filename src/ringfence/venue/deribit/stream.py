"""Deribit's public subscriptions over JSON-RPC: trades, tickers, quotes and books."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ringfence.venue.book import Fill
from ringfence.venue.day import day
from ringfence.venue.deribit import private, shapes
from ringfence.venue.exchange import Exchange, Market, VenueRefusal
from ringfence.venue.keys import deribit_frame
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["DeribitFeed"]

VERSION = {"version": "1.2.26"}
BOOK_DEPTH = 20


class DeribitFeed:
    """Source: Deribit API docs, "Subscriptions" (read 2026-11). Books are told as snapshots."""

    paths = ("/ws/api/v2",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def opened(self, listener: Listener) -> None:
        """Nothing is told before it is asked for."""

    def heard(self, listener: Listener, text: str) -> None:
        try:
            said = json.loads(text)
            method, params = said["method"], dict(said.get("params") or {})
            channels = [str(one) for one in params.get("channels", [])]
        except (ValueError, KeyError, TypeError):
            listener.say(answer(None, error={"code": -32700, "message": "Parse error"}))
            return
        number = said.get("id")
        if method.startswith("private/") or method == "public/auth":
            listener.say(answer(number, **self._private(listener, method, params, channels)))
            return
        known = [one for one in channels if self._market(one) is not None]
        fixed = {"public/test": VERSION, "public/get_time": now_ms(), "public/hello": VERSION}
        fixed |= {"public/set_heartbeat": "ok", "public/disable_heartbeat": "ok"}
        if method == "public/subscribe":
            listener.topics.update(dict.fromkeys(known))
            listener.say(answer(number, result=known))
        elif method == "public/unsubscribe":
            for one in known:
                listener.topics.pop(one, None)
            listener.say(answer(number, result=known))
        elif method == "public/unsubscribe_all":
            listener.topics.clear()
            listener.say(answer(number, result="ok"))
        elif method in fixed:
            private.hear_beat(listener, method, params)
            listener.say(answer(number, result=fixed[method]))
        else:
            listener.say(answer(number, error={"code": -32601, "message": "Method not found"}))

    def _private(
        self, listener: Listener, method: str, params: dict[str, Any], channels: list[str]
    ) -> dict[str, Any]:
        """Do what somebody with an account says, and return what the answer has."""
        try:
            if method == "public/auth":
                listener.account = deribit_frame(listener.keys, params).account
                return {
                    "result": {"access_token": "paper", "expires_in": 900, "scope": "connection"}
                }
            if not listener.account:
                raise VenueRefusal(13009, "unauthorized")
        except VenueRefusal as refusal:
            return {"error": {"code": refusal.code, "message": refusal.message}}
        if method == "private/unsubscribe_all":
            listener.topics.clear()
            listener.private.clear()
            return {"result": "ok"}
        known = [c for c in channels if private.is_known(c) or self._market(c) is not None]
        if method not in ("private/subscribe", "private/unsubscribe"):
            return {"error": {"code": -32601, "message": "Method not found"}}
        for one in known:
            wanted = listener.private if private.is_known(one) else listener.topics
            if method == "private/subscribe":
                wanted[one] = None
            else:
                wanted.pop(one, None)
        return {"result": known}

    def changed(self, listener: Listener, change: Change) -> Iterable[Any]:
        for channel, data in private.told(self._exchange, listener, change):
            yield told(channel, data)

    def _market(self, channel: str) -> Market | None:
        _, _, rest = channel.partition(".")
        return self._exchange.markets.get(rest.partition(".")[0])

    def traded(self, fill: Fill) -> Iterable[tuple[str, Any]]:
        for interval in ("raw", "100ms", "agg2"):
            channel = f"trades.{fill.taker.symbol}.{interval}"
            yield channel, told(channel, [shapes.trade(fill)])

    def moment(self, topic: str) -> dict[str, Any] | None:
        kind, market, now = topic.partition(".")[0], self._market(topic), now_ms()
        if market is None:
            return None
        if kind == "ticker":
            return told(topic, shapes.ticker(market, now))
        if kind == "quote":
            name = {"instrument_name": market.instrument.symbol, "timestamp": now}
            return told(topic, name | shapes.quotes(day(market)))
        return told(topic, self._book(topic, market, now)) if kind == "book" else None

    @staticmethod
    def _book(topic: str, market: Market, now: int) -> dict[str, Any]:
        full = shapes.book(market, BOOK_DEPTH, now)
        rows = {side: full[side] for side in ("bids", "asks")}
        name = {"instrument_name": market.instrument.symbol, "timestamp": now, "change_id": now}
        parts = topic.split(".")
        if len(parts) > 3:  # book.NAME.GROUP.DEPTH.INTERVAL: levels without a word before them
            depth = int(parts[3]) if parts[3].isdecimal() else BOOK_DEPTH
            return name | {side: levels[:depth] for side, levels in rows.items()}
        changes = {side: [["new", *level] for level in levels] for side, levels in rows.items()}
        return name | {"type": "snapshot", **changes}

    def dress(self, listener: Listener, topic: str, event: Any) -> Any:
        return event


def answer(number: Any, **content: Any) -> dict[str, Any]:
    times = {"usIn": now_ms() * 1000, "usOut": now_ms() * 1000, "usDiff": 0, "testnet": True}
    return {"jsonrpc": "2.0", "id": number, **content, **times}


def told(channel: str, data: Any) -> dict[str, Any]:
    params = {"channel": channel, "data": data}
    return {"jsonrpc": "2.0", "method": "subscription", "params": params}
