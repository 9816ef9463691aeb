"""Deribit's v2 API by GET, for its spot instruments. Source: Deribit API docs (read 2026-11)."""

from __future__ import annotations

from typing import Any

from ringfence.venue.book import Order, Side
from ringfence.venue.day import candles
from ringfence.venue.deribit import shapes
from ringfence.venue.exchange import Exchange, NewOrder, VenueRefusal
from ringfence.venue.fields import needed, number, whole
from ringfence.venue.shape import Handler, Params, now_ms

__all__ = ["PRIVATE", "PUBLIC", "error", "refuse", "wrap"]

TIMES = {word: time for time, word in shapes.TIMES.items()}
RESOLUTIONS_MS = {
    **{str(m): m * 60_000 for m in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)},
    "1D": 86_400_000,
}
CANDLES_MAX = 1000
CODES = {
    -1013: (10021, "invalid_amount"),
    -1100: (-32602, "Invalid params"),
    -1102: (-32602, "Invalid params"),
    -1116: (11029, "invalid_arguments"),
    -1120: (-32602, "Invalid params"),
    -1121: (13020, "not_found"),
    -2010: (10009, "not_enough_funds"),
    -2011: (11044, "not_open_order"),
    -2013: (10004, "order_not_found"),
    -2015: (13004, "invalid_credentials"),
}
"""The exchange's refusals in Deribit's words."""
WORDS = {
    "PRICE_FILTER": (10043, "price_wrong_tick"),
    "NOTIONAL": (10032, "whole_cost_too_low"),
    "take.": (11054, "post_only_reject"),
}


def wrap(result: Any) -> dict[str, Any]:
    now_us = now_ms() * 1000
    times = {"usIn": now_us, "usOut": now_us, "usDiff": 0, "testnet": True}
    return {"jsonrpc": "2.0", "result": result, **times}


def error(refusal: VenueRefusal) -> dict[str, Any]:
    """Return what stands under `error`."""
    given = (refusal.code, refusal.message)
    word = refusal.message.rpartition(" ")[2]
    code, text = WORDS.get(word) or CODES.get(refusal.code, given)
    return {"code": code, "message": text}


def refuse(refusal: VenueRefusal) -> tuple[int, Any]:
    answer = wrap(None) | {"error": error(refusal)}
    del answer["result"]
    return refusal.status, answer


def place(side: Side) -> Handler:
    """Return the handler of `buy` or of `sell`."""

    def handler(exchange: Exchange, params: Params, account: str) -> Any:
        kind = {"limit": "LIMIT", "market": "MARKET"}.get(params.get("type", "limit"))
        time_in_force = TIMES.get(params.get("time_in_force", "good_til_cancelled"))
        if kind is None or time_in_force is None:
            raise VenueRefusal(-1116, "Invalid orderType.")
        if kind == "LIMIT" and params.get("post_only") == "true":
            # Without reject_post_only Deribit moves the price; here it refuses, which is simpler.
            kind = "LIMIT_MAKER"
        asked = NewOrder(
            symbol=needed(params, "instrument_name"),
            side=side,
            kind=kind,
            quantity=number(params, "amount"),
            price=number(params, "price"),
            time_in_force=time_in_force,
            client_order_id=params.get("label", ""),
        )
        order = exchange.place(account, asked, now_ms())
        return {"order": shapes.order(order), "trades": own_trades(order)}

    return handler


def own_trades(order: Order) -> list[Any]:
    return [shapes.user_trade(order, fill) for fill in order.fills]


def found(exchange: Exchange, params: Params, account: str) -> Order:
    symbol, _, order_id = needed(params, "order_id").rpartition("-")
    if symbol not in exchange.markets or not order_id.isdecimal():
        raise VenueRefusal(-2013, "Order does not exist.")
    return exchange.find(account, symbol, int(order_id), None)


def edit(exchange: Exchange, params: Params, account: str) -> Any:
    order = found(exchange, params, account)
    quantity, price = number(params, "amount"), number(params, "price")
    exchange.amend(account, order, now_ms(), quantity or None, price or None)
    return {"order": shapes.order(order), "trades": own_trades(order)}


