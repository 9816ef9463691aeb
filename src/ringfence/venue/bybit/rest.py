"""Bybit's v5 REST API for spot. Source: Bybit v5 API docs (read 2026-11)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ringfence.venue.book import Order
from ringfence.venue.bybit import shapes
from ringfence.venue.day import candles
from ringfence.venue.exchange import Exchange, NewOrder, VenueRefusal
from ringfence.venue.fields import needed, number, whole
from ringfence.venue.shape import Handler, Params, Whole, now_ms

__all__ = ["PRIVATE", "PUBLIC", "refuse", "wrap"]

SIDES = {"Buy": "BUY", "Sell": "SELL"}
KINDS = {"Limit": "LIMIT", "Market": "MARKET"}
TIMES = ("GTC", "IOC", "FOK")
INTERVALS_MS = {
    **{str(m): m * 60_000 for m in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    "D": 86_400_000,
}
CODES = {
    -1013: (170124, "Order amount too large."),
    -1100: (10001, "Request parameter error."),
    -1102: (10001, "Request parameter error."),
    -1116: (170116, "Invalid orderType."),
    -1117: (170117, "Invalid side."),
    -1120: (10001, "Invalid period."),
    -1121: (170121, "Invalid symbol."),
    -2010: (170131, "Balance insufficient."),
    -2011: (170213, "Order does not exist."),
    -2013: (170213, "Order does not exist."),
    -2015: (10003, "API key is invalid."),
}
"""The exchange's refusals in Bybit's words."""
FILTERS = {
    "PRICE_FILTER": (170134, "Order price has too many decimals."),
    "LOT_SIZE": (170137, "Order quantity has too many decimals."),
    "NOTIONAL": (170140, "Order value exceeded lower limit."),
}


def wrap(result: Any) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": now_ms()}


def refuse(refusal: VenueRefusal) -> tuple[int, Any]:
    """Bybit refuses with status 200; only the code tells."""
    name = refusal.message.rpartition(" ")[2]
    code, text = FILTERS.get(name) or CODES.get(refusal.code, (refusal.code, refusal.message))
    return 200, wrap({}) | {"retCode": code, "retMsg": text}


def spot(params: Params) -> bool:
    """Only spot is traded here; the other categories are empty."""
    return needed(params, "category") == "spot"


def listed(params: Params, rows: Iterable[Any]) -> dict[str, Any]:
    found = list(rows) if spot(params) else []
    return {"category": params["category"], "list": found, "nextPageCursor": ""}


def place(exchange: Exchange, params: Params, account: str) -> Any:
    if not spot(params):
        raise VenueRefusal(-1121, "Invalid symbol.")
    side, kind = SIDES.get(needed(params, "side")), KINDS.get(needed(params, "orderType"))
    if side is None:
        raise VenueRefusal(-1117, "Invalid side.")
    time_in_force = params.get("timeInForce") or "GTC"
    if kind == "LIMIT" and time_in_force == "PostOnly":
        kind, time_in_force = "LIMIT_MAKER", "GTC"
    # One that waits for a price would be placed at once.
    if kind is None or time_in_force not in TIMES or params.get("triggerPrice"):
        raise VenueRefusal(-1116, "Invalid orderType.")
    # A market buy is by amount unless it says otherwise.
    unit = params.get("marketUnit") or ("quoteCoin" if side == "BUY" else "baseCoin")
    by_amount = kind == "MARKET" and unit == "quoteCoin"
    asked = NewOrder(
        symbol=needed(params, "symbol"),
        side=side,  # type: ignore[arg-type]
        kind=kind,
        quantity=number({} if by_amount else params, "qty"),
        amount=number(params if by_amount else {}, "qty"),
        price=number(params, "price"),
        time_in_force=time_in_force,
        client_order_id=params.get("orderLinkId", ""),
    )
    return named(exchange.place(account, asked, now_ms()))


def named(order: Order) -> dict[str, str]:
    return {"orderId": str(order.order_id), "orderLinkId": order.client_order_id}


def found(exchange: Exchange, params: Params, account: str) -> Order:
    symbol = needed(params, "symbol")
    return exchange.find(account, symbol, whole(params, "orderId"), params.get("orderLinkId"))


def amend(exchange: Exchange, params: Params, account: str) -> Any:
    order = found(exchange, params, account)
    quantity, price = number(params, "qty"), number(params, "price")
    return named(exchange.amend(account, order, now_ms(), quantity or None, price or None))


def cancel(exchange: Exchange, params: Params, account: str) -> Any:
    return named(exchange.cancel(account, found(exchange, params, account)))


def each(act: Handler) -> Handler:
    """Return a handler that acts on each order of a batch, and tells how each went."""

    def handler(exchange: Exchange, params: Params, account: str) -> Any:
        rows, told = [], []
        for item in params.get("request", []):
            try:
                rows.append(act(exchange, item | {"category": params.get("category")}, account))
                told.append({"code": 0, "msg": "OK"})
            except VenueRefusal as refusal:
                _, said = refuse(refusal)
                known = {name: item.get(name, "") for name in ("orderId", "orderLinkId")}
                rows.append(known)
                told.append({"code": said["retCode"], "msg": said["retMsg"]})
        return Whole(wrap({"list": rows}) | {"retExtInfo": {"list": told}})

    return handler


def cancel_all(exchange: Exchange, params: Params, account: str) -> Any:
    standing = [o for o in exchange.of(account, params.get("symbol")) if o.open]
    return {"list": [named(exchange.cancel(account, o)) for o in standing], "success": "1"}


def chosen(exchange: Exchange, params: Params, account: str) -> list[Order]:
    """Return the orders that a query names, newest first."""
    one, link = whole(params, "orderId"), params.get("orderLinkId")
    orders = [o for o in exchange.of(account, params.get("symbol")) if one in (None, o.order_id)]
    return [o for o in reversed(orders) if link in (None, "", o.client_order_id)]


def realtime(exchange: Exchange, params: Params, account: str) -> Any:
    """Open orders; one that is asked for by its id also when it is closed."""
    by_id = params.get("orderId") or params.get("orderLinkId")
    rows = chosen(exchange, params, account)
    return listed(params, (shapes.order(o) for o in rows if by_id or o.open))


def history(exchange: Exchange, params: Params, account: str) -> Any:
    rows = chosen(exchange, params, account)
    return listed(params, (shapes.order(o) for o in rows if not o.open))


def executions(exchange: Exchange, params: Params, account: str) -> Any:
    rows = [(f, o) for o in chosen(exchange, params, account) for f in o.fills]
    rows.sort(key=lambda row: -row[0].trade_id)
    return listed(params, (shapes.execution(o, f) for f, o in rows))


def wallet(exchange: Exchange, params: Params, account: str) -> Any:
    coins = [shapes.balance(c, b) for c, b in exchange.balances(account).items()]
    wanted = params.get("coin", "").split(",") if params.get("coin") else None
    coins = [coin for coin in coins if wanted is None or coin["coin"] in wanted]
    return {"list": [{"accountType": "UNIFIED", "coin": coins}]}


def coins(exchange: Exchange, params: Params, account: str) -> Any:
    chain = {"chainType": "PAPER", "chain": "PAPER", "chainDeposit": "1", "chainWithdraw": "1"}
    chain |= {"withdrawFee": "0", "withdrawMin": "0.001", "minAccuracy": "8"}
    rows = [{"name": c, "coin": c, "chains": [chain]} for c in exchange.balances(account)]
    return {"rows": rows}


def instruments(exchange: Exchange, params: Params, account: str) -> Any:
    wanted = params.get("symbol")
    markets = [m for s, m in exchange.markets.items() if wanted in (None, s)]
    return listed(params, (shapes.instrument(m.instrument) for m in markets))


def tickers(exchange: Exchange, params: Params, account: str) -> Any:
    wanted = params.get("symbol")
    markets = [exchange.market(wanted)] if wanted else list(exchange.markets.values())
    return listed(params, map(shapes.ticker, markets))


def book(exchange: Exchange, params: Params, account: str) -> Any:
    depth = min(whole(params, "limit") or 1, 200)
    return shapes.book(exchange.market(needed(params, "symbol")), depth, now_ms())


def trades(exchange: Exchange, params: Params, account: str) -> Any:
    fills = list(exchange.market(needed(params, "symbol")).trades)
    limit = min(whole(params, "limit") or 60, 60)
    return listed(params, map(shapes.trade, reversed(fills[-limit:])))


def kline(exchange: Exchange, params: Params, account: str) -> Any:
    market = exchange.market(needed(params, "symbol"))
    length = INTERVALS_MS.get(needed(params, "interval"))
    if length is None:
        raise VenueRefusal(-1120, "Invalid interval.")
    count = min(whole(params, "limit") or 200, 1000)
    rows = [shapes.candle(c) for c in candles(market, length, count, now_ms())]
    return listed(params, reversed(rows)) | {"symbol": market.instrument.symbol}


def clock(exchange: Exchange, params: Params, account: str) -> Any:
    now = now_ms()
    return Whole(wrap({"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}))


def key_info(exchange: Exchange, params: Params, account: str) -> Any:
    permissions = {"Spot": ["SpotTrade"], "ContractTrade": [], "Wallet": []}
    return {"id": "1", "readOnly": 0, "permissions": permissions, "uta": 1, "unified": 0}


def account_info(exchange: Exchange, params: Params, account: str) -> Any:
    return {"unifiedMarginStatus": 5, "marginMode": "REGULAR_MARGIN", "updatedTime": str(now_ms())}


def fee_rates(exchange: Exchange, params: Params, account: str) -> Any:
    free = {"takerFeeRate": "0", "makerFeeRate": "0"}
    return {"list": [{"symbol": symbol, **free} for symbol in exchange.markets]}


def nothing(exchange: Exchange, params: Params, account: str) -> Any:
    return listed(params, [])


PUBLIC: dict[tuple[str, str], Handler] = {
    ("GET", "/v5/market/time"): clock,
    ("GET", "/v5/market/instruments-info"): instruments,
    ("GET", "/v5/market/tickers"): tickers,
    ("GET", "/v5/market/orderbook"): book,
    ("GET", "/v5/market/recent-trade"): trades,
    ("GET", "/v5/market/kline"): kline,
}
PRIVATE: dict[tuple[str, str], Handler] = {
    ("POST", "/v5/order/create"): place,
    ("POST", "/v5/order/create-batch"): each(place),
    ("POST", "/v5/order/amend"): amend,
    ("POST", "/v5/order/amend-batch"): each(amend),
    ("POST", "/v5/order/cancel"): cancel,
    ("POST", "/v5/order/cancel-batch"): each(cancel),
    ("POST", "/v5/order/cancel-all"): cancel_all,
    ("GET", "/v5/order/realtime"): realtime,
    ("GET", "/v5/order/history"): history,
    ("GET", "/v5/execution/list"): executions,
    ("GET", "/v5/account/wallet-balance"): wallet,
    ("GET", "/v5/account/info"): account_info,
    ("GET", "/v5/account/fee-rate"): fee_rates,
    ("GET", "/v5/user/query-api"): key_info,
    ("GET", "/v5/asset/coin/query-info"): coins,
    ("GET", "/v5/position/list"): nothing,
}
