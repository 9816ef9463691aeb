"""The paper venue's REST API in Binance's shapes."""

from __future__ import annotations

from typing import Any

from ringfence.venue.binance import shapes
from ringfence.venue.exchange import Exchange, NewOrder, VenueRefusal
from ringfence.venue.fields import needed, number, whole
from ringfence.venue.shape import Handler, Params, now_ms

__all__ = ["PRIVATE", "PUBLIC", "refuse"]

INTERVALS_MS = {
    "1s": 1_000,
    "1m": 60_000,
    "5m": 300_000,
    "15m": 900_000,
    "1h": 3_600_000,
    "4h": 14_400_000,
    "1d": 86_400_000,
}


def refuse(refusal: VenueRefusal) -> tuple[int, Any]:
    return refusal.status, {"code": refusal.code, "msg": refusal.message}


def asked(params: Params) -> NewOrder:
    side = needed(params, "side")
    if side not in ("BUY", "SELL"):
        raise VenueRefusal(-1117, "Invalid side.")
    return NewOrder(
        symbol=needed(params, "symbol"),
        side=side,  # type: ignore[arg-type]
        kind=needed(params, "type"),
        quantity=number(params, "quantity"),
        amount=number(params, "quoteOrderQty"),
        price=number(params, "price"),
        time_in_force=params.get("timeInForce", "GTC"),
        client_order_id=params.get("newClientOrderId", ""),
    )


def place(exchange: Exchange, params: Params, account: str) -> Any:
    new = asked(params)
    order = exchange.place(account, new, now_ms())
    default = "FULL" if new.kind in ("MARKET", "LIMIT") else "ACK"
    quote = exchange.market(new.symbol).instrument.quote
    return shapes.execution(order, params.get("newOrderRespType", default), quote)


def test_order(exchange: Exchange, params: Params, account: str) -> Any:
    exchange.check(asked(params))
    return {}


def found(exchange: Exchange, params: Params, account: str, name: str = "origClientOrderId") -> Any:
    symbol = needed(params, "symbol")
    return exchange.find(account, symbol, whole(params, "orderId"), params.get(name))


