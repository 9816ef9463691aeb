"""OKX's private channel: an account's orders and balances; positions it has none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ringfence.venue.exchange import Exchange, VenueRefusal
from ringfence.venue.fields import plain
from ringfence.venue.keys import okx_frame
from ringfence.venue.okx import shapes
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["PATH", "heard", "told"]

PATH = "/ws/v5/private"
CHANNELS = {"account", "balance_and_position", "orders", "positions"}
TYPES = {"SPOT", "ANY"}
"""Instrument types whose orders there are."""


def heard(exchange: Exchange, listener: Listener, op: str, args: list[dict[str, Any]]) -> None:
    """Do what a client says. Source: OKX v5 API docs, "WebSocket" (read 2026-11)."""
    if op == "login":
        try:
            listener.account = okx_frame(listener.keys, args[0] if args else {}).account
        except VenueRefusal as refusal:
            listener.say({"event": "error", "code": str(refusal.code), "msg": refusal.message})
            return
        listener.say({"event": "login", "code": "0", "msg": "", "connId": "paper"})
        return
    if not listener.account:
        listener.say({"event": "error", "code": "60011", "msg": "Please log in"})
        return
    for arg in args:
        topic = json.dumps(arg, sort_keys=True)
        if op not in ("subscribe", "unsubscribe") or arg.get("channel") not in CHANNELS:
            text = f"Wrong URL or {arg} doesn't exist."
            listener.say({"event": "error", "code": "60018", "msg": text})
            continue
        if op == "unsubscribe":
            listener.private.pop(topic, None)
            listener.say({"event": op, "arg": arg, "connId": "paper"})
            continue
        listener.private[topic] = arg
        listener.say({"event": op, "arg": arg, "connId": "paper"})
        if arg["channel"] != "orders":
            listener.say(standing(exchange, listener.account, arg))


def told(exchange: Exchange, listener: Listener, change: Change) -> Iterator[dict[str, Any]]:
    """Yield what a subscriber hears of a change."""
    for arg in listener.private.values():
        channel, order = arg["channel"], change.order
        if order is None and channel in ("account", "balance_and_position"):
            yield standing(exchange, change.account, arg)
        if order is None or channel != "orders" or arg.get("instType") not in TYPES:
            continue
        if arg.get("instId", order.symbol) == order.symbol:
            yield {"arg": arg | {"uid": "1"}, "data": [shapes.order(order)]}


def standing(exchange: Exchange, account: str, arg: dict[str, Any]) -> dict[str, Any]:
    """Return how an account stands, as the channel tells it."""
    now, held = now_ms(), exchange.balances(account)
    wanted = {arg.get("ccy") or currency for currency in held}
    rows: list[dict[str, Any]] = []
    if arg["channel"] == "account":
        details = [shapes.balance(c, b, now) for c, b in held.items() if c in wanted]
        rows = [{"uTime": str(now), "totalEq": "", "details": details}]
    elif arg["channel"] == "balance_and_position":
        balances = [
            {"ccy": c, "cashBal": plain(b.free + b.locked), "uTime": str(now)}
            for c, b in held.items()
        ]
        row = {"pTime": str(now), "eventType": "snapshot", "balData": balances}
        rows = [row | {"posData": [], "trades": []}]
    return {"arg": arg | {"uid": "1"}, "eventType": "snapshot", "data": rows}
