"""KuCoin's spot REST API. Source: KuCoin API docs (read 2026-11).

Accounts are those of pro ("hf"), of which clients ask first; the older paths do the same.
"""

from __future__ import annotations

from typing import Any

from ringfence.venue.book import Order
from ringfence.venue.day import candles
from ringfence.venue.exchange import Exchange, NewOrder, VenueRefusal
from ringfence.venue.fields import needed, number, whole
from ringfence.venue.kucoin import shapes, token
from ringfence.venue.shape import Handler, Params, now_ms

__all__ = ["PRIVATE", "PUBLIC", "refuse", "wrap"]

TIMES = ("GTC", "IOC", "FOK")
BARS_MS = {
    "1min": 60_000, "3min": 180_000, "5min": 300_000, "15min": 900_000, "30min": 1_800_000,
    "1hour": 3_600_000, "2hour": 7_200_000, "4hour": 14_400_000, "1day": 86_400_000,
}  # fmt: skip
CANDLES = 100
ERRORS = {
    -1013: ("600101", "The order funds should more then 0.1 USDT."),
    -1100: ("400100", "Parameter Error"),
    -1102: ("400100", "Parameter Error"),
    -1116: ("400100", "type is invalid"),
    -1117: ("400100", "side is invalid"),
    -1120: ("400100", "Incorrect candlestick type"),
    -1121: ("900001", "symbol not exists"),
    -2010: ("200004", "Balance insufficient!"),
    -2011: ("400100", "order_not_exist_or_not_allow_to_cancel"),
    -2013: ("400100", "order_not_exist"),
    -2015: ("400003", "KC-API-KEY not exists"),
}
"""The exchange's refusals in KuCoin's words."""
FILTERS = {
    "PRICE_FILTER": ("400100", "Price increment invalid."),
    "LOT_SIZE": ("400100", "Order size increment invalid."),
}


def wrap(data: Any) -> dict[str, Any]:
    return {"code": "200000", "data": data}


def refuse(refusal: VenueRefusal) -> tuple[int, Any]:
    """KuCoin refuses with status 200 what is wrong with an order, and with 401 who asks."""
    word = refusal.message.rpartition(" ")[2]
    given = (str(refusal.code), refusal.message)
    code, text = FILTERS.get(word) or ERRORS.get(refusal.code, given)
    return (401 if code.startswith("40000") else 200), {"code": code, "msg": text}


def ask(exchange: Exchange, params: Params, account: str) -> Order:
    """Place an order as it is asked for."""
    side, kind = needed(params, "side").upper(), needed(params, "type").upper()
    if side not in ("BUY", "SELL"):
        raise VenueRefusal(-1117, "Invalid side.")
    time_in_force = str(params.get("timeInForce", "GTC"))
    if kind not in ("LIMIT", "MARKET") or time_in_force not in TIMES:
        raise VenueRefusal(-1116, "Invalid orderType.")
    asked = NewOrder(
        symbol=needed(params, "symbol"),
        side=side,  # type: ignore[arg-type]
        kind="LIMIT_MAKER" if kind == "LIMIT" and params.get("postOnly") is True else kind,
        quantity=number(params, "size"),
        amount=number(params, "funds"),
        price=number(params, "price"),
        time_in_force=time_in_force,
        client_order_id=str(params.get("clientOid", "")),
    )
    return exchange.place(account, asked, now_ms())


def place(exchange: Exchange, params: Params, account: str) -> Any:
    order = ask(exchange, params, account)
    return {"orderId": shapes.name(order.order_id), "clientOid": order.client_order_id}


def place_several(exchange: Exchange, params: Params, account: str) -> Any:
    """Place each order, and tell how each went."""
    rows: list[dict[str, Any]] = []
    for item in params.get("orderList", []):
        try:
            rows.append(place(exchange, item, account) | {"success": True})
        except VenueRefusal as refusal:
            rows.append({"success": False, "failMsg": refuse(refusal)[1]["msg"]})
    return rows