def query(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.order(found(exchange, params, account))


def cancel(exchange: Exchange, params: Params, account: str) -> Any:
    try:
        order = exchange.cancel(account, found(exchange, params, account))
    except VenueRefusal as refusal:
        raise VenueRefusal(-2011, "Unknown order sent.") from refusal
    return canceled(order)


def canceled(order: Any) -> Any:
    shape = shapes.order(order)
    return shape | {"origClientOrderId": order.client_order_id, "transactTime": now_ms()}


def cancel_replace(exchange: Exchange, params: Params, account: str) -> Any:
    symbol = needed(params, "symbol")
    old = exchange.find(
        account, symbol, whole(params, "cancelOrderId"), params.get("cancelOrigClientOrderId")
    )
    gone = canceled(exchange.cancel(account, old))
    return {
        "cancelResult": "SUCCESS",
        "newOrderResult": "SUCCESS",
        "cancelResponse": gone,
        "newOrderResponse": place(exchange, params, account),
    }


def open_orders(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.order(o) for o in exchange.of(account, params.get("symbol")) if o.open]


def cancel_all(exchange: Exchange, params: Params, account: str) -> Any:
    needed(params, "symbol")
    standing = [o for o in exchange.of(account, params.get("symbol")) if o.open]
    if not standing:
        raise VenueRefusal(-2011, "Unknown order sent.")
    return [canceled(exchange.cancel(account, order)) for order in standing]


def all_orders(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.order(o) for o in exchange.of(account, params.get("symbol"))][-500:]


def my_trades(exchange: Exchange, params: Params, account: str) -> Any:
    quote = exchange.market(needed(params, "symbol")).instrument.quote
    return [
        shapes.trade(f)
        | {
            "symbol": o.symbol, "orderId": o.order_id, "orderListId": -1, "commission": "0",
            "commissionAsset": quote, "isBuyer": o.side == "BUY", "isMaker": f.maker is o,
        }
        for o in exchange.of(account, params.get("symbol"))
        for f in o.fills
    ]  # fmt: skip


def account_info(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.account(account, exchange.balances(account), now_ms())


def coins(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.coin(c, b) for c, b in exchange.balances(account).items()]


def withdraw(exchange: Exchange, params: Params, account: str) -> Any:
    currency, amount = needed(params, "coin"), number(params, "amount")
    needed(params, "address")
    balance = exchange.balances(account).get(currency)
    if balance is None or not 0 < amount <= balance.free:
        raise VenueRefusal(-4026, "User has insufficient balance")
    balance.free -= amount
    return {"id": f"paper{now_ms()}"}


def depth(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.depth(exchange.market(needed(params, "symbol")), whole(params, "limit") or 100)


def trades(exchange: Exchange, params: Params, account: str) -> Any:
    limit = whole(params, "limit") or 500
    return [
        shapes.trade(f) for f in list(exchange.market(needed(params, "symbol")).trades)[-limit:]
    ]


def agg_trades(exchange: Exchange, params: Params, account: str) -> Any:
    keys = {
        "id": "a",
        "price": "p",
        "qty": "q",
        "time": "T",
        "isBuyerMaker": "m",
        "isBestMatch": "M",
    }
    rows = trades(exchange, params, account)
    return [
        {keys[k]: v for k, v in r.items() if k in keys} | {"f": r["id"], "l": r["id"]} for r in rows
    ]


def klines(exchange: Exchange, params: Params, account: str) -> Any:
    market = exchange.market(needed(params, "symbol"))
    length = INTERVALS_MS.get(needed(params, "interval"))
    if length is None:
        raise VenueRefusal(-1120, "Invalid interval.")
    count = min(whole(params, "limit") or 100, 1000)
    last = now_ms() // length * length
    return [shapes.kline(market, last - n * length, length) for n in reversed(range(count))]


def tickers(keys: tuple[str, ...] | None) -> Handler:
    """Return a ticker handler: one symbol's, some or all, with these keys only."""

    def answer(exchange: Exchange, params: Params, account: str) -> Any:
        def shape(market: Any) -> Any:
            full = shapes.ticker(market, now_ms())
            if keys == ("symbol", "price"):
                return {"symbol": full["symbol"], "price": full["lastPrice"]}
            return full if keys is None else {key: full[key] for key in keys}

        if "symbol" in params:
            return shape(exchange.market(params["symbol"]))
        return [shape(market) for market in exchange.markets.values()]

    return answer


def avg_price(exchange: Exchange, params: Params, account: str) -> Any:
    market = exchange.market(needed(params, "symbol"))
    price = shapes.ticker(market, now_ms())["weightedAvgPrice"]
    return {"mins": 5, "price": price, "closeTime": now_ms()}


def exchange_info(exchange: Exchange, params: Params, account: str) -> Any:
    if "symbol" in params:
        wanted = [exchange.market(params["symbol"])]
    else:
        wanted = list(exchange.markets.values())
    return shapes.exchange_info([m.instrument for m in wanted], now_ms())


def fixed(answer: Any) -> Handler:
    return lambda exchange, params, account: answer


PUBLIC: dict[tuple[str, str], Handler] = {
    ("GET", "/api/v3/ping"): fixed({}),
    ("GET", "/api/v3/time"): lambda *_: {"serverTime": now_ms()},
    ("GET", "/api/v3/exchangeInfo"): exchange_info,
    ("GET", "/api/v3/depth"): depth,
    ("GET", "/api/v3/trades"): trades,
    ("GET", "/api/v3/aggTrades"): agg_trades,
    ("GET", "/api/v3/klines"): klines,
    ("GET", "/api/v3/uiKlines"): klines,
    ("GET", "/api/v3/avgPrice"): avg_price,
    ("GET", "/api/v3/ticker/24hr"): tickers(None),
    ("GET", "/api/v3/ticker/price"): tickers(("symbol", "price")),
    ("GET", "/api/v3/ticker/bookTicker"): tickers(
        ("symbol", "bidPrice", "bidQty", "askPrice", "askQty")
    ),
    ("GET", "/fapi/v1/exchangeInfo"): lambda *_: shapes.exchange_info([], now_ms()),
    ("GET", "/dapi/v1/exchangeInfo"): lambda *_: shapes.exchange_info([], now_ms()),
}
PRIVATE: dict[tuple[str, str], Handler] = {
    ("POST", "/api/v3/order"): place,
    ("POST", "/api/v3/order/test"): test_order,
    ("POST", "/api/v3/order/cancelReplace"): cancel_replace,
    ("GET", "/api/v3/order"): query,
    ("DELETE", "/api/v3/order"): cancel,
    ("GET", "/api/v3/openOrders"): open_orders,
    ("DELETE", "/api/v3/openOrders"): cancel_all,
    ("GET", "/api/v3/allOrders"): all_orders,
    ("GET", "/api/v3/myTrades"): my_trades,
    ("GET", "/api/v3/rateLimit/order"): fixed([]),
    ("GET", "/api/v3/account"): account_info,
    ("GET", "/sapi/v1/capital/config/getall"): coins,
    ("GET", "/sapi/v1/margin/allPairs"): fixed([]),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): fixed([]),
    ("POST", "/sapi/v1/capital/withdraw/apply"): withdraw,
    ("GET", "/sapi/v1/capital/withdraw/history"): fixed([]),
    ("GET", "/sapi/v1/capital/deposit/hisrec"): fixed([]),
    ("GET", "/sapi/v1/asset/tradeFee"): fixed([]),
    ("GET", "/sapi/v1/account/status"): fixed({"data": "Normal"}),
    ("GET", "/sapi/v1/account/apiRestrictions"): fixed({"ipRestrict": True, "enableReading": True}),
}
