"""Bybit's answers: the venue's state in the shapes that clients expect."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ringfence.venue.book import SIDES, Fill, Order
from ringfence.venue.day import Candle, day
from ringfence.venue.exchange import Balance, Market
from ringfence.venue.fields import plain
from ringfence.venue.instruments import Instrument

__all__ = ["balance", "book", "candle", "execution", "instrument", "order", "ticker", "trade"]

SIDE_WORDS = {"BUY": "Buy", "SELL": "Sell"}
STATUSES = {
    "NEW": "New",
    "PARTIALLY_FILLED": "PartiallyFilled",
    "FILLED": "Filled",
    "CANCELED": "Cancelled",
    "EXPIRED": "Cancelled",
}
PART_GONE = "PartiallyFilledCanceled"


def instrument(i: Instrument) -> dict[str, Any]:
    lot = {
        "basePrecision": plain(i.lot),
        "quotePrecision": "0.0000001",
        "minOrderQty": plain(i.min_quantity),
        "maxOrderQty": plain(i.max_quantity),
        "minOrderAmt": plain(i.min_notional),
        "maxOrderAmt": "8000000",
    }
    return {
        "symbol": i.symbol,
        "baseCoin": i.base,
        "quoteCoin": i.quote,
        "innovation": "0",
        "status": "Trading",
        "marginTrading": "none",
        "lotSizeFilter": lot,
        "priceFilter": {"tickSize": plain(i.tick)},
        "riskParameters": {"priceLimitRatioX": "0.5", "priceLimitRatioY": "0.5"},
    }


def order(o: Order) -> dict[str, Any]:
    status = STATUSES[o.status]
    if o.filled and status == "Cancelled":
        status = PART_GONE
    quantity = o.quantity or o.amount
    left = max(o.left, Decimal(0)) if o.open else Decimal(0)
    return {
        "orderId": str(o.order_id),
        "orderLinkId": o.client_order_id,
        "symbol": o.symbol,
        "side": SIDE_WORDS[o.side],
        "orderType": "Market" if o.kind == "MARKET" else "Limit",
        "price": plain(o.price),
        "qty": plain(quantity),
        "marketUnit": "quoteCoin" if o.amount else "baseCoin" if o.kind == "MARKET" else "",
        "timeInForce": "PostOnly" if o.kind == "LIMIT_MAKER" else o.time_in_force,
        "orderStatus": status,
        "avgPrice": plain((o.spent / o.filled).quantize(Decimal("1e-8"))) if o.filled else "",
        "cumExecQty": plain(o.filled),
        "cumExecValue": plain(o.spent),
        "cumExecFee": "0",
        "leavesQty": plain(left),
        "leavesValue": plain(left * o.price),
        "createdTime": str(o.time_ms),
        "updatedTime": str(o.updated_ms or o.time_ms),
        "rejectReason": "EC_NoError",
        "cancelType": "CancelByUser" if o.status == "CANCELED" else "UNKNOWN",
        "stopOrderType": "",
        "triggerPrice": "0",
        "takeProfit": "",
        "stopLoss": "",
        "isLeverage": "0",
        "positionIdx": 0,
        "reduceOnly": False,
        "blockTradeId": "",
    }


def execution(o: Order, fill: Fill) -> dict[str, Any]:
    """One fill as the order's owner sees it."""
    return {
        "symbol": o.symbol,
        "orderId": str(o.order_id),
        "orderLinkId": o.client_order_id,
        "side": SIDE_WORDS[o.side],
        "orderPrice": plain(o.price),
        "orderQty": plain(o.quantity or o.amount),
        "leavesQty": plain(o.left if o.open else Decimal(0)),
        "orderType": "Market" if o.kind == "MARKET" else "Limit",
        "execId": str(fill.trade_id),
        "execPrice": plain(fill.price),
        "execQty": plain(fill.quantity),
        "execValue": plain(fill.price * fill.quantity),
        "execFee": "0",
        "feeRate": "0",
        "feeCurrency": "",
        "execType": "Trade",
        "execTime": str(fill.time_ms),
        "isMaker": fill.maker is o,
        "seq": fill.trade_id,
    }


def balance(currency: str, b: Balance) -> dict[str, Any]:
    return {
        "coin": currency,
        "equity": plain(b.free + b.locked),
        "walletBalance": plain(b.free + b.locked),
        "locked": plain(b.locked),
        "borrowAmount": "0",
        "accruedInterest": "0",
        "totalOrderIM": "0",
        "totalPositionIM": "0",
        "unrealisedPnl": "0",
        "cumRealisedPnl": "0",
        "usdValue": "0",
        "marginCollateral": True,
        "collateralSwitch": True,
    }


def book(market: Market, depth: int, now_ms: int) -> dict[str, Any]:
    rows = {
        name: [[plain(price), plain(size)] for price, size in market.book.levels(side, depth)]
        for name, side in zip(("b", "a"), SIDES, strict=True)
    }
    return {
        "s": market.instrument.symbol,
        **rows,
        "ts": now_ms,
        "u": now_ms,
        "seq": now_ms,
        "cts": now_ms,
    }


def ticker(market: Market) -> dict[str, Any]:
    d = day(market)
    return {
        "symbol": market.instrument.symbol,
        "bid1Price": plain(d.bid),
        "bid1Size": plain(d.bid_size),
        "ask1Price": plain(d.ask),
        "ask1Size": plain(d.ask_size),
        "lastPrice": plain(d.last),
        "prevPrice24h": plain(d.open),
        "price24hPcnt": f"{d.change:.4f}",
        "highPrice24h": plain(d.high),
        "lowPrice24h": plain(d.low),
        "turnover24h": plain(d.value),
        "volume24h": plain(d.volume),
    }


def candle(c: Candle) -> list[str]:
    prices = [plain(price) for price in (c.open, c.high, c.low, c.close)]
    return [str(c.start_ms), *prices, plain(c.volume), plain(c.value)]


def trade(fill: Fill) -> dict[str, Any]:
    """A public trade."""
    return {
        "execId": str(fill.trade_id),
        "symbol": fill.taker.symbol,
        "price": plain(fill.price),
        "size": plain(fill.quantity),
        "side": SIDE_WORDS[fill.taker.side],
        "time": str(fill.time_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
    }