def found(exchange: Exchange, params: Params, account: str) -> Order:
    """Return the order that a path or a body names, by either id."""
    client, named = params.get("client"), params.get("id") or params.get("orderId")
    try:
        order_id = int(str(named), 16) if named else None
    except ValueError:
        order_id = -1
    return exchange.find(account, params.get("symbol"), order_id, client or params.get("clientOid"))


def alter(exchange: Exchange, params: Params, account: str) -> Any:
    """KuCoin gives a changed order a new id; here it keeps its own."""
    order = found(exchange, params, account)
    quantity, price = number(params, "newSize"), number(params, "newPrice")
    changed = exchange.amend(account, order, now_ms(), quantity or None, price or None)
    return {"newOrderId": shapes.name(changed.order_id), "clientOid": changed.client_order_id}


def cancel(exchange: Exchange, params: Params, account: str) -> Any:
    order = exchange.cancel(account, cancelled(exchange, params, account))
    return {"orderId": shapes.name(order.order_id)}


def cancel_by_client(exchange: Exchange, params: Params, account: str) -> Any:
    order = exchange.cancel(account, cancelled(exchange, params, account))
    return {"clientOid": order.client_order_id}


def cancel_classic(exchange: Exchange, params: Params, account: str) -> Any:
    return {"cancelledOrderIds": [cancel(exchange, params, account)["orderId"]]}


def cancelled(exchange: Exchange, params: Params, account: str) -> Order:
    try:
        return found(exchange, params, account)
    except VenueRefusal:
        raise VenueRefusal(-2011, "Unknown order sent.") from None


def cancel_all(exchange: Exchange, params: Params, account: str) -> Any:
    standing = [order for order in exchange.of(account, params.get("symbol")) if order.open]
    return {
        "cancelledOrderIds": [
            shapes.name(exchange.cancel(account, order).order_id) for order in standing
        ]
    }


