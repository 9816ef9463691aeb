"""KuCoin's answers: the venue's state in the shapes that clients expect."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ringfence.venue.book import SIDES, Fill, Order
from ringfence.venue.day import Candle, day
from ringfence.venue.exchange import Balance, Market
from ringfence.venue.fields import plain
from ringfence.venue.instruments import Instrument

__all__ = [
    "DEEP",
    "account",
    "book",
    "candle",
    "currency",
    "execution",
    "name",
    "order",
    "snapshot",
    "symbol",
    "ticker",
    "trade",
]

DEEP = 1000
"""Levels of a whole book."""
ID_DIGITS = 24
"""An order's id is as long as that of a document."""


def name(number: int) -> str:
    return f"{number:0{ID_DIGITS}x}"


def symbol(i: Instrument) -> dict[str, Any]:
    return {
        "symbol": i.symbol, "name": i.symbol, "baseCurrency": i.base, "quoteCurrency": i.quote,
        "feeCurrency": i.quote, "market": "USDS", "baseMinSize": plain(i.min_quantity),
        "quoteMinSize": "0.1", "baseMaxSize": plain(i.max_quantity), "quoteMaxSize": "99999999",
        "baseIncrement": plain(i.lot), "quoteIncrement": plain(i.tick),
        "priceIncrement": plain(i.tick), "priceLimitRate": "0.1", "minFunds": "0.1",
        "isMarginEnabled": False, "enableTrading": True, "feeCategory": 1,
        "makerFeeCoefficient": "1.00", "takerFeeCoefficient": "1.00", "st": False,
    }  # fmt: skip


def currency(name: str) -> dict[str, Any]:
    chain = {
        "chainName": name, "chainId": name.lower(), "withdrawalMinSize": "0.001",
        "depositMinSize": None, "withdrawFeeRate": "0", "withdrawalMinFee": "0",
        "isWithdrawEnabled": True, "isDepositEnabled": True, "confirms": 1, "preConfirms": 1,
        "contractAddress": "", "withdrawPrecision": 8, "maxWithdraw": None, "maxDeposit": None,
        "needTag": False,
    }  # fmt: skip
    return {
        "currency": name, "name": name, "fullName": name, "precision": 8, "confirms": None,
        "contractAddress": None, "isMarginEnabled": False, "isDebitEnabled": False,
        "chains": [chain],
    }  # fmt: skip


def order(o: Order) -> dict[str, Any]:
    return {
        "id": name(o.order_id), "clientOid": o.client_order_id, "symbol": o.symbol,
        "opType": "DEAL", "type": "market" if o.kind == "MARKET" else "limit",
        "side": o.side.lower(), "price": plain(o.price), "size": plain(o.quantity),
        "funds": plain(o.amount), "dealSize": plain(o.filled), "dealFunds": plain(o.spent),
        "fee": "0", "feeCurrency": o.symbol.split("-")[1], "stp": None,
        "timeInForce": o.time_in_force, "postOnly": o.kind == "LIMIT_MAKER", "hidden": False,
        "iceberg": False, "visibleSize": "0", "cancelAfter": 0, "channel": "API",
        "remark": None, "tags": None, "cancelExist": o.status in ("CANCELED", "EXPIRED"),
        "tradeType": "TRADE", "inOrderBook": o.open, "active": o.open, "isActive": o.open,
        "cancelledSize": "0", "cancelledFunds": "0", "remainSize": plain(o.left),
        "remainFunds": "0", "tax": "0", "createdAt": o.time_ms,
        "lastUpdatedAt": o.updated_ms or o.time_ms,
    }  # fmt: skip


def execution(o: Order, fill: Fill) -> dict[str, Any]:
    """One fill as the order's owner sees it."""
    return {
        "id": fill.trade_id, "symbol": o.symbol, "tradeId": str(fill.trade_id),
        "orderId": name(o.order_id), "counterOrderId": name(0), "side": o.side.lower(),
        "liquidity": "maker" if fill.maker is o else "taker", "forceTaker": False,
        "price": plain(fill.price), "size": plain(fill.quantity),
        "funds": plain(fill.price * fill.quantity), "fee": "0", "feeRate": "0",
        "feeCurrency": o.symbol.split("-")[1], "stop": "", "tradeType": "TRADE",
        "type": "market" if o.kind == "MARKET" else "limit", "taxRate": "0", "tax": "0",
        "createdAt": fill.time_ms,
    }  # fmt: skip


def account(currency: str, b: Balance) -> dict[str, Any]:
    return {
        "id": f"paper-{currency.lower()}", "currency": currency, "type": "trade",
        "balance": plain(b.free + b.locked), "available": plain(b.free), "holds": plain(b.locked),
    }  # fmt: skip


def book(market: Market, depth: int, now_ms: int) -> dict[str, Any]:
    rows = {
        side_name: [[plain(price), plain(size)] for price, size in market.book.levels(side, depth)]
        for side_name, side in zip(("bids", "asks"), SIDES, strict=True)
    }
    return {"time": now_ms, "sequence": str(now_ms), **rows}


def ticker(market: Market) -> dict[str, Any]:
    d = day(market)
    return {
        "symbol": market.instrument.symbol, "symbolName": market.instrument.symbol,
        "buy": plain(d.bid), "bestBidSize": plain(d.bid_size), "sell": plain(d.ask),
        "bestAskSize": plain(d.ask_size), "changeRate": plain(d.change.quantize(Decimal("1e-4"))),
        "changePrice": plain(d.last - d.open), "high": plain(d.high), "low": plain(d.low),
        "vol": plain(d.volume), "volValue": plain(d.value), "last": plain(d.last),
        "averagePrice": plain(d.average.quantize(Decimal("1e-8"))), "takerFeeRate": "0",
        "makerFeeRate": "0", "takerCoefficient": "1", "makerCoefficient": "1",
    }  # fmt: skip


def snapshot(market: Market, now_ms: int) -> dict[str, Any]:
    """The same as it is told on the stream, in numbers."""
    d, i = day(market), market.instrument
    return {
        "trading": True, "symbol": i.symbol, "symbolCode": i.symbol, "baseCurrency": i.base,
        "quoteCurrency": i.quote, "market": "USDS", "markets": ["USDS"], "board": 0, "mark": 0,
        "sort": 100, "buy": float(d.bid), "sell": float(d.ask), "high": float(d.high),
        "low": float(d.low), "open": float(d.open), "close": float(d.last),
        "lastTradedPrice": float(d.last), "averagePrice": float(d.average),
        "vol": float(d.volume), "volValue": float(d.value),
        "changePrice": float(d.last - d.open), "changeRate": round(float(d.change), 4),
        "datetime": now_ms,
    }  # fmt: skip


def candle(c: Candle) -> list[str]:
    prices = [plain(price) for price in (c.open, c.close, c.high, c.low)]
    return [str(c.start_ms // 1000), *prices, plain(c.volume), plain(c.value)]


def trade(fill: Fill) -> dict[str, Any]:
    """A public trade. Times are in nanoseconds."""
    return {
        "sequence": str(fill.trade_id), "price": plain(fill.price), "size": plain(fill.quantity),
        "side": fill.taker.side.lower(), "time": fill.time_ms * 1_000_000,
    }  # fmt: skip
