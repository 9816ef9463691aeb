"""Coinbase's Advanced Trade REST API for spot. Source: Coinbase docs, "REST API" (read 2026-11)."""

from __future__ import annotations

from typing import Any

from ringfence.venue.book import Order
from ringfence.venue.coinbase import shapes
from ringfence.venue.exchange import Exchange, NewOrder, VenueRefusal
from ringfence.venue.fields import needed, number, whole
from ringfence.venue.shape import Handler, Params, Whole, now_ms

__all__ = ["PRIVATE", "PUBLIC", "refuse", "wrap"]

TYPES = {
    "limit_limit_gtc": ("LIMIT", "GTC"),
    "sor_limit_ioc": ("LIMIT", "IOC"),
    "limit_limit_fok": ("LIMIT", "FOK"),
    "market_market_ioc": ("MARKET", "GTC"),
}
REASONS = {
    -1013: "INVALID_LIMIT_PRICE",
    -1116: "UNSUPPORTED_ORDER_CONFIGURATION",
    -1117: "INVALID_SIDE",
    -1121: "INVALID_PRODUCT_ID",
    -2010: "INSUFFICIENT_FUND",
}
"""Why an order was not placed, by the exchange's refusal."""
SIZE = "INVALID_SIZE_PRECISION"
STATUSES = {401: "unauthorized", 404: "NOT_FOUND"}
BOOK_MAX = 250


def wrap(data: Any) -> Any:
    return data


def refuse(refusal: VenueRefusal) -> tuple[int, Any]:
    status = 404 if refusal.code in (-2011, -2013) else refusal.status
    error = STATUSES.get(status, "INVALID_ARGUMENT")
    return status, {"error": error, "error_details": refusal.message, "message": refusal.message}


def asked(params: Params) -> NewOrder:
    """Return the order in a request: its type is the one name in its configuration."""
    said = params.get("order_configuration")
    if not isinstance(said, dict) or len(said) != 1:
        raise VenueRefusal(-1116, "Invalid order configuration.")
    ((name, terms),) = said.items()
    if name not in TYPES or not isinstance(terms, dict):
        raise VenueRefusal(-1116, "Invalid order configuration.")
    kind, time_in_force = TYPES[name]
    if needed(params, "side") not in ("BUY", "SELL"):
        raise VenueRefusal(-1117, "Invalid side.")
    return NewOrder(
        symbol=needed(params, "product_id"),
        side=params["side"],
        kind="LIMIT_MAKER" if terms.get("post_only") is True else kind,
        quantity=number(terms, "base_size"),
        amount=number(terms, "quote_size"),
        price=number(terms, "limit_price"),
        time_in_force=time_in_force,
        client_order_id=needed(params, "client_order_id"),
    )


def place(exchange: Exchange, params: Params, account: str) -> Any:
    """An order that is not placed is answered with status 200, too."""
    try:
        order = exchange.place(account, asked(params), now_ms())
    except VenueRefusal as refusal:
        reason = SIZE if refusal.message.endswith("LOT_SIZE") else REASONS.get(refusal.code)
        reason = reason or "UNKNOWN_FAILURE_REASON"
        said = {"error": reason, "message": refusal.message, "error_details": refusal.message}
        failed = {"success": False, "failure_reason": reason, "order_id": ""}
        return failed | {"error_response": said | {"new_order_failure_reason": reason}}
    named = {
        "order_id": shapes.name(order.order_id),
        "product_id": order.symbol,
        "side": order.side,
        "client_order_id": order.client_order_id,
    }
    return {
        "success": True,
        "success_response": named,
        "order_configuration": shapes.configuration(order),
    }


def found(exchange: Exchange, text: str, account: str) -> Order:
    number = shapes.number_of(text)
    return exchange.find(account, None, -1 if number is None else number, None)


def edit(exchange: Exchange, params: Params, account: str) -> Any:
    """Size and price of an open order; an edit that fails is answered with status 200, too."""
    try:
        order = found(exchange, needed(params, "order_id"), account)
        size, price = number(params, "size"), number(params, "price")
        exchange.amend(account, order, now_ms(), size or None, price or None)
    except VenueRefusal as refusal:
        gone = refusal.code in (-2011, -2013)
        reason = "ORDER_NOT_FOUND" if gone else "INVALID_EDITED_PRICE"
        return {"success": False, "errors": [{"edit_failure_reason": reason}]}
    return {"success": True, "errors": []}