def query(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.order(found(exchange, params, account))


def of(exchange: Exchange, params: Params, account: str, *, active: bool) -> list[Any]:
    """Return an account's orders, newest first."""
    orders = exchange.of(account, params.get("symbol"))
    return [shapes.order(order) for order in reversed(orders) if order.open is active]


def active(exchange: Exchange, params: Params, account: str) -> Any:
    return of(exchange, params, account, active=True)


def done(exchange: Exchange, params: Params, account: str) -> Any:
    return {"lastId": 0, "items": of(exchange, params, account, active=False)[:100]}


def orders(exchange: Exchange, params: Params, account: str) -> Any:
    return page(of(exchange, params, account, active=params.get("status") == "active"))


def fills(exchange: Exchange, params: Params, account: str) -> Any:
    mine = exchange.of(account, params.get("symbol"))
    rows = [(fill, order) for order in mine for fill in order.fills]
    rows.sort(key=lambda row: -row[0].trade_id)
    return page([shapes.execution(order, fill) for fill, order in rows[:100]])


def page(items: list[Any]) -> dict[str, Any]:
    count = len(items)
    return {
        "currentPage": 1, "pageSize": 100, "totalNum": count, "totalPage": 1, "lastId": 0,
        "items": items[:100],
    }  # fmt: skip


def accounts(exchange: Exchange, params: Params, account: str) -> Any:
    """What is asked for is a trading account, by its older or its newer name."""
    kind, wanted = params.get("type", "trade"), params.get("currency")
    if kind not in ("trade", "trade_hf"):
        return []
    held = exchange.balances(account).items()
    rows = [shapes.account(currency, b) for currency, b in held if wanted in (None, currency)]
    return [row | {"type": kind} for row in rows]


def bullet(exchange: Exchange, params: Params, account: str) -> Any:
    """Hand out a token for the account that signed; for nobody, if none did."""
    address = exchange.address.replace("http", "ws", 1)
    return token.instance(token.issue(account), address + token.PATH)


def symbols(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.symbol(market.instrument) for market in exchange.markets.values()]


def currencies(exchange: Exchange, params: Params, account: str) -> Any:
    instruments = [market.instrument for market in exchange.markets.values()]
    names = dict.fromkeys(c for i in instruments for c in (i.base, i.quote))
    return [shapes.currency(name) for name in names]


def all_tickers(exchange: Exchange, params: Params, account: str) -> Any:
    rows = [shapes.ticker(market) for market in exchange.markets.values()]
    return {"time": now_ms(), "ticker": rows}


def stats(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.ticker(exchange.market(needed(params, "symbol"))) | {"time": now_ms()}


def best(exchange: Exchange, params: Params, account: str) -> Any:
    row = shapes.ticker(exchange.market(needed(params, "symbol")))
    sizes = {name: row[name] for name in ("bestBidSize", "bestAskSize")}
    prices = {"price": row["last"], "bestBid": row["buy"], "bestAsk": row["sell"]}
    return prices | sizes | {"sequence": str(now_ms()), "size": "0", "time": now_ms()}


def book(depth: int) -> Handler:
    def handler(exchange: Exchange, params: Params, account: str) -> Any:
        return shapes.book(exchange.market(needed(params, "symbol")), depth, now_ms())

    return handler


def histories(exchange: Exchange, params: Params, account: str) -> Any:
    market = exchange.market(needed(params, "symbol"))
    return [shapes.trade(fill) for fill in reversed(list(market.trades)[-100:])]


def candle_rows(exchange: Exchange, params: Params, account: str) -> Any:
    market = exchange.market(needed(params, "symbol"))
    length = BARS_MS.get(needed(params, "type"))
    if length is None:
        raise VenueRefusal(-1120, "Invalid interval.")
    start = (whole(params, "startAt") or 0) * 1000
    rows = [c for c in candles(market, length, CANDLES, now_ms()) if c.start_ms >= start]
    return [shapes.candle(c) for c in reversed(rows)]


PUBLIC: dict[tuple[str, str], Handler] = {
    ("POST", "/api/v1/bullet-public"): bullet,
    ("GET", "/api/v1/timestamp"): lambda *_: now_ms(),
    ("GET", "/api/v2/symbols"): symbols,
    ("GET", "/api/v3/currencies"): currencies,
    ("GET", "/api/v1/market/allTickers"): all_tickers,
    ("GET", "/api/v1/market/stats"): stats,
    ("GET", "/api/v1/market/orderbook/level1"): best,
    ("GET", "/api/v1/market/orderbook/level2_20"): book(20),
    ("GET", "/api/v1/market/orderbook/level2_100"): book(100),
    ("GET", "/api/v1/market/histories"): histories,
    ("GET", "/api/v1/market/candles"): candle_rows,
}
PRIVATE: dict[tuple[str, str], Handler] = {
    ("POST", "/api/v1/orders"): place,
    ("POST", "/api/v1/hf/orders"): place,
    ("POST", "/api/v1/hf/orders/multi"): place_several,
    ("POST", "/api/v1/hf/orders/alter"): alter,
    ("DELETE", "/api/v1/orders"): cancel_all,
    ("DELETE", "/api/v1/hf/orders"): cancel_all,
    ("DELETE", "/api/v1/orders/{id}"): cancel_classic,
    ("DELETE", "/api/v1/hf/orders/client-order/{client}"): cancel_by_client,
    ("DELETE", "/api/v1/hf/orders/{id}"): cancel,
    ("GET", "/api/v1/orders"): orders,
    ("GET", "/api/v1/orders/{id}"): query,
    ("GET", "/api/v1/fills"): fills,
    ("GET", "/api/v1/hf/orders/active"): active,
    ("GET", "/api/v1/hf/orders/done"): done,
    ("GET", "/api/v1/hf/orders/client-order/{client}"): query,
    ("GET", "/api/v1/hf/orders/{id}"): query,
    ("GET", "/api/v1/hf/fills"): fills,
    ("POST", "/api/v1/bullet-private"): bullet,
    ("GET", "/api/v1/accounts"): accounts,
    ("GET", "/api/v1/hf/accounts/opened"): lambda *_: True,
    ("GET", "/api/ua/v1/account/mode"): lambda *_: {"selfAccountMode": "CLASSIC"},
    ("GET", "/api/v3/margin/symbols"): lambda *_: {"timestamp": now_ms(), "items": []},
    ("GET", "/api/v1/isolated/symbols"): lambda *_: [],
    ("GET", "/api/v3/market/orderbook/level2"): book(shapes.DEEP),
}
