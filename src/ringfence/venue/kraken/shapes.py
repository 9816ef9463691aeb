"""Kraken's answers: the venue's state in the shapes that clients expect."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from ringfence.venue.book import SIDES, Fill, Order
from ringfence.venue.day import Candle, day
from ringfence.venue.exchange import Balance, Market, VenueRefusal
from ringfence.venue.fields import plain
from ringfence.venue.instruments import Instrument

__all__ = [
    "asset",
    "balance",
    "book",
    "candle",
    "description",
    "number_of",
    "order",
    "pair",
    "short",
    "ticker",
    "trade",
    "trade_name",
    "txid",
    "user_trade",
]

STATUSES = {
    "NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "closed",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
}
TXID = re.compile(r"OPAPER-([0-9]{5,12})-VENUES")


def txid(o: Order) -> str:
    """Return an order's id in Kraken's form."""
    return f"OPAPER-{o.order_id:05d}-VENUES"


def number_of(text: str) -> int:
    """Return the number behind an order's id.

    Raises:
        VenueRefusal: -2013 when it is none of ours.
    """
    found = TXID.fullmatch(text)
    if found is None:
        raise VenueRefusal(-2013, "Order does not exist.")
    return int(found[1])


def trade_name(fill: Fill) -> str:
    """Return a trade's id in Kraken's form."""
    return f"TPAPER-{fill.trade_id:05d}-VENUES"


def short(currency: str) -> str:
    """Return a currency's name without Kraken's old class letter: XXBT is XBT."""
    return currency[1:] if len(currency) == 4 and currency[0] in "XZ" else currency


def decimals(step: Decimal) -> int:
    return -int(step.normalize().as_tuple().exponent)


def asset(currency: str) -> dict[str, Any]:
    shape = {"aclass": "currency", "altname": short(currency), "status": "enabled"}
    return shape | {"decimals": 10, "display_decimals": 5}


def pair(i: Instrument) -> dict[str, Any]:
    return {
        "altname": i.symbol,
        "wsname": f"{short(i.base)}/{short(i.quote)}",
        "aclass_base": "currency",
        "base": i.base,
        "aclass_quote": "currency",
        "quote": i.quote,
        "lot": "unit",
        "cost_decimals": 8,
        "pair_decimals": decimals(i.tick),
        "lot_decimals": decimals(i.lot),
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, "0.0"]],
        "fees_maker": [[0, "0.0"]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": plain(i.min_quantity),
        "costmin": plain(i.min_notional),
        "tick_size": plain(i.tick),
        "status": "online",
    }


def kind(o: Order) -> str:
    return "market" if o.kind == "MARKET" else "limit"


def description(o: Order) -> str:
    price = "market" if o.kind == "MARKET" else f"limit {plain(o.price)}"
    return f"{o.side.lower()} {o.quantity:.8f} {o.symbol} @ {price}"


def order(o: Order) -> dict[str, Any]:
    at = (o.updated_ms or o.time_ms) / 1000
    closed = {} if o.open else {"closetm": at, "reason": None}
    return {
        "refid": None,
        "userref": 0,
        "cl_ord_id": o.client_order_id,
        "status": STATUSES[o.status],
        "opentm": o.time_ms / 1000,
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": o.symbol,
            "type": o.side.lower(),
            "ordertype": kind(o),
            "price": plain(o.price),
            "price2": "0",
            "leverage": "none",
            "order": description(o),
            "close": "",
        },
        "vol": f"{o.quantity:.8f}",
        "vol_exec": f"{o.filled:.8f}",
        "cost": f"{o.spent:.8f}",
        "fee": "0.00000",
        "price": f"{o.spent / o.filled:.8f}" if o.filled else "0.00000",
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "",
        "oflags": "fciq",
        "trades": [trade_name(fill) for fill in o.fills],
        **closed,
    }


def user_trade(o: Order, fill: Fill) -> dict[str, Any]:
    """One fill as the order's owner sees it."""
    return {
        "ordertxid": txid(o),
        "postxid": "",
        "pair": o.symbol,
        "time": fill.time_ms / 1000,
        "type": o.side.lower(),
        "ordertype": kind(o),
        "price": plain(fill.price),
        "cost": plain(fill.price * fill.quantity),
        "fee": "0",
        "vol": f"{fill.quantity:.8f}",
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": fill.trade_id,
        "maker": fill.maker is o,
    }


def balance(b: Balance) -> dict[str, str]:
    return {"balance": f"{b.free + b.locked:.10f}", "hold_trade": f"{b.locked:.10f}"}


def book(market: Market, depth: int, now_ms: int) -> dict[str, Any]:
    return {
        name: [
            [plain(price), plain(size), now_ms // 1000]
            for price, size in market.book.levels(side, depth)
        ]
        for name, side in zip(("bids", "asks"), SIDES, strict=True)
    }


def ticker(market: Market) -> dict[str, Any]:
    d = day(market)
    twice = {"v": d.volume, "p": d.average, "l": d.low, "h": d.high}
    return {
        "a": [plain(d.ask), "1", plain(d.ask_size)],
        "b": [plain(d.bid), "1", plain(d.bid_size)],
        "c": [plain(d.last), plain(d.last_size)],
        **{name: [f"{value:.8f}", f"{value:.8f}"] for name, value in twice.items()},
        "t": [len(market.trades), len(market.trades)],
        "o": plain(d.open),
    }


def candle(c: Candle) -> list[Any]:
    prices = [plain(price) for price in (c.open, c.high, c.low, c.close)]
    average = f"{c.value / c.volume:.8f}" if c.volume else "0.0"
    return [c.start_ms // 1000, *prices, average, plain(c.volume), c.count]


def trade(fill: Fill) -> list[Any]:
    """A public trade."""
    letters = [fill.taker.side[0].lower(), kind(fill.taker)[0]]
    price, size = plain(fill.price), f"{fill.quantity:.8f}"
    return [price, size, fill.time_ms / 1000, *letters, "", fill.trade_id]