def cancel(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.order(exchange.cancel(account, found(exchange, params, account)))


def chosen(exchange: Exchange, params: Params, account: str) -> list[Order]:
    """Return the orders in an instrument, or in those of a currency, newest first."""
    orders = reversed(exchange.of(account, params.get("instrument_name")))
    currency = params.get("currency", "any")
    if currency == "any":
        return list(orders)
    bases = {symbol: market.instrument.base for symbol, market in exchange.markets.items()}
    return [order for order in orders if bases[order.symbol] == currency]


def cancel_all(exchange: Exchange, params: Params, account: str) -> Any:
    standing = [order for order in chosen(exchange, params, account) if order.open]
    return len([exchange.cancel(account, order) for order in standing])


def order_state(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.order(found(exchange, params, account))


def open_orders(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.order(o) for o in chosen(exchange, params, account) if o.open]


def order_history(exchange: Exchange, params: Params, account: str) -> Any:
    return [shapes.order(o) for o in chosen(exchange, params, account) if not o.open]


def user_trades(exchange: Exchange, params: Params, account: str) -> Any:
    rows = [row for o in chosen(exchange, params, account) for row in own_trades(o)]
    return {"trades": sorted(rows, key=lambda row: -row["trade_seq"]), "has_more": False}


def account_summary(exchange: Exchange, params: Params, account: str) -> Any:
    currency, balances = needed(params, "currency"), exchange.balances(account)
    if currency not in balances:
        raise VenueRefusal(-1100, "Illegal characters found in parameter 'currency'.")
    return shapes.summary(currency, balances[currency])


def account_summaries(exchange: Exchange, params: Params, account: str) -> Any:
    rows = [shapes.summary(c, b) for c, b in exchange.balances(account).items()]
    return {"id": 1, "type": "main", "username": "paper", "summaries": rows}


def currencies(exchange: Exchange, params: Params, account: str) -> Any:
    instruments = [market.instrument for market in exchange.markets.values()]
    codes = dict.fromkeys(code for i in instruments for code in (i.base, i.quote))
    return [shapes.currency(code) for code in codes]


def instruments(exchange: Exchange, params: Params, account: str) -> Any:
    currency, kind = params.get("currency", "any"), params.get("kind", "spot")
    rows = [market.instrument for market in exchange.markets.values()]
    if kind not in ("spot", "any"):
        return []
    return [shapes.instrument(i) for i in rows if currency in ("any", i.base, i.quote)]


def ticker(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.ticker(exchange.market(needed(params, "instrument_name")), now_ms())


def book_summaries(exchange: Exchange, params: Params, account: str) -> Any:
    currency = needed(params, "currency")
    rows = exchange.markets.values()
    chosen = [m for m in rows if currency in (m.instrument.base, m.instrument.quote)]
    return [shapes.summary_row(market, now_ms()) for market in chosen]


def book(exchange: Exchange, params: Params, account: str) -> Any:
    market = exchange.market(needed(params, "instrument_name"))
    return shapes.book(market, whole(params, "depth") or 5, now_ms())


def last_trades(exchange: Exchange, params: Params, account: str) -> Any:
    rows = list(exchange.market(needed(params, "instrument_name")).trades)
    rows = rows[-min(whole(params, "count") or 10, 1000) :]
    return {"trades": [shapes.trade(fill) for fill in reversed(rows)], "has_more": False}


def chart(exchange: Exchange, params: Params, account: str) -> Any:
    market = exchange.market(needed(params, "instrument_name"))
    length = RESOLUTIONS_MS.get(needed(params, "resolution"))
    start, end = whole(params, "start_timestamp"), whole(params, "end_timestamp")
    if length is None or start is None or end is None:
        raise VenueRefusal(-1120, "Invalid interval.")
    end = min(end, now_ms())
    count = min(max((end - start) // length + 1, 1), CANDLES_MAX)
    rows = list(candles(market, length, count, end))
    columns = {"open": "open", "high": "high", "low": "low", "close": "close"}
    columns |= {"volume": "volume", "cost": "value"}
    answer = {to: [shapes.number(getattr(row, of)) for row in rows] for to, of in columns.items()}
    return {"status": "ok", "ticks": [row.start_ms for row in rows], **answer}


def clock(exchange: Exchange, params: Params, account: str) -> Any:
    return now_ms()


def status(exchange: Exchange, params: Params, account: str) -> Any:
    return {"locked": "false", "locked_indices": []}


def positions(exchange: Exchange, params: Params, account: str) -> Any:
    """Spot has none."""
    return []


P = "/api/v2/public"
PUBLIC: dict[tuple[str, str], Handler] = {
    ("GET", f"{P}/get_time"): clock,
    ("GET", f"{P}/status"): status,
    ("GET", f"{P}/test"): lambda *_: {"version": "1.2.26"},
    ("GET", f"{P}/get_currencies"): currencies,
    ("GET", f"{P}/get_instruments"): instruments,
    ("GET", f"{P}/get_order_book"): book,
    ("GET", f"{P}/ticker"): ticker,
    ("GET", f"{P}/get_book_summary_by_currency"): book_summaries,
    ("GET", f"{P}/get_last_trades_by_instrument"): last_trades,
    ("GET", f"{P}/get_tradingview_chart_data"): chart,
}
P = "/api/v2/private"
PRIVATE: dict[tuple[str, str], Handler] = {
    ("GET", f"{P}/buy"): place("BUY"),
    ("GET", f"{P}/sell"): place("SELL"),
    ("GET", f"{P}/edit"): edit,
    ("GET", f"{P}/cancel"): cancel,
    ("GET", f"{P}/cancel_all"): cancel_all,
    ("GET", f"{P}/cancel_all_by_instrument"): cancel_all,
    ("GET", f"{P}/get_order_state"): order_state,
    ("GET", f"{P}/get_open_orders"): open_orders,
    ("GET", f"{P}/get_open_orders_by_currency"): open_orders,
    ("GET", f"{P}/get_open_orders_by_instrument"): open_orders,
    ("GET", f"{P}/get_order_history_by_currency"): order_history,
    ("GET", f"{P}/get_order_history_by_instrument"): order_history,
    ("GET", f"{P}/get_user_trades_by_currency"): user_trades,
    ("GET", f"{P}/get_user_trades_by_instrument"): user_trades,
    ("GET", f"{P}/get_account_summary"): account_summary,
    ("GET", f"{P}/get_account_summaries"): account_summaries,
    ("GET", f"{P}/get_positions"): positions,
}
