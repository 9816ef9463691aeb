"""Deribit's private channels: an account's orders, trades and portfolio; and the heartbeat."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ringfence.venue.deribit import shapes
from ringfence.venue.exchange import Exchange
from ringfence.venue.shape import Change, Listener

__all__ = ["hear_beat", "is_known", "told"]

KINDS = ("user.orders.", "user.trades.", "user.changes.", "user.portfolio.")
LEAST_SECONDS = 1
"""Deribit's own least is 10."""


def is_known(channel: str) -> bool:
    """Tell whether it is a private channel that there is."""
    return channel.startswith(KINDS)


def told(exchange: Exchange, listener: Listener, change: Change) -> Iterator[tuple[str, Any]]:
    """Yield what a subscriber hears of a change, by channel. Source: "Subscriptions"."""
    for channel in listener.private:
        _, kind, *rest = channel.split(".")
        order, fill = change.order, change.fill
        if order is None:
            if kind == "portfolio":
                for currency, balance in exchange.balances(change.account).items():
                    if rest[0].upper() in ("ANY", currency):
                        yield channel, shapes.summary(currency, balance)
            continue
        # user.orders.NAME.INTERVAL, or user.orders.KIND.CURRENCY.INTERVAL
        if kind == "portfolio" or (len(rest) == 2 and rest[0] != order.symbol):
            continue
        trades = [shapes.user_trade(order, fill)] if fill else []
        if kind == "orders":
            # Only `raw` tells one order at a time.
            one = shapes.order(order)
            yield channel, one if rest[-1] == "raw" else [one]
        elif kind == "trades" and trades:
            yield channel, trades
        elif kind == "changes":
            changes = {"orders": [shapes.order(order)], "trades": trades, "positions": []}
            yield channel, changes | {"instrument_name": order.symbol}


@dataclass(slots=True)
class Beat:
    """A heartbeat that asks, and hangs up on who does not answer until the next."""

    interval_s: float
    due: float
    asked: bool = False

    def beat(self, listener: Listener) -> None:
        if self.asked:
            listener.heart = None
            listener.say(None)
            return
        self.asked = True
        self.due += self.interval_s
        for kind in ("heartbeat", "test_request"):
            listener.say({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}})


def hear_beat(listener: Listener, method: str, params: dict[str, Any]) -> None:
    """Set, end or answer the heartbeat. Source: "Connection Management"."""
    if method == "public/set_heartbeat":
        interval = max(LEAST_SECONDS, int(params.get("interval", LEAST_SECONDS)))
        listener.heart = Beat(interval, time.monotonic() + interval)
    elif method == "public/disable_heartbeat":
        listener.heart = None
    elif method == "public/test" and isinstance(listener.heart, Beat):
        listener.heart.asked = False
