"""KuCoin's private topics: an account's orders and balances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ringfence.venue.book import Fill, Order
from ringfence.venue.exchange import Exchange
from ringfence.venue.fields import plain
from ringfence.venue.kucoin import shapes
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["TOPICS", "told"]

BALANCE = "/account/balance"
ORDERS = ("/spotMarket/tradeOrders", "/spotMarket/tradeOrdersV2")
TOPICS = (BALANCE, *ORDERS)
WORDS = {
    "NEW": ("open", "open"),
    "PARTIALLY_FILLED": ("update", "open"),
    "FILLED": ("filled", "done"),
    "CANCELED": ("canceled", "done"),
    "EXPIRED": ("canceled", "done"),
}
"""What has become of an order: the kind of the change, and how the order stands."""


def told(exchange: Exchange, listener: Listener, change: Change) -> Iterator[dict[str, Any]]:
    """Yield what a subscriber hears of a change.

    Source: KuCoin API docs, "Get Order(V1)", "Get Order(V2)", "Get Account Balance" (read 2026-11).
    """
    order = change.order
    if order is None:
        if BALANCE in listener.private:
            for currency, held in exchange.balances(change.account).items():
                row = {
                    "accountId": f"paper-{currency.lower()}", "currency": currency,
                    "total": plain(held.free + held.locked), "available": plain(held.free),
                    "availableChange": "0", "hold": plain(held.locked), "holdChange": "0",
                    "relationContext": {}, "relationEvent": "trade.other",
                    "relationEventId": str(now_ms()), "time": str(now_ms()),
                }  # fmt: skip
                yield message(BALANCE, "account.balance", row)
        return
    for topic in ORDERS:
        if topic in listener.private:
            for row in rows(order, change.fill):
                yield message(topic, "orderChange", row)


def rows(order: Order, fill: Fill | None) -> Iterator[dict[str, Any]]:
    """Yield what happened to an order: what it traded, and then what became of it."""
    kind, status = WORDS[order.status]
    seen: dict[str, Any] = {
        "symbol": order.symbol, "orderType": "market" if order.kind == "MARKET" else "limit",
        "side": order.side.lower(), "orderId": shapes.name(order.order_id),
        "clientOid": order.client_order_id, "orderTime": order.time_ms,
        "size": plain(order.quantity), "filledSize": plain(order.filled),
        "remainSize": plain(order.left), "price": plain(order.price), "feeType": "takerFee",
        "ts": (order.updated_ms or order.time_ms) * 1_000_000,
    }  # fmt: skip
    if fill is not None:
        yield seen | {
            "type": "match", "status": "match", "matchPrice": plain(fill.price),
            "matchSize": plain(fill.quantity), "tradeId": str(fill.trade_id),
            "liquidity": "maker" if fill.maker is order else "taker",
        }  # fmt: skip
    if fill is None or not order.open:
        yield seen | {"type": kind, "status": status}


def message(topic: str, subject: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "topic": topic, "type": "message", "subject": subject, "id": str(now_ms()),
        "userId": "paper", "channelType": "private", "data": data,
    }  # fmt: skip
