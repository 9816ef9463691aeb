"""What an honest trader does: an unmodified ccxt client, pointed at the gateway and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ccxt

from demo.line import Line, Outcome, attempt

__all__ = ["client", "trade"]

SYMBOL = "BTC/USDT"


def client(gateway: str, ca: Path, key_id: str, secret: str) -> Any:
    """Return a ccxt client for `gateway` (https://host:port). Only addresses and the CA are set."""
    exchange = ccxt.binance(
        {
            "apiKey": key_id,
            "secret": secret,
            "validateServerSsl": str(ca),
            "options": {"adjustForTimeDifference": False},
        }
    )
    for name, url in exchange.urls["api"].items():
        if isinstance(url, str) and url.startswith("https://"):
            exchange.urls["api"][name] = gateway + "/" + url.split("/", 3)[3]
    return exchange


def trade(exchange: Any) -> list[Line]:
    """Trade as a person would and return a line for each step."""
    state: dict[str, Any] = {}

    def markets() -> Outcome:
        found = exchange.load_markets()
        return Outcome(f"{len(found)} markets, {SYMBOL} among them", SYMBOL in found)

    def balance() -> Outcome:
        free = exchange.fetch_balance()["USDT"]["free"]
        return Outcome(f"{free:,.2f} USDT free", free > 0)

    def book() -> Outcome:
        book = exchange.fetch_order_book(SYMBOL, 5)
        state["bid"] = book["bids"][0][0]
        return Outcome(
            f"best bid {book['bids'][0][0]:,.2f}, best ask {book['asks'][0][0]:,.2f}", True
        )

    def limit() -> Outcome:
        price = exchange.price_to_precision(SYMBOL, state["bid"] * 0.95)
        state["order"] = order = exchange.create_order(SYMBOL, "limit", "buy", 0.01, float(price))
        return Outcome(
            f"order {order['id']} {order['status']} at {order['price']:,.2f}",
            order["status"] == "open",
        )

    def market() -> Outcome:
        order = exchange.create_order(SYMBOL, "market", "buy", 0.01)
        return Outcome(
            f"filled {order['filled']} at {order['average']:,.2f}", order["status"] == "closed"
        )

    def cancel() -> Outcome:
        order = exchange.cancel_order(state["order"]["id"], SYMBOL)
        return Outcome(f"order {order['id']} {order['status']}", order["status"] == "canceled")

    return [
        attempt("load markets", markets),
        attempt("balance", balance),
        attempt("order book", book),
        attempt("limit order", limit),
        attempt("market order", market),
        attempt("cancel", cancel),
    ]
