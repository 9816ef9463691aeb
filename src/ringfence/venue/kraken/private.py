"""Kraken's private channels of version 2: an account's orders, fills and balances."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ringfence.venue.book import Fill, Order
from ringfence.venue.exchange import Exchange
from ringfence.venue.kraken import shapes
from ringfence.venue.shape import Change, Listener

__all__ = ["CHANNELS", "answer", "iso", "told"]

CHANNELS = ("executions", "balances")
EVENTS = {"NEW": "new", "PARTIALLY_FILLED": "new", "FILLED": "filled", "CANCELED": "canceled"}
"""What happened, by an order's status."""


def answer(
    exchange: Exchange, listener: Listener, method: Any, channel: str
) -> Iterator[dict[str, Any]]:
    """Yield the answer to a subscription, less its stamp, and then how things stand.

    Source: Kraken API docs, "Executions", "Balances" (read 2026-11).
    """
    said = {"method": method}
    if not listener.account or method not in ("subscribe", "unsubscribe"):
        yield said | {"error": "ESession:Invalid session", "success": False}
        return
    yield said | {"result": {"channel": channel}, "success": True}
    if method == "unsubscribe":
        listener.private.pop(channel, None)
        return
    listener.private[channel] = None
    rows = balances(exchange, listener.account) if channel == "balances" else []
    yield {"channel": channel, "type": "snapshot", "data": rows, "sequence": 1}


def told(exchange: Exchange, listener: Listener, change: Change) -> Iterator[dict[str, Any]]:
    """Yield what a subscriber hears of a change."""
    update = {"type": "update", "sequence": 2}
    order = change.order
    if order is None:
        if "balances" in listener.private:
            rows = balances(exchange, change.account)
            yield {"channel": "balances", "data": rows, **update}
        return
    if "executions" in listener.private:
        rows = [event(exchange, order)]
        if change.fill is not None:
            rows.insert(0, rows[0] | traded(order, change.fill))
        for row in rows:
            yield {"channel": "executions", "data": [row], **update}


def balances(exchange: Exchange, account: str) -> list[dict[str, Any]]:
    return [
        {
            "asset": shapes.short(currency).replace("XBT", "BTC"), "asset_class": "currency",
            "balance": float(held.free + held.locked),
        }
        for currency, held in exchange.balances(account).items()
    ]  # fmt: skip


def event(exchange: Exchange, order: Order) -> dict[str, Any]:
    instrument = exchange.markets[order.symbol].instrument
    name = shapes.pair(instrument)["wsname"].replace("XBT", "BTC")
    average = {"avg_price": float(order.spent / order.filled)} if order.filled else {}
    return {
        "order_id": shapes.txid(order), "symbol": name, "side": order.side.lower(),
        "order_type": shapes.kind(order), "order_qty": float(order.quantity),
        "limit_price": float(order.price), "cum_qty": float(order.filled),
        "cum_cost": float(order.spent), "exec_type": EVENTS.get(order.status, "expired"),
        "order_status": order.status.lower(), "cl_ord_id": order.client_order_id,
        "timestamp": iso(order.updated_ms or order.time_ms), **average,
    }  # fmt: skip


def traded(order: Order, fill: Fill) -> dict[str, Any]:
    return {
        "exec_type": "trade", "exec_id": shapes.trade_name(fill), "trade_id": fill.trade_id,
        "last_qty": float(fill.quantity), "last_price": float(fill.price),
        "cost": float(fill.price * fill.quantity), "timestamp": iso(fill.time_ms),
        "liquidity_ind": "m" if fill.maker is order else "t",
    }  # fmt: skip


def iso(time_ms: int) -> str:
    """Return a moment as version 2 writes it."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
