"""Kraken's spot REST API. Source: Kraken API docs (read 2026-11)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from ringfence.venue.book import Order
from ringfence.venue.day import candles
from ringfence.venue.exchange import Exchange, Market, NewOrder, VenueRefusal
from ringfence.venue.fields import needed, number, whole
from ringfence.venue.kraken import shapes
from ringfence.venue.shape import Handler, Params, now_ms

__all__ = ["PRIVATE", "PUBLIC", "market", "refuse", "wrap"]

KINDS = {"limit": "LIMIT", "market": "MARKET"}
TIMES = ("GTC", "IOC", "FOK")
INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1440)
CANDLES = 720
SWITCH_SECONDS = 86_400
ERRORS = {
    -1013: "EOrder:Order minimum not met",
    -1100: "EGeneral:Invalid arguments",
    -1102: "EGeneral:Invalid arguments",
    -1116: "EGeneral:Invalid arguments:ordertype",
    -1117: "EGeneral:Invalid arguments:type",
    -1120: "EGeneral:Invalid arguments:interval",
    -1121: "EQuery:Unknown asset pair",
    -2010: "EOrder:Insufficient funds",
    -2011: "EOrder:Unknown order",
    -2013: "EOrder:Unknown order",
    -2015: "EAPI:Invalid key",
}
"""The exchange's refusals in Kraken's words."""
FILTERS = {
    "PRICE_FILTER": "EOrder:Invalid price:Invalid price argument",
    "LOT_SIZE": "EGeneral:Invalid arguments:volume",
}


def wrap(result: Any) -> dict[str, Any]:
    return {"error": [], "result": result}


def refuse(refusal: VenueRefusal) -> tuple[int, Any]:
    """Kraken refuses with status 200; only the text tells."""
    word = refusal.message.rpartition(" ")[2]
    said = refusal.message
    plain = said if said.startswith("EAPI:") else f"EGeneral:{said}"
    text = FILTERS.get(word) or ERRORS.get(refusal.code, plain)
    return 200, {"error": [text]}


def market(exchange: Exchange, name: str) -> Market:
    """Return a market by its id, or by its name on WebSockets in the old or the new form."""
    plain = name.replace("/", "").replace("BTC", "XBT")
    return exchange.market(name if name in exchange.markets else plain)


def place(exchange: Exchange, params: Params, account: str) -> Any:
    side, kind = needed(params, "type").upper(), KINDS.get(needed(params, "ordertype"))
    time_in_force = params.get("timeinforce", "GTC")
    if side not in ("BUY", "SELL"):
        raise VenueRefusal(-1117, "Invalid side.")
    if kind is None or time_in_force not in TIMES:
        raise VenueRefusal(-1116, "Invalid orderType.")
    asked = NewOrder(
        symbol=market(exchange, needed(params, "pair")).instrument.symbol,
        side=side,  # type: ignore[arg-type]
        kind=kind,
        quantity=number(params, "volume"),
        price=number(params, "price"),
        time_in_force=time_in_force,
        client_order_id=params.get("cl_ord_id", ""),
    )
    if params.get("validate", "").lower() in ("true", "1"):
        exchange.check(asked)
        return {"descr": {"order": f"{asked.side.lower()} {asked.quantity} {asked.symbol}"}}
    order = exchange.place(account, asked, now_ms())
    return {"descr": {"order": shapes.description(order)}, "txid": [shapes.txid(order)]}


def place_batch(exchange: Exchange, params: Params, account: str) -> Any:
    """Place each order of one pair, and tell how each went."""
    rows: list[dict[str, Any]] = []
    for item in params.get("orders", []):
        try:
            placed = place(exchange, item | {"pair": params.get("pair")}, account)
            rows.append(placed | {"txid": placed["txid"][0]})
        except VenueRefusal as refusal:
            rows.append({"error": refuse(refusal)[1]["error"][0]})
    return {"orders": rows}


def cancel_batch(exchange: Exchange, params: Params, account: str) -> Any:
    """Cancel those that stand, and count them."""
    count = 0
    for txid in params.get("orders", []):
        with contextlib.suppress(VenueRefusal):
            count += cancel(exchange, {"txid": txid}, account)["count"]
    if not count:
        raise VenueRefusal(-2011, "Unknown order sent.")
    return {"count": count}


def found(exchange: Exchange, params: Params, account: str) -> Order:
    text = params.get("txid")
    order_id = shapes.number_of(text) if text else None
    return exchange.find(account, None, order_id, params.get("cl_ord_id"))


def edit(exchange: Exchange, params: Params, account: str) -> Any:
    """Kraken gives a changed order a new id; here it keeps its own, which is both."""
    order = found(exchange, params, account)
    if market(exchange, needed(params, "pair")).instrument.symbol != order.symbol:
        raise VenueRefusal(-2013, "Order does not exist.")
    quantity, price = number(params, "volume"), number(params, "price")
    changed = exchange.amend(account, order, now_ms(), quantity or None, price or None)
    name = shapes.txid(changed)
    return {"status": "ok", "txid": name, "originaltxid": name, "orders_cancelled": 1}


def amend(exchange: Exchange, params: Params, account: str) -> Any:
    order = found(exchange, params, account)
    quantity, price = number(params, "order_qty"), number(params, "limit_price")
    exchange.amend(account, order, now_ms(), quantity or None, price or None)
    return {"amend_id": f"T{shapes.txid(order)[1:]}"}


def cancel(exchange: Exchange, params: Params, account: str) -> Any:
    exchange.cancel(account, found(exchange, params, account))
    return {"count": 1}


def cancel_all(exchange: Exchange, params: Params, account: str) -> Any:
    standing = [order for order in exchange.of(account) if order.open]
    return {"count": len([exchange.cancel(account, order) for order in standing])}


def cancel_all_after(exchange: Exchange, params: Params, account: str) -> Any:
    """Cancel all in so many seconds. Source: "Cancel All Orders After X" (read 2026-11)."""
    seconds = whole(params, "timeout")
    if seconds is None or not 0 <= seconds < SWITCH_SECONDS:
        raise VenueRefusal(-1102, "Invalid timeout.")
    if (before := exchange.switches.pop(account, None)) is not None:
        before.cancel()
    now = datetime.now(UTC)
    told = {"currentTime": f"{now:%Y-%m-%dT%H:%M:%SZ}", "triggerTime": "0"}
    if seconds:
        loop = asyncio.get_running_loop()
        switch = loop.call_later(seconds, cancel_all, exchange, {}, account)
        exchange.switches[account] = switch
        told["triggerTime"] = f"{now + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
    return told


def named(orders: list[Order]) -> dict[str, Any]:
    return {shapes.txid(order): shapes.order(order) for order in reversed(orders)}


def open_orders(exchange: Exchange, params: Params, account: str) -> Any:
    return {"open": named([order for order in exchange.of(account) if order.open])}


def closed_orders(exchange: Exchange, params: Params, account: str) -> Any:
    rows = [order for order in exchange.of(account) if not order.open]
    return {"closed": named(rows), "count": len(rows)}


def query_orders(exchange: Exchange, params: Params, account: str) -> Any:
    numbers = [shapes.number_of(text) for text in needed(params, "txid").split(",")]
    return named([exchange.find(account, None, one, None) for one in numbers])


def trades_history(exchange: Exchange, params: Params, account: str) -> Any:
    rows = [(fill, order) for order in exchange.of(account) for fill in order.fills]
    rows.sort(key=lambda row: -row[0].trade_id)
    trades = {shapes.trade_name(f): shapes.user_trade(o, f) for f, o in rows}
    return {"trades": trades, "count": len(trades)}


def balance(exchange: Exchange, params: Params, account: str) -> Any:
    return {c: shapes.balance(b)["balance"] for c, b in exchange.balances(account).items()}


def balance_extended(exchange: Exchange, params: Params, account: str) -> Any:
    return {c: shapes.balance(b) for c, b in exchange.balances(account).items()}


def streams_token(exchange: Exchange, params: Params, account: str) -> Any:
    token = secrets.token_urlsafe(32)
    exchange.tokens[token] = account
    return {"token": token, "expires": 900}


def trade_balance(exchange: Exchange, params: Params, account: str) -> Any:
    return dict.fromkeys(("eb", "tb", "m", "n", "c", "v", "e", "mf"), "0.0000")


def trade_volume(exchange: Exchange, params: Params, account: str) -> Any:
    fees = {"fee": "0.0000", "minfee": "0.0000", "maxfee": "0.0000"}
    rows = dict.fromkeys(exchange.markets, fees)
    return {"currency": "ZUSD", "volume": "0.0000", "fees": rows, "fees_maker": rows}


def assets(exchange: Exchange, params: Params, account: str) -> Any:
    instruments = [one.instrument for one in exchange.markets.values()]
    currencies = dict.fromkeys(c for i in instruments for c in (i.base, i.quote))
    return {currency: shapes.asset(currency) for currency in currencies}


def wanted(exchange: Exchange, params: Params) -> list[Market]:
    if not params.get("pair"):
        return list(exchange.markets.values())
    return [market(exchange, name) for name in params["pair"].split(",")]


def asset_pairs(exchange: Exchange, params: Params, account: str) -> Any:
    rows = [one.instrument for one in wanted(exchange, params)]
    return {instrument.symbol: shapes.pair(instrument) for instrument in rows}


def ticker(exchange: Exchange, params: Params, account: str) -> Any:
    rows = wanted(exchange, params)
    return {one.instrument.symbol: shapes.ticker(one) for one in rows}


def depth(exchange: Exchange, params: Params, account: str) -> Any:
    one = market(exchange, needed(params, "pair"))
    count = min(whole(params, "count") or 100, 500)
    return {one.instrument.symbol: shapes.book(one, count, now_ms())}


def trades(exchange: Exchange, params: Params, account: str) -> Any:
    one = market(exchange, needed(params, "pair"))
    rows = list(one.trades)[-min(whole(params, "count") or 1000, 1000) :]
    last = str((rows[-1].time_ms if rows else now_ms()) * 1_000_000)
    return {one.instrument.symbol: [shapes.trade(fill) for fill in rows], "last": last}


def ohlc(exchange: Exchange, params: Params, account: str) -> Any:
    one = market(exchange, needed(params, "pair"))
    minutes = whole(params, "interval") or 1
    if minutes not in INTERVALS_MIN:
        raise VenueRefusal(-1120, "Invalid interval.")
    since = whole(params, "since") or 0
    rows = [shapes.candle(c) for c in candles(one, minutes * 60_000, CANDLES, now_ms())]
    kept = [row for row in rows if row[0] >= since]
    return {one.instrument.symbol: kept, "last": rows[-2][0]}


def clock(exchange: Exchange, params: Params, account: str) -> Any:
    now = datetime.now(UTC)
    return {"unixtime": int(now.timestamp()), "rfc1123": f"{now:%a, %d %b %y %H:%M:%S %z}"}


def status(exchange: Exchange, params: Params, account: str) -> Any:
    return {"status": "online", "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}


PUBLIC: dict[tuple[str, str], Handler] = {
    ("GET", "/0/public/Time"): clock,
    ("GET", "/0/public/SystemStatus"): status,
    ("GET", "/0/public/Assets"): assets,
    ("GET", "/0/public/AssetPairs"): asset_pairs,
    ("GET", "/0/public/Ticker"): ticker,
    ("GET", "/0/public/Depth"): depth,
    ("GET", "/0/public/Trades"): trades,
    ("GET", "/0/public/OHLC"): ohlc,
}
PRIVATE: dict[tuple[str, str], Handler] = {
    ("POST", "/0/private/AddOrder"): place,
    ("POST", "/0/private/AddOrderBatch"): place_batch,
    ("POST", "/0/private/EditOrder"): edit,
    ("POST", "/0/private/AmendOrder"): amend,
    ("POST", "/0/private/CancelOrder"): cancel,
    ("POST", "/0/private/CancelOrderBatch"): cancel_batch,
    ("POST", "/0/private/CancelAll"): cancel_all,
    ("POST", "/0/private/CancelAllOrdersAfter"): cancel_all_after,
    ("POST", "/0/private/OpenOrders"): open_orders,
    ("POST", "/0/private/ClosedOrders"): closed_orders,
    ("POST", "/0/private/QueryOrders"): query_orders,
    ("POST", "/0/private/TradesHistory"): trades_history,
    ("POST", "/0/private/Balance"): balance,
    ("POST", "/0/private/BalanceEx"): balance_extended,
    ("POST", "/0/private/TradeBalance"): trade_balance,
    ("POST", "/0/private/TradeVolume"): trade_volume,
    ("POST", "/0/private/GetWebSocketsToken"): streams_token,
}
