"""Binance's answers: the venue's state in the shapes that clients expect."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ringfence.venue.book import SIDES, ZERO, Fill, Order
from ringfence.venue.exchange import Balance, Market
from ringfence.venue.instruments import Instrument

__all__ = [
    "account",
    "coin",
    "depth",
    "exchange_info",
    "execution",
    "kline",
    "order",
    "text",
    "ticker",
    "trade",
]

DAY_MS = 86_400_000


def text(number: Decimal) -> str:
    """Return a number as Binance writes it: fixed point, eight decimals."""
    return f"{number:.8f}"


def exchange_info(instruments: list[Instrument], now_ms: int) -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6000,
            },
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        ],
        "exchangeFilters": [],
        "symbols": [_symbol(instrument) for instrument in instruments],
    }


def _symbol(i: Instrument) -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": text(i.tick), "maxPrice": "1000000.00000000", "tickSize": text(i.tick)},
        {"filterType": "LOT_SIZE", "minQty": text(i.min_quantity), "maxQty": text(i.max_quantity), "stepSize": text(i.lot)},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": text(i.max_quantity), "stepSize": text(i.lot)},
        {"filterType": "NOTIONAL", "minNotional": text(i.min_notional), "applyMinToMarket": True, "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
    ]  # fmt: skip
    return {
        "symbol": i.symbol,
        "status": "TRADING",
        "baseAsset": i.base,
        "baseAssetPrecision": 8,
        "quoteAsset": i.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters,
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def order(o: Order) -> dict[str, Any]:
    """An order as queries show it."""
    return {
        "symbol": o.symbol,
        "orderId": o.order_id,
        "orderListId": -1,
        "clientOrderId": o.client_order_id,
        "price": text(o.price),
        "origQty": text(o.quantity or o.filled),
        "executedQty": text(o.filled),
        "cummulativeQuoteQty": text(o.spent),
        "origQuoteOrderQty": text(o.amount),
        "status": o.status,
        "timeInForce": o.time_in_force,
        "type": o.kind,
        "side": o.side,
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": o.time_ms,
        "updateTime": o.updated_ms or o.time_ms,
        "workingTime": o.time_ms,
        "isWorking": True,
        "selfTradePreventionMode": "NONE",
    }


def execution(o: Order, wanted: str, quote: str) -> dict[str, Any]:
    """An order as placing it answers: ACK, RESULT or FULL."""
    shape = order(o) | {"transactTime": o.time_ms}
    if wanted == "ACK":
        keys = ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
        return {key: shape[key] for key in keys}
    for key in ("time", "updateTime", "isWorking"):
        del shape[key]
    if wanted == "FULL":
        shape["fills"] = [
            {"price": text(f.price), "qty": text(f.quantity), "commission": text(ZERO), "commissionAsset": quote, "tradeId": f.trade_id}
            for f in o.fills
        ]  # fmt: skip
    return shape


def account(name: str, balances: dict[str, Balance], now_ms: int) -> dict[str, Any]:
    rates = {"maker": text(ZERO), "taker": text(ZERO), "buyer": text(ZERO), "seller": text(ZERO)}
    return {
        "makerCommission": 0,
        "takerCommission": 0,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates,
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": currency, "free": text(b.free), "locked": text(b.locked)}
            for currency, b in balances.items()
        ],
        "permissions": ["SPOT"],
        "uid": sum(name.encode()),
    }


def coin(currency: str, balance: Balance) -> dict[str, Any]:
    """One currency as /sapi/v1/capital/config/getall shows it."""
    network = {
        "network": currency, "coin": currency, "name": currency, "withdrawFee": "0.0001",
        "withdrawMin": "0.001", "withdrawMax": "1000", "withdrawIntegerMultiple": "0.00000001",
        "depositEnable": True, "withdrawEnable": True, "isDefault": True, "minConfirm": 1,
    }  # fmt: skip
    return {
        "coin": currency,
        "name": currency,
        "depositAllEnable": True,
        "withdrawAllEnable": True,
        "free": text(balance.free),
        "locked": text(balance.locked),
        "freeze": "0",
        "withdrawing": "0",
        "ipoing": "0",
        "ipoable": "0",
        "storage": "0",
        "isLegalMoney": False,
        "trading": True,
        "networkList": [network],
    }


def depth(market: Market, limit: int) -> dict[str, Any]:
    rows = {
        name: [[text(price), text(quantity)] for price, quantity in market.book.levels(side, limit)]
        for name, side in zip(("bids", "asks"), SIDES, strict=True)
    }
    return {"lastUpdateId": market.trades[-1].trade_id if market.trades else 1, **rows}


def trade(fill: Fill) -> dict[str, Any]:
    """A public trade."""
    return {
        "id": fill.trade_id,
        "price": text(fill.price),
        "qty": text(fill.quantity),
        "quoteQty": text(fill.price * fill.quantity),
        "time": fill.time_ms,
        "isBuyerMaker": fill.maker.side == "BUY",
        "isBestMatch": True,
    }


def ticker(market: Market, now_ms: int) -> dict[str, Any]:
    """The last day, as far as this venue remembers it."""
    prices = [f.price for f in market.trades] or [market.instrument.mid]
    volume = sum((f.quantity for f in market.trades), ZERO)
    value = sum((f.price * f.quantity for f in market.trades), ZERO)
    (bid, bid_size), (ask, ask_size) = (
        (market.book.levels(side, 1) or [(ZERO, ZERO)])[0] for side in SIDES
    )
    change = prices[-1] - prices[0]
    return {
        "symbol": market.instrument.symbol,
        "priceChange": text(change),
        "priceChangePercent": f"{change / prices[0] * 100:.3f}",
        "weightedAvgPrice": text(value / volume if volume else prices[-1]),
        "prevClosePrice": text(prices[0]),
        "lastPrice": text(prices[-1]),
        "lastQty": text(market.trades[-1].quantity if market.trades else ZERO),
        "bidPrice": text(bid),
        "bidQty": text(bid_size),
        "askPrice": text(ask),
        "askQty": text(ask_size),
        "openPrice": text(prices[0]),
        "highPrice": text(max(prices)),
        "lowPrice": text(min(prices)),
        "volume": text(volume),
        "quoteVolume": text(value),
        "openTime": now_ms - DAY_MS,
        "closeTime": now_ms,
        "firstId": market.trades[0].trade_id if market.trades else -1,
        "lastId": market.trades[-1].trade_id if market.trades else -1,
        "count": len(market.trades),
    }


def kline(market: Market, start_ms: int, length_ms: int) -> list[Any]:
    """One candle over the trades that fall into it; flat when there are none."""
    inside = [f for f in market.trades if start_ms <= f.time_ms < start_ms + length_ms]
    prices = [f.price for f in inside] or [market.instrument.mid]
    volume = sum((f.quantity for f in inside), ZERO)
    value = sum((f.price * f.quantity for f in inside), ZERO)
    return [
        start_ms, text(prices[0]), text(max(prices)), text(min(prices)), text(prices[-1]),
        text(volume), start_ms + length_ms - 1, text(value), len(inside), text(volume), text(value), "0",
    ]  # fmt: skip
