"""Deribit's answers: the venue's state in the shapes that clients expect. Numbers are JSON numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ringfence.venue.book import SIDES, Fill, Order
from ringfence.venue.day import Day, day
from ringfence.venue.exchange import Balance, Market
from ringfence.venue.instruments import Instrument

__all__ = [
    "book",
    "currency",
    "instrument",
    "name",
    "number",
    "order",
    "summary",
    "summary_row",
    "ticker",
    "trade",
    "user_trade",
]

STATES = {
    "NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "EXPIRED": "cancelled",
}
TIMES = {"GTC": "good_til_cancelled", "IOC": "immediate_or_cancel", "FOK": "fill_or_kill"}


def number(value: Decimal) -> float:
    """Return a number as Deribit sends it. Sixteen digits are exact for what is traded here."""
    return float(value)


def instrument(i: Instrument) -> dict[str, Any]:
    return {
        "instrument_name": i.symbol,
        "kind": "spot",
        "instrument_type": "linear",
        "base_currency": i.base,
        "counter_currency": i.quote,
        "quote_currency": i.quote,
        "price_index": i.symbol.lower(),
        "tick_size": number(i.tick),
        "tick_size_steps": [],
        "min_trade_amount": number(i.min_quantity),
        "contract_size": number(i.lot),
        "maker_commission": 0.0,
        "taker_commission": 0.0,
        "is_active": True,
        "state": "open",
        "rfq": False,
        "creation_timestamp": 1_700_000_000_000,
        "expiration_timestamp": 32_503_708_800_000,
        "instrument_id": sum(i.symbol.encode()),
    }


def order(o: Order) -> dict[str, Any]:
    return {
        "order_id": name(o),
        "instrument_name": o.symbol,
        "direction": o.side.lower(),
        "order_type": "market" if o.kind == "MARKET" else "limit",
        "order_state": STATES[o.status],
        "price": number(o.price) if o.price else "market_price",
        "amount": number(o.quantity),
        "contracts": number(o.quantity),
        "filled_amount": number(o.filled),
        "average_price": number(o.spent / o.filled) if o.filled else 0.0,
        "time_in_force": TIMES[o.time_in_force],
        "post_only": o.kind == "LIMIT_MAKER",
        "reject_post_only": o.kind == "LIMIT_MAKER",
        "reduce_only": False,
        "replaced": False,
        "api": True,
        "web": False,
        "is_liquidation": False,
        "max_show": number(o.quantity),
        "label": o.client_order_id,
        "creation_timestamp": o.time_ms,
        "last_update_timestamp": o.updated_ms or o.time_ms,
    }


def name(o: Order) -> str:
    """Return an order's id as Deribit makes it of currency and number."""
    return f"{o.symbol}-{o.order_id}"


def trade(fill: Fill) -> dict[str, Any]:
    """A public trade."""
    return {
        "trade_id": str(fill.trade_id),
        "trade_seq": fill.trade_id,
        "instrument_name": fill.taker.symbol,
        "timestamp": fill.time_ms,
        "price": number(fill.price),
        "amount": number(fill.quantity),
        "direction": fill.taker.side.lower(),
        "tick_direction": 1,
        "index_price": number(fill.price),
        "mark_price": number(fill.price),
    }


def user_trade(o: Order, fill: Fill) -> dict[str, Any]:
    """One fill as the order's owner sees it."""
    return trade(fill) | {
        "direction": o.side.lower(),
        "order_id": name(o),
        "order_type": "market" if o.kind == "MARKET" else "limit",
        "label": o.client_order_id,
        "liquidity": "M" if fill.maker is o else "T",
        "fee": 0.0,
        "fee_currency": o.symbol.split("_")[1],
        "state": STATES[o.status],
        "self_trade": False,
    }


def summary(currency: str, b: Balance) -> dict[str, Any]:
    total = number(b.free + b.locked)
    return {
        "currency": currency,
        "balance": total,
        "equity": total,
        "available_funds": number(b.free),
        "available_withdrawal_funds": number(b.free),
        "initial_margin": number(b.locked),
        "maintenance_margin": number(b.locked),
        "spot_reserve": number(b.locked),
        "margin_balance": total,
        "margin_model": "segregated_sm",
        "cross_collateral_enabled": False,
        "portfolio_margining_enabled": False,
        "delta_total": 0.0,
    }


def currency(code: str) -> dict[str, Any]:
    return {
        "currency": code,
        "currency_long": code,
        "coin_type": code,
        "fee_precision": 8,
        "min_confirmations": 1,
        "min_withdrawal_fee": 0.0,
        "withdrawal_fee": 0.0,
        "withdrawal_priorities": [],
        "in_cross_collateral_pool": False,
    }


def quotes(d: Day) -> dict[str, Any]:
    return {
        "best_bid_price": number(d.bid),
        "best_bid_amount": number(d.bid_size),
        "best_ask_price": number(d.ask),
        "best_ask_amount": number(d.ask_size),
    }


def ticker(market: Market, now_ms: int) -> dict[str, Any]:
    d = day(market)
    stats = {"high": number(d.high), "low": number(d.low), "volume": number(d.volume)}
    stats |= {"volume_usd": number(d.value), "volume_notional": number(d.value)}
    return {
        "instrument_name": market.instrument.symbol,
        "timestamp": now_ms,
        "state": "open",
        "last_price": number(d.last),
        "mark_price": number(d.last),
        "index_price": number(d.last),
        "min_price": number(market.instrument.tick),
        "max_price": number(d.last * 2),
        "stats": stats | {"price_change": round(number(d.change * 100), 4)},
        **quotes(d),
    }


def summary_row(market: Market, now_ms: int) -> dict[str, Any]:
    """A market as `get_book_summary_by_currency` has it."""
    d = day(market)
    return {
        "instrument_name": market.instrument.symbol,
        "base_currency": market.instrument.base,
        "quote_currency": market.instrument.quote,
        "creation_timestamp": now_ms,
        "last": number(d.last),
        "high": number(d.high),
        "low": number(d.low),
        "bid_price": number(d.bid),
        "ask_price": number(d.ask),
        "mid_price": number((d.bid + d.ask) / 2),
        "mark_price": number(d.last),
        "volume": number(d.volume),
        "volume_usd": number(d.value),
        "volume_notional": number(d.value),
        "price_change": round(number(d.change * 100), 4),
    }


def book(market: Market, depth: int, now_ms: int) -> dict[str, Any]:
    rows = {
        name: [[number(price), number(size)] for price, size in market.book.levels(side, depth)]
        for name, side in zip(("bids", "asks"), SIDES, strict=True)
    }
    return ticker(market, now_ms) | rows | {"change_id": now_ms}
