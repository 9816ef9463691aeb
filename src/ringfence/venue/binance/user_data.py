"""Binance's user data stream on the WebSocket API: an account's orders, fills and balances."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ringfence.venue.binance.shapes import text
from ringfence.venue.book import ZERO, Fill, Order
from ringfence.venue.exchange import Exchange, VenueRefusal
from ringfence.venue.keys import binance_frame
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["PATH", "answer", "told"]

PATH = "/ws-api/v3"
TOPIC = "user"


def answer(listener: Listener, said: str) -> dict[str, Any]:
    """Return the answer to a message. Source: web-socket-api.md (read 2026-11)."""
    try:
        asked = json.loads(said)
        number, method = asked.get("id"), str(asked["method"])
        params = dict(asked.get("params") or {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return failed(None, VenueRefusal(-1135, "Invalid JSON Request"))
    try:
        if method == "userDataStream.subscribe.signature":
            listener.account = binance_frame(listener.keys, params).account
        elif method == "userDataStream.unsubscribe":
            listener.private.clear()
            return {"id": number, "status": 200, "result": {}, "rateLimits": []}
        elif method != "userDataStream.subscribe":
            raise VenueRefusal(-1020, "This operation is not supported.")
        if not listener.account:
            message = "Invalid API-key, IP, or permissions for action."
            raise VenueRefusal(-2015, message, 401)
    except VenueRefusal as refusal:
        return failed(number, refusal)
    listener.private[TOPIC] = 0
    return {"id": number, "status": 200, "result": {"subscriptionId": 0}, "rateLimits": []}


def failed(number: Any, refusal: VenueRefusal) -> dict[str, Any]:
    error = {"code": refusal.code, "msg": refusal.message}
    return {"id": number, "status": refusal.status, "error": error, "rateLimits": []}


def told(exchange: Exchange, listener: Listener, change: Change) -> Iterator[dict[str, Any]]:
    """Yield what a subscriber hears of a change."""
    if TOPIC in listener.private:
        order = change.order
        event = balances(exchange, change) if order is None else execution(order, change.fill)
        yield {"subscriptionId": listener.private[TOPIC], "event": event}


def balances(exchange: Exchange, change: Change) -> dict[str, Any]:
    now = now_ms()
    rows = [
        {"a": currency, "f": text(b.free), "l": text(b.locked)}
        for currency, b in exchange.balances(change.account).items()
    ]
    return {"e": "outboundAccountPosition", "E": now, "u": now, "B": rows}


def execution(o: Order, fill: Fill | None) -> dict[str, Any]:
    now = now_ms()
    what = "TRADE" if fill else "REPLACED" if o.filled and o.open else o.status
    last = (fill.price, fill.quantity) if fill else (ZERO, ZERO)
    return {
        "e": "executionReport", "E": now, "s": o.symbol, "c": o.client_order_id, "S": o.side,
        "o": o.kind, "f": o.time_in_force, "q": text(o.quantity), "p": text(o.price),
        "P": text(ZERO), "F": text(ZERO), "g": -1, "C": "", "x": what, "X": o.status, "r": "NONE",
        "i": o.order_id, "l": text(last[1]), "z": text(o.filled), "L": text(last[0]),
        "n": text(ZERO), "N": None, "T": o.updated_ms or o.time_ms,
        "t": fill.trade_id if fill else -1, "I": now, "w": o.open,
        "m": bool(fill and fill.maker is o), "M": False, "O": o.time_ms, "Z": text(o.spent),
        "Y": text(last[0] * last[1]), "Q": text(o.amount), "W": o.time_ms, "V": "NONE",
    }  # fmt: skip
