"""The futures' requests. Source: Binance USDS-M futures docs (read 2026-11).

Orders are matched as on the spot venue. What differs is said here: post-only is a time in force,
an amendment keeps its order's id, every order is answered whole, and the refusals' codes.
"""

from __future__ import annotations

from typing import Any

from ringfence.venue import keys
from ringfence.venue.binance import rest as spot
from ringfence.venue.binance_usdm import conditional, shapes
from ringfence.venue.exchange import Exchange, VenueRefusal
from ringfence.venue.fields import needed, number, whole
from ringfence.venue.shape import Handler, Params, now_ms

__all__ = ["PRIVATE", "PUBLIC", "refuse"]

CODES = {
    "Account has insufficient balance for requested action.": (-2019, "Margin is insufficient."),
    "Order would immediately match and take.": (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    "Filter failure: NOTIONAL": (-4164, "Order's notional must be no smaller than the minimum."),
}
"""What the futures say otherwise than spot, by spot's text."""


def refuse(refusal: VenueRefusal) -> tuple[int, Any]:
    code, message = CODES.get(refusal.message, (refusal.code, refusal.message))
    return refusal.status, {"code": code, "msg": message}


def asked(params: Params) -> Any:
    new = spot.asked(params)
    if new.kind not in ("LIMIT", "MARKET"):
        raise VenueRefusal(-1116, "Invalid orderType.")
    if new.time_in_force == "GTX":
        new.kind, new.time_in_force = "LIMIT_MAKER", "GTC"
    return new


def place(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.order(exchange.place(account, asked(params), now_ms()))


def test_order(exchange: Exchange, params: Params, account: str) -> Any:
    exchange.check(asked(params))
    return {}


def modify(exchange: Exchange, params: Params, account: str) -> Any:
    order = spot.found(exchange, params, account)
    if needed(params, "side") != order.side:
        raise VenueRefusal(-1117, "Invalid side.")
    needed(params, "quantity")
    needed(params, "price")
    quantity, price = number(params, "quantity"), number(params, "price")
    return shapes.order(exchange.amend(account, order, now_ms(), quantity, price))


def query(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.order(spot.found(exchange, params, account))


def cancel(exchange: Exchange, params: Params, account: str) -> Any:
    try:
        return shapes.order(exchange.cancel(account, spot.found(exchange, params, account)))
    except VenueRefusal as refusal:
        raise VenueRefusal(-2011, "Unknown order sent.") from refusal


def cancel_all(exchange: Exchange, params: Params, account: str) -> Any:
    needed(params, "symbol")
    for order in exchange.of(account, params.get("symbol")):
        if order.open:
            exchange.cancel(account, order)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def open_orders(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.order(o) for o in exchange.of(account, params.get("symbol")) if o.open]


def all_orders(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.order(o) for o in exchange.of(account, needed(params, "symbol"))][-500:]


def user_trades(exchange: Exchange, params: Params, account: str) -> Any:
    quote = exchange.market(needed(params, "symbol")).instrument.quote
    orders = exchange.of(account, params.get("symbol"))
    return [shapes.trade(o, f, quote) for o in orders for f in o.fills]


def balance(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.balances(exchange.balances(account), now_ms())


def account_info(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.account(exchange, account, now_ms())


def position_risk(exchange: Exchange, params: Params, account: str) -> Any:
    return list(shapes.positions(exchange, account, params.get("symbol")))


def depth(exchange: Exchange, params: Params, account: str) -> Any:
    market = exchange.market(needed(params, "symbol"))
    return shapes.depth(market, whole(params, "limit") or 500, now_ms())


def tickers(keys: tuple[str, ...] | None) -> Handler:
    """Return the spot venue's ticker handler, its answers with the time at which they hold."""
    plain = spot.tickers(keys)

    def answer(exchange: Exchange, params: Params, account: str) -> Any:
        told, time = plain(exchange, params, account), {"time": now_ms()}
        return [row | time for row in told] if isinstance(told, list) else told | time

    return answer


def premium_index(exchange: Exchange, params: Params, account: str) -> Any:
    mid = exchange.market(needed(params, "symbol")).instrument.mid
    return {
        "symbol": params["symbol"], "markPrice": shapes.text(mid), "indexPrice": shapes.text(mid),
        "lastFundingRate": "0", "interestRate": "0", "nextFundingTime": 0, "time": now_ms(),
    }  # fmt: skip


def exchange_info(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.exchange_info([m.instrument for m in exchange.markets.values()], now_ms())


def begin_stream(exchange: Exchange, _params: Params, account: str) -> Any:
    return {"listenKey": exchange.listen_keys.begin(account, now_ms()).text}


def prolong_stream(exchange: Exchange, _params: Params, account: str) -> Any:
    return {"listenKey": exchange.listen_keys.prolong(account, now_ms()).text}


def end_stream(exchange: Exchange, _params: Params, account: str) -> Any:
    exchange.listen_keys.end(account)
    return {}


BEST = ("symbol", "bidPrice", "bidQty", "askPrice", "askQty")
PUBLIC: dict[tuple[str, str], Handler] = {
    ("GET", "/fapi/v1/ping"): spot.fixed({}),
    ("GET", "/fapi/v1/time"): lambda *_: {"serverTime": now_ms()},
    ("GET", "/fapi/v1/exchangeInfo"): exchange_info,
    ("GET", "/fapi/v1/depth"): depth,
    ("GET", "/fapi/v1/trades"): spot.trades,
    ("GET", "/fapi/v1/aggTrades"): spot.agg_trades,
    ("GET", "/fapi/v1/klines"): spot.klines,
    ("GET", "/fapi/v1/premiumIndex"): premium_index,
    ("GET", "/fapi/v1/ticker/24hr"): tickers(None),
    ("GET", "/fapi/v1/ticker/price"): tickers(("symbol", "price")),
    ("GET", "/fapi/v2/ticker/price"): tickers(("symbol", "price")),
    ("GET", "/fapi/v1/ticker/bookTicker"): tickers(BEST),
}
PRIVATE: dict[tuple[str, str], Handler] = {
    ("POST", keys.LISTEN_KEY): begin_stream,
    ("PUT", keys.LISTEN_KEY): prolong_stream,
    ("DELETE", keys.LISTEN_KEY): end_stream,
    ("POST", "/fapi/v1/order"): place,
    ("POST", "/fapi/v1/order/test"): test_order,
    ("PUT", "/fapi/v1/order"): modify,
    ("GET", "/fapi/v1/order"): query,
    **conditional.PRIVATE,
    ("GET", "/fapi/v1/openOrder"): query,
    ("DELETE", "/fapi/v1/order"): cancel,
    ("GET", "/fapi/v1/openOrders"): open_orders,
    ("DELETE", "/fapi/v1/allOpenOrders"): cancel_all,
    ("GET", "/fapi/v1/allOrders"): all_orders,
    ("GET", "/fapi/v1/userTrades"): user_trades,
    ("GET", "/fapi/v1/rateLimit/order"): spot.fixed([]),
    ("GET", "/fapi/v2/account"): account_info,
    ("GET", "/fapi/v3/account"): account_info,
    ("GET", "/fapi/v2/balance"): balance,
    ("GET", "/fapi/v3/balance"): balance,
    ("GET", "/fapi/v2/positionRisk"): position_risk,
    ("GET", "/fapi/v3/positionRisk"): position_risk,
    ("GET", "/fapi/v1/leverageBracket"): spot.fixed([]),
    ("GET", "/fapi/v1/positionSide/dual"): spot.fixed({"dualSidePosition": False}),
    ("GET", "/sapi/v1/capital/config/getall"): spot.coins,
    ("GET", "/sapi/v1/margin/allPairs"): spot.fixed([]),
}
