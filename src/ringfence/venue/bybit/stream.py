"""Bybit's public stream for spot: trades, tickers and books by topics."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ringfence.venue.book import Fill
from ringfence.venue.bybit import private, shapes
from ringfence.venue.exchange import Exchange
from ringfence.venue.fields import plain
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["BybitFeed"]

DEPTHS = ("1", "50", "200", "1000")


class BybitFeed:
    """Source: Bybit v5 API docs, "WebSocket Stream" (read 2026-11). Books are told as snapshots."""

    paths = ("/v5/public/spot", private.PATH)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def opened(self, listener: Listener) -> None:
        """Nothing is told before it is asked for."""

    def heard(self, listener: Listener, text: str) -> None:
        if listener.path == private.PATH:
            listener.say(private.answer(listener, text))
            return
        try:
            said = json.loads(text)
            op, names = said["op"], list(map(str, said.get("args") or []))
        except (ValueError, KeyError, TypeError):
            listener.say({"success": False, "ret_msg": "Invalid request", "op": ""})
            return
        answer = {"success": True, "ret_msg": "", "conn_id": "paper", "op": op}
        answer |= {"req_id": said["req_id"]} if "req_id" in said else {}
        unknown = [name for name in names if self._market(name) is None]
        if op == "ping":
            answer["ret_msg"] = "pong"
        elif op == "subscribe" and not unknown:
            listener.topics.update(dict.fromkeys(names))
        elif op == "unsubscribe":
            for name in names:
                listener.topics.pop(name, None)
        else:
            answer |= {
                "success": False,
                "ret_msg": f"error:handler not found,topic:{unknown or op}",
            }
        listener.say(answer)

    def _market(self, topic: str) -> Any:
        kind, _, rest = topic.partition(".")
        depth, _, symbol = rest.rpartition(".")
        if kind == "orderbook" and depth not in DEPTHS:
            return None
        return self._exchange.markets.get(symbol)

    def traded(self, fill: Fill) -> Iterable[tuple[str, Any]]:
        topic = f"publicTrade.{fill.taker.symbol}"
        row = {
            "T": fill.time_ms, "s": fill.taker.symbol, "S": shapes.SIDE_WORDS[fill.taker.side],
            "v": plain(fill.quantity), "p": plain(fill.price),
            "i": str(fill.trade_id), "BT": False, "RPI": False, "seq": fill.trade_id,
        }  # fmt: skip
        yield topic, {"topic": topic, "type": "snapshot", "ts": fill.time_ms, "data": [row]}

    def changed(self, listener: Listener, change: Change) -> Iterable[Any]:
        return private.told(self._exchange, listener, change)

    def moment(self, topic: str) -> dict[str, Any] | None:
        market = self._market(topic)
        now = now_ms()
        event = {"topic": topic, "type": "snapshot", "ts": now, "cs": now}
        if topic.startswith("orderbook."):
            return event | {"data": shapes.book(market, int(topic.split(".")[1]), now)}
        if topic.startswith("tickers."):
            full = shapes.ticker(market)
            # The stream's ticker has no quotes.
            return event | {"data": {k: v for k, v in full.items() if "1" not in k}}
        return None

    def dress(self, listener: Listener, topic: str, event: Any) -> Any:
        return event
