"""Conditional orders of the futures: taken, listed and taken back, and never triggered.

Source: Binance USDS-M futures docs, "New Algo Order", "Cancel Algo Order" (read 2026-11).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ringfence.venue.binance import rest as spot
from ringfence.venue.binance import shapes
from ringfence.venue.exchange import Exchange, VenueRefusal
from ringfence.venue.fields import needed, number, whole
from ringfence.venue.instruments import Instrument
from ringfence.venue.shape import Handler, Params, now_ms

__all__ = ["KINDS", "PRIVATE"]

KINDS = {
    "STOP": "LIMIT",
    "STOP_MARKET": "MARKET",
    "TAKE_PROFIT": "LIMIT",
    "TAKE_PROFIT_MARKET": "MARKET",
    "TRAILING_STOP_MARKET": "MARKET",
}
"""What each becomes once it is triggered."""
CLOSING = ("STOP_MARKET", "TAKE_PROFIT_MARKET")
TRAILING = "TRAILING_STOP_MARKET"
LEAST, MOST = Decimal("0.1"), Decimal(10)
"""How many percent a trigger may follow behind the market."""


def place(exchange: Exchange, params: Params, account: str) -> Any:
    new = spot.asked(params)
    kind = new.kind
    if needed(params, "algoType") != "CONDITIONAL" or kind not in KINDS:
        raise VenueRefusal(-1116, "Invalid orderType.")
    new.kind = KINDS[kind]
    closes = str(params.get("closePosition")).lower() == "true"
    instrument = closing(exchange, params, kind) if closes else exchange.check(new)
    trigger, rate = triggers(params, kind, instrument)
    now, algo_id = now_ms(), len(exchange.waiting) + 1
    row = {
        "algoId": algo_id, "clientAlgoId": params.get("clientAlgoId") or f"paper-{algo_id}",
        "algoType": "CONDITIONAL", "orderType": kind, "symbol": new.symbol, "side": new.side,
        "positionSide": "BOTH", "timeInForce": new.time_in_force, "algoStatus": "NEW",
        "quantity": shapes.text(new.quantity), "triggerPrice": shapes.text(trigger),
        "activatePrice": shapes.text(trigger) if kind == TRAILING else "", "callbackRate": rate,
        "price": shapes.text(new.price), "icebergQuantity": None, "workingType": "CONTRACT_PRICE",
        "selfTradePreventionMode": "NONE", "priceMatch": "NONE", "closePosition": closes,
        "priceProtect": False, "reduceOnly": False, "createTime": now, "updateTime": now,
        "triggerTime": 0, "goodTillDate": 0,
    }  # fmt: skip
    exchange.waiting.append((account, row))
    return row


def closing(exchange: Exchange, params: Params, kind: str) -> Instrument:
    """Check an order that closes the position, and return its instrument."""
    if kind not in CLOSING:
        raise VenueRefusal(
            -4136, f"Target strategy invalid for orderType {kind},closePosition true"
        )
    if "quantity" in params:
        raise VenueRefusal(-4137, "Quantity must be zero with closePosition equals true")
    if "reduceOnly" in params:
        raise VenueRefusal(-1106, "Parameter 'reduceonly' sent when not required.")
    return exchange.market(needed(params, "symbol")).instrument


def triggers(params: Params, kind: str, instrument: Instrument) -> tuple[Decimal, str]:
    """Return the price that triggers an order, or from which on one trails, and how far behind."""
    if kind != TRAILING:
        trigger = number(params, "triggerPrice")
        if trigger <= 0 or trigger % instrument.tick:
            raise VenueRefusal(-1013, "Filter failure: PRICE_FILTER")
        return trigger, ""
    rate = number(params, "callbackRate")
    if not LEAST <= rate <= MOST:
        raise VenueRefusal(-2021, "Invalid callBack rate.")
    start = number(params, "activatePrice") or instrument.mid
    if start <= 0 or start % instrument.tick:
        raise VenueRefusal(-4135, "Invalid activation price.")
    return start, needed(params, "callbackRate")


def rows(exchange: Exchange, params: Params, account: str) -> list[dict[str, Any]]:
    symbol = params.get("symbol")
    own = (row for of, row in exchange.waiting if of == account)
    return [row for row in own if symbol in (None, row["symbol"])]


def found(exchange: Exchange, params: Params, account: str) -> dict[str, Any]:
    algo_id, name = whole(params, "algoId"), params.get("clientAlgoId")
    for row in rows(exchange, params, account):
        if row["algoId"] == algo_id or (algo_id is None and row["clientAlgoId"] == name):
            return row
    raise VenueRefusal(-2013, "Order does not exist.")


def still(all_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in all_rows if row["algoStatus"] == "NEW"]


def cancel(exchange: Exchange, params: Params, account: str) -> Any:
    row = found(exchange, params, account)
    if row["algoStatus"] != "NEW":
        raise VenueRefusal(-2011, "Unknown order sent.")
    row |= {"algoStatus": "CANCELED", "updateTime": now_ms()}
    ids = {name: row[name] for name in ("algoId", "clientAlgoId")}
    return ids | {"code": "200", "msg": "success"}


def cancel_all(exchange: Exchange, params: Params, account: str) -> Any:
    needed(params, "symbol")
    for row in still(rows(exchange, params, account)):
        row |= {"algoStatus": "CANCELED", "updateTime": now_ms()}
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


PRIVATE: dict[tuple[str, str], Handler] = {
    ("POST", "/fapi/v1/algoOrder"): place,
    ("DELETE", "/fapi/v1/algoOrder"): cancel,
    ("DELETE", "/fapi/v1/algoOpenOrders"): cancel_all,
    ("GET", "/fapi/v1/algoOrder"): found,
    ("GET", "/fapi/v1/openAlgoOrders"): lambda *asked: still(rows(*asked)),
    ("GET", "/fapi/v1/allAlgoOrders"): rows,
}
