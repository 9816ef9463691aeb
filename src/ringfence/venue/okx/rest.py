"""OKX's v5 REST API for spot. Source: OKX v5 API docs (read 2026-11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ringfence.venue.book import Order
from ringfence.venue.day import candles
from ringfence.venue.exchange import Exchange, NewOrder, VenueRefusal
from ringfence.venue.fields import needed, number, whole
from ringfence.venue.okx import shapes
from ringfence.venue.shape import Handler, Params, Whole, now_ms

__all__ = ["PRIVATE", "PUBLIC", "refuse", "wrap"]

KINDS = {
    "limit": ("LIMIT", "GTC"),
    "market": ("MARKET", "GTC"),
    "post_only": ("LIMIT_MAKER", "GTC"),
    "ioc": ("LIMIT", "IOC"),
    "fok": ("LIMIT", "FOK"),
}
BARS_MS = {
    "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000,
    "1H": 3_600_000, "2H": 7_200_000, "4H": 14_400_000, "1D": 86_400_000, "1Dutc": 86_400_000,
}  # fmt: skip
CODES = {
    -1013: ("51020", "Your order should meet or exceed the minimum order amount."),
    -1100: ("51000", "Parameter error."),
    -1102: ("50014", "Parameter can not be empty."),
    -1116: ("51000", "Parameter ordType error."),
    -1117: ("51000", "Parameter side error."),
    -1120: ("51000", "Parameter bar error."),
    -1121: ("51001", "Instrument ID does not exist."),
    -2010: ("51008", "Order failed. Insufficient balance in account."),
    -2011: ("51400", "Cancellation failed as the order does not exist."),
    -2013: ("51603", "Order does not exist."),
    -2015: ("50111", "Invalid OK-ACCESS-KEY."),
}
"""The exchange's refusals in OKX's words."""
FILTERS = {
    "PRICE_FILTER": ("51006", "Order price is not within the price limit."),
    "LOT_SIZE": ("51121", "Order count should be the integer multiples of the lot size."),
}


def wrap(data: Any) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": data}


def reason(refusal: VenueRefusal) -> tuple[str, str]:
    name = refusal.message.rpartition(" ")[2]
    given = (str(refusal.code), refusal.message)
    return FILTERS.get(name) or CODES.get(refusal.code, given)


def refuse(refusal: VenueRefusal) -> tuple[int, Any]:
    code, text = reason(refusal)
    return refusal.status, {"code": code, "msg": text, "data": []}


def each(act: Callable[[Exchange, Params, str], Order]) -> Handler:
    """Return a handler that acts on one order or on each of a list, and tells how each went."""

    def handler(exchange: Exchange, params: Params, account: str) -> Any:
        rows = []
        for item in params.get("items", [params]):
            try:
                rows.append(named(act(exchange, item, account)))
            except VenueRefusal as refusal:
                code, text = reason(refusal)
                known = {"ordId": item.get("ordId", ""), "clOrdId": item.get("clOrdId", "")}
                rows.append(named(None) | known | {"sCode": code, "sMsg": text})
        failed = sum(row["sCode"] != "0" for row in rows)
        code = "0" if not failed else "1" if failed == len(rows) else "2"
        return Whole(wrap(rows) | {"code": code, "msg": "Operation failed." if failed else ""})

    return handler


def named(order: Order | None) -> dict[str, str]:
    known = ("", "") if order is None else (str(order.order_id), order.client_order_id)
    given = {"ordId": known[0], "clOrdId": known[1], "tag": "", "ts": str(now_ms())}
    return given | {"sCode": "0", "sMsg": ""}


def place(exchange: Exchange, params: Params, account: str) -> Order:
    side = needed(params, "side").upper()
    if side not in ("BUY", "SELL"):
        raise VenueRefusal(-1117, "Invalid side.")
    if needed(params, "ordType") not in KINDS:
        raise VenueRefusal(-1116, "Invalid orderType.")
    kind, time_in_force = KINDS[params["ordType"]]
    # A market buy is by amount unless it says otherwise.
    unit = params.get("tgtCcy") or ("quote_ccy" if side == "BUY" else "base_ccy")
    by_amount = kind == "MARKET" and unit == "quote_ccy"
    asked = NewOrder(
        symbol=needed(params, "instId"),
        side=side,  # type: ignore[arg-type]
        kind=kind,
        quantity=number({} if by_amount else params, "sz"),
        amount=number(params if by_amount else {}, "sz"),
        price=number(params, "px"),
        time_in_force=time_in_force,
        client_order_id=params.get("clOrdId", ""),
    )
    return exchange.place(account, asked, now_ms())


def found(exchange: Exchange, params: Params, account: str) -> Order:
    symbol = needed(params, "instId")
    return exchange.find(account, symbol, whole(params, "ordId"), params.get("clOrdId"))


def amend(exchange: Exchange, params: Params, account: str) -> Order:
    order = found(exchange, params, account)
    quantity, price = number(params, "newSz"), number(params, "newPx")
    return exchange.amend(account, order, now_ms(), quantity or None, price or None)


def cancel(exchange: Exchange, params: Params, account: str) -> Order:
    return exchange.cancel(account, found(exchange, params, account))


def query(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.order(found(exchange, params, account))]


def chosen(exchange: Exchange, params: Params, account: str) -> list[Order]:
    """Return the orders that a query names, newest first."""
    one = whole(params, "ordId")
    orders = exchange.of(account, params.get("instId"))
    return [o for o in reversed(orders) if one in (None, o.order_id)][:100]


def pending(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.order(o) for o in chosen(exchange, params, account) if o.open]


def history(exchange: Exchange, params: Params, account: str) -> Any:
    rows = [o for o in chosen(exchange, params, account) if not o.open]
    state = params.get("state")
    return [row for o in rows if state in (None, (row := shapes.order(o))["state"])]


def fills(exchange: Exchange, params: Params, account: str) -> Any:
    rows = [(f, o) for o in chosen(exchange, params, account) for f in o.fills]
    rows.sort(key=lambda row: -row[0].trade_id)
    return [shapes.execution(o, f) for f, o in rows[:100]]


def balances(exchange: Exchange, params: Params, account: str) -> Any:
    now = now_ms()
    rows = [shapes.balance(c, b, now) for c, b in exchange.balances(account).items()]
    return [{"uTime": str(now), "totalEq": "", "details": rows}]


def nothing(exchange: Exchange, params: Params, account: str) -> Any:
    """No positions, and nothing is kept outside the trading account."""
    return []


def currencies(exchange: Exchange, params: Params, account: str) -> Any:
    chain = {"mainNet": True, "canDep": True, "canWd": True, "minFee": "0", "minWd": "0.001"}
    chain |= {"maxWd": "1000", "wdTickSz": "8", "fee": "0"}
    known = exchange.balances(account)
    return [{"ccy": c, "name": c, "chain": f"{c}-{c}", **chain} for c in known]


def config(exchange: Exchange, params: Params, account: str) -> Any:
    return [{"uid": "1", "mainUid": "1", "acctLv": "1", "posMode": "net_mode", "autoLoan": False}]


def trade_fee(exchange: Exchange, params: Params, account: str) -> Any:
    return [{"instType": "SPOT", "maker": "0", "taker": "0", "level": "Lv1", "ts": str(now_ms())}]


def instruments(exchange: Exchange, params: Params, account: str) -> Any:
    if needed(params, "instType") != "SPOT":
        return []
    wanted = params.get("instId")
    markets = [m for s, m in exchange.markets.items() if wanted in (None, s)]
    return [shapes.instrument(m.instrument) for m in markets]


def ticker(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.ticker(exchange.market(needed(params, "instId")), now_ms())]


def tickers(exchange: Exchange, params: Params, account: str) -> Any:
    markets = exchange.markets.values() if needed(params, "instType") == "SPOT" else ()
    return [shapes.ticker(market, now_ms()) for market in markets]


def book(exchange: Exchange, params: Params, account: str) -> Any:
    depth = min(whole(params, "sz") or 1, 400)
    return [shapes.book(exchange.market(needed(params, "instId")), depth, now_ms())]


def trades(exchange: Exchange, params: Params, account: str) -> Any:
    rows = list(exchange.market(needed(params, "instId")).trades)
    return [shapes.trade(f) for f in reversed(rows[-min(whole(params, "limit") or 100, 500) :])]


def candle_rows(exchange: Exchange, params: Params, account: str) -> Any:
    market = exchange.market(needed(params, "instId"))
    length = BARS_MS.get(params.get("bar", "1m"))
    if length is None:
        raise VenueRefusal(-1120, "Invalid interval.")
    count = min(whole(params, "limit") or 100, 300)
    rows = [shapes.candle(c) for c in candles(market, length, count, now_ms())]
    return list(reversed(rows))


PUBLIC: dict[tuple[str, str], Handler] = {
    ("GET", "/api/v5/public/time"): lambda *_: [{"ts": str(now_ms())}],
    ("GET", "/api/v5/public/instruments"): instruments,
    ("GET", "/api/v5/market/books"): book,
    ("GET", "/api/v5/market/ticker"): ticker,
    ("GET", "/api/v5/market/tickers"): tickers,
    ("GET", "/api/v5/market/trades"): trades,
    ("GET", "/api/v5/market/candles"): candle_rows,
}
PRIVATE: dict[tuple[str, str], Handler] = {
    ("POST", "/api/v5/trade/order"): each(place),
    ("POST", "/api/v5/trade/batch-orders"): each(place),
    ("POST", "/api/v5/trade/amend-order"): each(amend),
    ("POST", "/api/v5/trade/amend-batch-orders"): each(amend),
    ("POST", "/api/v5/trade/cancel-order"): each(cancel),
    ("POST", "/api/v5/trade/cancel-batch-orders"): each(cancel),
    ("GET", "/api/v5/trade/order"): query,
    ("GET", "/api/v5/trade/orders-pending"): pending,
    ("GET", "/api/v5/trade/orders-history"): history,
    ("GET", "/api/v5/trade/fills"): fills,
    ("GET", "/api/v5/trade/fills-history"): fills,
    ("GET", "/api/v5/account/balance"): balances,
    ("GET", "/api/v5/account/config"): config,
    ("GET", "/api/v5/account/positions"): nothing,
    ("GET", "/api/v5/account/trade-fee"): trade_fee,
    ("GET", "/api/v5/asset/balances"): nothing,
    ("GET", "/api/v5/asset/currencies"): currencies,
}
