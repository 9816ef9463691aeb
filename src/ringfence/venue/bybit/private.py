"""Bybit's private stream: an account's orders, executions and wallet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ringfence.venue.bybit import shapes
from ringfence.venue.exchange import Exchange, VenueRefusal
from ringfence.venue.keys import bybit_frame
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["PATH", "answer", "told"]

PATH = "/v5/private"
KINDS = {"order", "execution", "wallet", "position"}


def answer(listener: Listener, text: str) -> dict[str, Any]:
    """Return the answer to a message. Source: Bybit v5 API docs, "Connect" (read 2026-11)."""
    try:
        said = json.loads(text)
        op, args = said["op"], list(said.get("args") or [])
    except (ValueError, KeyError, TypeError):
        return {"success": False, "ret_msg": "Invalid request", "op": ""}
    named = {"req_id": said["req_id"]} if "req_id" in said else {}
    done = {"success": True, "ret_msg": "", "conn_id": "paper", "op": op, **named}
    topics = [str(topic) for topic in args]
    if op == "auth":
        try:
            listener.account = bybit_frame(listener.keys, args).account
        except VenueRefusal as refusal:
            return done | {"success": False, "ret_msg": refusal.message}
        return done
    if op == "ping":
        return done | {"op": "pong", "args": [str(now_ms())]}
    if not listener.account:
        return done | {"success": False, "ret_msg": "Request not authorized"}
    unknown = [topic for topic in topics if topic.partition(".")[0] not in KINDS]
    if op not in ("subscribe", "unsubscribe") or unknown:
        message = f"error:handler not found,topic:{unknown or op}"
        return done | {"success": False, "ret_msg": message}
    for topic in topics:
        if op == "subscribe":
            listener.private[topic] = None
        else:
            listener.private.pop(topic, None)
    return done


def told(exchange: Exchange, listener: Listener, change: Change) -> Iterator[dict[str, Any]]:
    """Yield what a subscriber hears of a change."""
    for topic in listener.private:
        kind = topic.partition(".")[0]
        rows: list[Any] = []
        if kind == "wallet" and change.order is None:
            held = exchange.balances(change.account).items()
            rows = [{"accountType": "UNIFIED", "coin": [shapes.balance(c, b) for c, b in held]}]
        elif kind == "order" and change.order is not None:
            rows = [{"category": "spot", **shapes.order(change.order)}]
        elif kind == "execution" and change.order is not None and change.fill is not None:
            rows = [{"category": "spot", **shapes.execution(change.order, change.fill)}]
        if rows:
            now = now_ms()
            yield {"id": f"paper-{now}", "topic": topic, "creationTime": now, "data": rows}
