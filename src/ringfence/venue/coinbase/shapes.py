"""Coinbase's answers: the venue's state in the shapes that clients expect."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ringfence.venue.book import SIDES, Order
from ringfence.venue.day import day
from ringfence.venue.exchange import Balance, Market
from ringfence.venue.fields import plain

__all__ = ["account", "book", "name", "number_of", "order", "product", "stamp", "wallet"]

STATUSES = {
    "NEW": "OPEN",
    "PARTIALLY_FILLED": "OPEN",
    "FILLED": "FILLED",
    "CANCELED": "CANCELLED",
    "EXPIRED": "EXPIRED",
}
TIMES = {"GTC": "GOOD_UNTIL_CANCELLED", "IOC": "IMMEDIATE_OR_CANCEL", "FOK": "FILL_OR_KILL"}
ACCOUNTS = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
"""What account ids begin with; the currency's letters stand at their end."""


def stamp(time_ms: int) -> str:
    text = datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def name(order_id: int) -> str:
    """Return an order's id as Coinbase writes it."""
    return str(UUID(int=order_id))


def number_of(text: str) -> int | None:
    """Return the order that an id names, or none."""
    try:
        return UUID(text).int
    except ValueError:
        return None


def configuration(o: Order) -> dict[str, Any]:
    """Return an order as it was asked for: under its type's name."""
    if o.kind == "MARKET":
        size = {"quote_size": plain(o.amount)} if o.amount else {"base_size": plain(o.quantity)}
        return {"market_market_ioc": size}
    said: dict[str, Any] = {"base_size": plain(o.quantity), "limit_price": plain(o.price)}
    if o.time_in_force == "GTC":
        return {"limit_limit_gtc": said | {"post_only": o.kind == "LIMIT_MAKER"}}
    return {"sor_limit_ioc" if o.time_in_force == "IOC" else "limit_limit_fok": said}


def order(o: Order) -> dict[str, Any]:
    average = (o.spent / o.filled).quantize(Decimal("1e-8")) if o.filled else Decimal(0)
    return {
        "order_id": name(o.order_id),
        "product_id": o.symbol,
        "user_id": o.account,
        "order_configuration": configuration(o),
        "side": o.side,
        "client_order_id": o.client_order_id,
        "status": STATUSES[o.status],
        "time_in_force": TIMES[o.time_in_force],
        "created_time": stamp(o.time_ms),
        "completion_percentage": plain(o.filled * 100 / o.quantity) if o.quantity else "0",
        "filled_size": plain(o.filled),
        "average_filled_price": plain(average),
        "number_of_fills": str(len(o.fills)),
        "filled_value": plain(o.spent),
        "pending_cancel": False,
        "size_in_quote": bool(o.amount),
        "total_fees": "0",
        "size_inclusive_of_fees": False,
        "total_value_after_fees": plain(o.spent),
        "trigger_status": "INVALID_ORDER_TYPE",
        "order_type": "MARKET" if o.kind == "MARKET" else "LIMIT",
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": o.status == "FILLED",
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": "",
    }


def account(currency: str, b: Balance, now_ms: int) -> dict[str, Any]:
    tail = int.from_bytes(currency.encode())
    return {
        "uuid": str(UUID(int=ACCOUNTS.int ^ tail)),
        "name": f"{currency} Wallet",
        "currency": currency,
        "available_balance": {"value": plain(b.free), "currency": currency},
        "hold": {"value": plain(b.locked), "currency": currency},
        "default": True,
        "active": True,
        "ready": True,
        "type": "ACCOUNT_TYPE_FIAT" if currency == "USD" else "ACCOUNT_TYPE_CRYPTO",
        "created_at": stamp(0),
        "updated_at": stamp(now_ms),
        "deleted_at": None,
    }


def wallet(currency: str, b: Balance) -> dict[str, Any]:
    kind = "fiat" if currency == "USD" else "crypto"
    return {
        "id": currency,
        "name": f"{currency} Wallet",
        "primary": False,
        "type": "fiat" if kind == "fiat" else "wallet",
        "currency": {"code": currency, "name": currency, "exponent": 8, "type": kind},
        "balance": {"amount": plain(b.free), "currency": currency},
        "resource": "account",
        "resource_path": f"/v2/accounts/{currency}",
    }


def product(market: Market) -> dict[str, Any]:
    i, d = market.instrument, day(market)
    return {
        "product_id": i.symbol,
        "price": plain(d.last),
        "volume_24h": plain(d.volume),
        "price_percentage_change_24h": plain((d.change * 100).quantize(Decimal("1e-8"))),
        "base_increment": plain(i.lot),
        "quote_increment": plain(i.tick),
        "price_increment": plain(i.tick),
        "quote_min_size": plain(i.min_notional),
        "quote_max_size": "150000000",
        "base_min_size": plain(i.min_quantity),
        "base_max_size": plain(i.max_quantity),
        "base_name": i.base,
        "quote_name": i.quote,
        "is_disabled": False,
        "status": "online",
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "trading_disabled": False,
        "auction_mode": False,
        "product_type": "SPOT",
        "base_currency_id": i.base,
        "quote_currency_id": i.quote,
        "mid_market_price": "",
    }


def book(market: Market, depth: int, now_ms: int) -> dict[str, Any]:
    rows = {
        side: [
            {"price": plain(price), "size": plain(size)}
            for price, size in market.book.levels(taken, depth)
        ]
        for side, taken in zip(("bids", "asks"), SIDES, strict=True)
    }
    return {"product_id": market.instrument.symbol, **rows, "time": stamp(now_ms)}
