"""The futures' answers. A position is what an account holds of the base currency, paid in full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ringfence.venue.binance import shapes as spot
from ringfence.venue.book import ZERO, Fill, Order
from ringfence.venue.exchange import Balance, Exchange, Market
from ringfence.venue.instruments import Instrument

__all__ = ["account", "balances", "depth", "exchange_info", "order", "position", "positions"]

ONBOARD_MS, NEVER_MS = 1_569_398_400_000, 4_133_404_800_000
MARGIN = "USDT"
text = spot.text


def exchange_info(instruments: list[Instrument], now_ms: int) -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        ],
        "exchangeFilters": [],
        "assets": [{"asset": MARGIN, "marginAvailable": True, "autoAssetExchange": "0"}],
        "symbols": [_symbol(instrument) for instrument in instruments],
    }  # fmt: skip


def _symbol(i: Instrument) -> dict[str, Any]:
    lots = {"minQty": text(i.min_quantity), "maxQty": text(i.max_quantity), "stepSize": text(i.lot)}
    return {
        "symbol": i.symbol, "pair": i.symbol, "contractType": "PERPETUAL",
        "deliveryDate": NEVER_MS, "onboardDate": ONBOARD_MS, "status": "TRADING",
        "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000",
        "baseAsset": i.base, "quoteAsset": i.quote, "marginAsset": MARGIN,
        "pricePrecision": -int(i.tick.as_tuple().exponent), "quantityPrecision": -int(i.lot.as_tuple().exponent),
        "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": text(i.tick), "maxPrice": "1000000.00000000", "tickSize": text(i.tick)},
            {"filterType": "LOT_SIZE", **lots},
            {"filterType": "MARKET_LOT_SIZE", **lots},
            {"filterType": "MIN_NOTIONAL", "notional": text(i.min_notional)},
        ],
        "orderTypes": [
            "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }  # fmt: skip


def order(o: Order) -> dict[str, Any]:
    """An order, as placing, amending, cancelling and asking for it answer alike."""
    return {
        "orderId": o.order_id, "symbol": o.symbol, "status": o.status,
        "clientOrderId": o.client_order_id, "price": text(o.price),
        "avgPrice": text(o.spent / o.filled if o.filled else ZERO), "origQty": text(o.quantity),
        "executedQty": text(o.filled), "cumQty": text(o.filled), "cumQuote": text(o.spent),
        "timeInForce": "GTX" if o.kind == "LIMIT_MAKER" else o.time_in_force,
        "type": "LIMIT" if o.kind == "LIMIT_MAKER" else o.kind, "reduceOnly": False,
        "closePosition": False, "side": o.side, "positionSide": "BOTH", "stopPrice": text(ZERO),
        "workingType": "CONTRACT_PRICE", "priceProtect": False, "origType": o.kind,
        "priceMatch": "NONE", "selfTradePreventionMode": "NONE", "goodTillDate": 0,
        "time": o.time_ms, "updateTime": o.updated_ms or o.time_ms,
    }  # fmt: skip


def trade(o: Order, f: Fill, quote: str) -> dict[str, Any]:
    """A trade of one's own."""
    return {
        "symbol": o.symbol, "id": f.trade_id, "orderId": o.order_id, "side": o.side,
        "price": text(f.price), "qty": text(f.quantity), "realizedPnl": text(ZERO),
        "quoteQty": text(f.price * f.quantity), "commission": text(ZERO), "commissionAsset": quote,
        "time": f.time_ms, "positionSide": "BOTH", "buyer": o.side == "BUY", "maker": f.maker is o,
    }  # fmt: skip


def positions(exchange: Exchange, who: str, symbol: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield an account's positions, those that are none left out."""
    held = exchange.balances(who)
    for market in exchange.markets.values():
        balance = held.get(market.instrument.base, Balance())
        if symbol in (None, market.instrument.symbol) and balance.free + balance.locked:
            yield position(market, balance, exchange.of(who, market.instrument.symbol))


def position(market: Market, balance: Balance, orders: list[Order]) -> dict[str, Any]:
    amount = balance.free + balance.locked
    bought = [o for o in orders if o.side == "BUY" and o.filled]
    size = sum((o.filled for o in bought), ZERO)
    entry = sum((o.spent for o in bought), ZERO) / size if size else market.instrument.mid
    mark = market.trades[-1].price if market.trades else market.instrument.mid
    return {
        "symbol": market.instrument.symbol, "positionSide": "BOTH", "positionAmt": text(amount),
        "entryPrice": text(entry), "breakEvenPrice": text(entry), "markPrice": text(mark),
        "unRealizedProfit": text((mark - entry) * amount), "liquidationPrice": "0", "leverage": "1",
        "notional": text(mark * amount), "marginAsset": MARGIN, "isolatedMargin": "0",
        "isolatedWallet": "0", "initialMargin": text(mark * amount), "maintMargin": "0",
        "positionInitialMargin": text(mark * amount), "openOrderInitialMargin": "0", "adl": 0,
        "bidNotional": "0", "askNotional": "0", "marginType": "cross", "updateTime": 0,
    }  # fmt: skip


def balances(held: dict[str, Balance], now_ms: int) -> list[dict[str, Any]]:
    """The margin's currency alone; what else is held shows as positions."""
    money = held.get(MARGIN, Balance())
    whole = text(money.free + money.locked)
    return [
        {
            "accountAlias": "paper", "asset": MARGIN, "balance": whole,
            "crossWalletBalance": whole, "crossUnPnl": text(ZERO),
            "availableBalance": text(money.free), "maxWithdrawAmount": text(money.free),
            "marginAvailable": True, "updateTime": now_ms,
        }
    ]  # fmt: skip


def account(exchange: Exchange, who: str, now_ms: int) -> dict[str, Any]:
    (money,) = balances(exchange.balances(who), now_ms)
    locked = text(exchange.balances(who)[MARGIN].locked)
    asset = {
        "asset": MARGIN, "walletBalance": money["balance"], "unrealizedProfit": text(ZERO),
        "marginBalance": money["balance"], "maintMargin": text(ZERO), "initialMargin": locked,
        "positionInitialMargin": text(ZERO), "openOrderInitialMargin": locked,
        "crossWalletBalance": money["balance"], "crossUnPnl": text(ZERO),
        "availableBalance": money["availableBalance"],
        "maxWithdrawAmount": money["availableBalance"], "marginAvailable": True, "updateTime": now_ms,
    }  # fmt: skip
    return {
        "feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True,
        "multiAssetsMargin": False, "totalInitialMargin": locked, "totalMaintMargin": text(ZERO),
        "totalWalletBalance": money["balance"], "totalUnrealizedProfit": text(ZERO),
        "totalMarginBalance": money["balance"], "totalPositionInitialMargin": text(ZERO),
        "totalOpenOrderInitialMargin": locked, "totalCrossWalletBalance": money["balance"],
        "totalCrossUnPnl": text(ZERO), "availableBalance": money["availableBalance"],
        "maxWithdrawAmount": money["availableBalance"], "assets": [asset],
        "positions": list(positions(exchange, who)),
    }  # fmt: skip


def depth(market: Market, limit: int, now_ms: int) -> dict[str, Any]:
    return spot.depth(market, limit) | {"E": now_ms, "T": now_ms}
