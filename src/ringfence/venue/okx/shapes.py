"""OKX's answers: the venue's state in the shapes that clients expect."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ringfence.venue.book import SIDES, Fill, Order
from ringfence.venue.day import Candle, day
from ringfence.venue.exchange import Balance, Market
from ringfence.venue.fields import plain
from ringfence.venue.instruments import Instrument

__all__ = ["balance", "book", "candle", "execution", "instrument", "order", "ticker", "trade"]

STATES = {
    "NEW": "live",
    "PARTIALLY_FILLED": "partially_filled",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "EXPIRED": "canceled",
}


def kind(o: Order) -> str:
    """Return an order's type in OKX's word, which tells its time in force too."""
    words = {"MARKET": "market", "LIMIT_MAKER": "post_only"}
    return words.get(o.kind) or {"IOC": "ioc", "FOK": "fok"}.get(o.time_in_force, "limit")


def instrument(i: Instrument) -> dict[str, Any]:
    largest = plain(i.max_quantity)
    code = {"instIdCode": int(i.code)} if i.code else {}
    return code | {
        "instType": "SPOT",
        "instId": i.symbol,
        "uly": "",
        "instFamily": "",
        "baseCcy": i.base,
        "quoteCcy": i.quote,
        "settleCcy": "",
        "ctVal": "",
        "ctMult": "",
        "ctValCcy": "",
        "optType": "",
        "stk": "",
        "listTime": "1548133413000",
        "expTime": "",
        "lever": "",
        "tickSz": plain(i.tick),
        "lotSz": plain(i.lot),
        "minSz": plain(i.min_quantity),
        "maxLmtSz": largest,
        "maxMktSz": largest,
        "maxLmtAmt": "20000000",
        "maxMktAmt": "1000000",
        "state": "live",
        "ruleType": "normal",
    }


def order(o: Order) -> dict[str, Any]:
    last = o.fills[-1] if o.fills else None
    return {
        "instType": "SPOT",
        "instId": o.symbol,
        "ordId": str(o.order_id),
        "clOrdId": o.client_order_id,
        "tag": "",
        "px": plain(o.price) if o.price else "",
        "sz": plain(o.amount or o.quantity),
        "tgtCcy": "quote_ccy" if o.amount else "base_ccy" if o.kind == "MARKET" else "",
        "ordType": kind(o),
        "side": o.side.lower(),
        "posSide": "net",
        "tdMode": "cash",
        "accFillSz": plain(o.filled),
        "fillPx": plain(last.price) if last else "",
        "fillSz": plain(last.quantity) if last else "0",
        "fillTime": str(last.time_ms) if last else "",
        "tradeId": str(last.trade_id) if last else "",
        "avgPx": plain((o.spent / o.filled).quantize(Decimal("1e-8"))) if o.filled else "",
        "state": STATES[o.status],
        "lever": "",
        "fee": "0",
        "feeCcy": "",
        "rebate": "0",
        "rebateCcy": "",
        "pnl": "0",
        "category": "normal",
        "reduceOnly": "false",
        "cTime": str(o.time_ms),
        "uTime": str(o.updated_ms or o.time_ms),
    }


def execution(o: Order, fill: Fill) -> dict[str, Any]:
    """One fill as the order's owner sees it."""
    return {
        "instType": "SPOT",
        "instId": o.symbol,
        "tradeId": str(fill.trade_id),
        "billId": str(fill.trade_id),
        "ordId": str(o.order_id),
        "clOrdId": o.client_order_id,
        "tag": "",
        "fillPx": plain(fill.price),
        "fillSz": plain(fill.quantity),
        "side": o.side.lower(),
        "posSide": "net",
        "execType": "M" if fill.maker is o else "T",
        "fee": "0",
        "feeCcy": "",
        "fillTime": str(fill.time_ms),
        "ts": str(fill.time_ms),
    }


def balance(currency: str, b: Balance, now_ms: int) -> dict[str, Any]:
    return {
        "ccy": currency,
        "cashBal": plain(b.free + b.locked),
        "eq": plain(b.free + b.locked),
        "availBal": plain(b.free),
        "availEq": plain(b.free),
        "frozenBal": plain(b.locked),
        "ordFrozen": plain(b.locked),
        "uTime": str(now_ms),
    }


def book(market: Market, depth: int, now_ms: int) -> dict[str, Any]:
    rows = {
        name: [
            [plain(price), plain(size), "0", "1"] for price, size in market.book.levels(side, depth)
        ]
        for name, side in zip(("bids", "asks"), SIDES, strict=True)
    }
    return {**rows, "ts": str(now_ms)}


def ticker(market: Market, now_ms: int) -> dict[str, Any]:
    d = day(market)
    return {
        "instType": "SPOT",
        "instId": market.instrument.symbol,
        "last": plain(d.last),
        "lastSz": plain(d.last_size),
        "askPx": plain(d.ask),
        "askSz": plain(d.ask_size),
        "bidPx": plain(d.bid),
        "bidSz": plain(d.bid_size),
        "open24h": plain(d.open),
        "high24h": plain(d.high),
        "low24h": plain(d.low),
        "volCcy24h": plain(d.value),
        "vol24h": plain(d.volume),
        "sodUtc0": plain(d.open),
        "sodUtc8": plain(d.open),
        "ts": str(now_ms),
    }


def candle(c: Candle) -> list[str]:
    prices = [plain(price) for price in (c.open, c.high, c.low, c.close)]
    return [str(c.start_ms), *prices, plain(c.volume), plain(c.value), plain(c.value), "1"]


def trade(fill: Fill) -> dict[str, Any]:
    """A public trade."""
    return {
        "instId": fill.taker.symbol,
        "tradeId": str(fill.trade_id),
        "px": plain(fill.price),
        "sz": plain(fill.quantity),
        "side": fill.taker.side.lower(),
        "ts": str(fill.time_ms),
    }