def cancel(exchange: Exchange, params: Params, account: str) -> Any:
    rows = []
    for text in params.get("order_ids", []):
        reason = "UNKNOWN_CANCEL_FAILURE_REASON"
        try:
            exchange.cancel(account, found(exchange, str(text), account))
        except VenueRefusal:
            reason = "UNKNOWN_CANCEL_ORDER"
        done = reason != "UNKNOWN_CANCEL_ORDER"
        rows.append({"success": done, "failure_reason": reason, "order_id": text})
    return {"results": rows}


def one(exchange: Exchange, params: Params, account: str) -> Any:
    return {"order": shapes.order(found(exchange, params["id"], account))}


def many(exchange: Exchange, params: Params, account: str) -> Any:
    symbol = params.get("product_ids") or params.get("product_id")
    rows = [shapes.order(o) for o in reversed(exchange.of(account, symbol))]
    state = params.get("order_status")
    kept = [row for row in rows if state in (None, row["status"])]
    return {"orders": kept, "sequence": "0", "has_next": False, "cursor": ""}


def accounts(exchange: Exchange, params: Params, account: str) -> Any:
    now = now_ms()
    rows = [shapes.account(c, b, now) for c, b in exchange.balances(account).items()]
    return {"accounts": rows, "has_next": False, "cursor": "", "size": len(rows)}


def wallets(exchange: Exchange, params: Params, account: str) -> Any:
    """The older API's accounts, which clients ask for first."""
    rows = [shapes.wallet(c, b) for c, b in exchange.balances(account).items()]
    return Whole({"pagination": {"next_uri": None, "next_starting_after": None}, "data": rows})


def summary(exchange: Exchange, params: Params, account: str) -> Any:
    tier = {"pricing_tier": "Paper", "taker_fee_rate": "0", "maker_fee_rate": "0"}
    return {"total_volume": 0, "total_fees": 0, "fee_tier": tier}


def products(exchange: Exchange, params: Params, account: str) -> Any:
    wanted = params.get("product_type", "SPOT") == "SPOT"
    rows = [shapes.product(market) for market in exchange.markets.values() if wanted]
    return {"products": rows, "num_products": len(rows)}


def product(exchange: Exchange, params: Params, account: str) -> Any:
    return shapes.product(exchange.market(params["product"]))


def book(exchange: Exchange, params: Params, account: str) -> Any:
    market = exchange.market(needed(params, "product_id"))
    depth = min(whole(params, "limit") or BOOK_MAX, BOOK_MAX)
    return {"pricebook": shapes.book(market, depth, now_ms())}


def time_now(exchange: Exchange, params: Params, account: str) -> Any:
    now = now_ms()
    return {"iso": shapes.stamp(now), "epochSeconds": str(now // 1_000), "epochMillis": str(now)}


def fiat(exchange: Exchange, params: Params, account: str) -> Any:
    return Whole({"data": [{"id": "USD", "name": "US Dollar", "min_size": "0.01"}]})


def crypto(exchange: Exchange, params: Params, account: str) -> Any:
    bases = {market.instrument.base for market in exchange.markets.values()}
    rows = [{"code": base, "name": base, "exponent": 8, "type": "crypto"} for base in sorted(bases)]
    return Whole({"data": rows})


def rates(exchange: Exchange, params: Params, account: str) -> Any:
    return Whole({"data": {"currency": "USD", "rates": {"USD": "1.0"}}})


BROKERAGE = "/api/v3/brokerage"
PUBLIC: dict[tuple[str, str], Handler] = {
    ("GET", f"{BROKERAGE}/time"): time_now,
    ("GET", f"{BROKERAGE}/market/product_book"): book,
    ("GET", f"{BROKERAGE}/market/products"): products,
    ("GET", f"{BROKERAGE}/market/products/{{product}}"): product,
    ("GET", "/v2/currencies"): fiat,
    ("GET", "/v2/currencies/crypto"): crypto,
    ("GET", "/v2/exchange-rates"): rates,
}
PRIVATE: dict[tuple[str, str], Handler] = {
    ("POST", f"{BROKERAGE}/orders"): place,
    ("POST", f"{BROKERAGE}/orders/edit"): edit,
    ("POST", f"{BROKERAGE}/orders/batch_cancel"): cancel,
    ("GET", f"{BROKERAGE}/orders/historical/batch"): many,
    ("GET", f"{BROKERAGE}/orders/historical/{{id}}"): one,
    ("GET", f"{BROKERAGE}/accounts"): accounts,
    ("GET", "/v2/accounts"): wallets,
    ("GET", f"{BROKERAGE}/transaction_summary"): summary,
    ("GET", f"{BROKERAGE}/products"): products,
    ("GET", f"{BROKERAGE}/products/{{product}}"): product,
}
