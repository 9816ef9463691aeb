"""An account's futures events, under a `listenKey`.

Source: Binance USDS-M futures docs, "User Data Streams" (read 2026-11).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ringfence.venue.binance_usdm import shapes
from ringfence.venue.book import ZERO, Fill, Order
from ringfence.venue.exchange import Exchange
from ringfence.venue.listen_keys import ListenKey
from ringfence.venue.shape import Change, Listener, now_ms

__all__ = ["PATHS", "opened", "told"]

PATHS = ("/private/ws", "/private/ws/{names:path}")
TOPIC = "user"


@dataclass(slots=True)
class Expiry:
    """Tells a listener when its key is over."""

    key: ListenKey
    due: float = 0.0

    def beat(self, listener: Listener) -> None:
        """Tell it, unless the key is good for longer by now."""
        left_ms = self.key.until_ms - now_ms()
        if left_ms > 0:
            self.due = time.monotonic() + min(left_ms / 1000, 1.0)
            return
        self.due = float("inf")
        listener.private.clear()
        listener.account = ""
        listener.say({"e": "listenKeyExpired", "E": now_ms(), "listenKey": self.key.text})


def opened(exchange: Exchange, listener: Listener, text: str) -> None:
    """Let the listener hear of the account whose key it shows, or of nothing."""
    key = exchange.listen_keys.find(text, now_ms())
    # Whom the gateway attests may listen to that one's own account alone.
    if key is None or listener.account not in ("", key.account):
        listener.say(None)
        return
    listener.account = key.account
    listener.private[TOPIC] = None
    listener.heart = Expiry(key)


def told(exchange: Exchange, listener: Listener, change: Change) -> Iterator[dict[str, Any]]:
    """Yield what such a listener hears of a change."""
    if TOPIC in listener.private:
        order = change.order
        yield account(exchange, change.account) if order is None else trade(order, change.fill)


def account(exchange: Exchange, who: str) -> dict[str, Any]:
    now = now_ms()
    (money,) = shapes.balances(exchange.balances(who), now)
    rows = [
        {
            "s": p["symbol"], "pa": p["positionAmt"], "ep": p["entryPrice"], "bep": p["entryPrice"],
            "cr": shapes.text(ZERO), "up": p["unRealizedProfit"], "mt": "cross", "iw": "0",
            "ps": "BOTH",
        }
        for p in shapes.positions(exchange, who)
    ]  # fmt: skip
    wallet = {"a": money["asset"], "wb": money["balance"], "cw": money["balance"], "bc": "0"}
    update = {"m": "ORDER", "B": [wallet], "P": rows}
    return {"e": "ACCOUNT_UPDATE", "E": now, "T": now, "a": update}


def trade(o: Order, fill: Fill | None) -> dict[str, Any]:
    now = now_ms()
    what = "TRADE" if fill else "AMENDMENT" if o.filled and o.open else o.status
    price, quantity = (fill.price, fill.quantity) if fill else (ZERO, ZERO)
    row = shapes.order(o)
    event = {
        "s": o.symbol, "c": o.client_order_id, "S": o.side, "o": row["type"],
        "f": row["timeInForce"], "q": row["origQty"], "p": row["price"], "ap": row["avgPrice"],
        "sp": "0", "x": what, "X": o.status, "i": o.order_id, "l": shapes.text(quantity),
        "z": row["executedQty"], "L": shapes.text(price), "n": "0", "N": shapes.MARGIN,
        "T": row["updateTime"], "t": fill.trade_id if fill else 0, "b": "0", "a": "0",
        "m": bool(fill and fill.maker is o), "R": False, "wt": "CONTRACT_PRICE",
        "ot": row["origType"], "ps": "BOTH", "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0,
        "V": "NONE", "pm": "NONE", "gtd": 0,
    }  # fmt: skip
    return {"e": "ORDER_TRADE_UPDATE", "E": now, "T": now, "o": event}
