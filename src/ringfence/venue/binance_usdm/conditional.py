"""Conditional orders of the futures: taken, listed and taken back, and never triggered.

Source: Binance USDS-M futures docs, "New Algo Order", "Cancel Algo Order" (read 2026-11).
"""

from __future__ import annotations

from typing import Any

from ringfence.venue.binance import rest as spot
from ringfence.venue.binance import shapes
from ringfence.venue.exchange import Exchange, VenueRefusal
from ringfence.venue.fields import needed, number, whole
from ringfence.venue.shape import Handler, Params, now_ms

__all__ = ["KINDS", "PRIVATE"]

KINDS = {
    "STOP": "LIMIT",
    "STOP_MARKET": "MARKET",
    "TAKE_PROFIT": "LIMIT",
    "TAKE_PROFIT_MARKET": "MARKET",
}
"""What each becomes once it is triggered."""


def place(exchange: Exchange, params: Params, account: str) -> Any:
    new = spot.asked(params)
    kind, trigger = new.kind, number(params, "triggerPrice")
    if needed(params, "algoType") != "CONDITIONAL" or kind not in KINDS:
        raise VenueRefusal(-1116, "Invalid orderType.")
    new.kind = KINDS[kind]
    instrument = exchange.check(new)
    if trigger <= 0 or trigger % instrument.tick:
        raise VenueRefusal(-1013, "Filter failure: PRICE_FILTER")
    now, algo_id = now_ms(), len(exchange.waiting) + 1
    row = {
        "algoId": algo_id, "clientAlgoId": params.get("clientAlgoId") or f"paper-{algo_id}",
        "algoType": "CONDITIONAL", "orderType": kind, "symbol": new.symbol, "side": new.side,
        "positionSide": "BOTH", "timeInForce": new.time_in_force, "algoStatus": "NEW",
        "quantity": shapes.text(new.quantity), "triggerPrice": shapes.text(trigger),
        "price": shapes.text(new.price), "icebergQuantity": None, "workingType": "CONTRACT_PRICE",
        "selfTradePreventionMode": "NONE", "priceMatch": "NONE", "closePosition": False,
        "priceProtect": False, "reduceOnly": False, "createTime": now, "updateTime": now,
        "triggerTime": 0, "goodTillDate": 0,
    }  # fmt: skip
    exchange.waiting.append((account, row))
    return row


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
