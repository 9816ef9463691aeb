"""An order book with price-time priority. Matches; knows no balances, no clock and no network."""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

__all__ = ["SIDES", "Book", "Fill", "Order", "Side", "crosses"]

Side = Literal["BUY", "SELL"]
SIDES: tuple[Side, Side] = ("BUY", "SELL")
ZERO = Decimal(0)


@dataclass(slots=True)
class Order:
    """An order and what has become of it. Quantities in base, amounts in quote currency."""

    order_id: int
    account: str
    client_order_id: str
    symbol: str
    side: Side
    kind: str
    time_in_force: str
    price: Decimal
    """Limit price; zero for a market order."""
    quantity: Decimal
    """Zero for a market order by amount."""
    amount: Decimal
    """What a market order may spend, if it was given by amount; else zero."""
    time_ms: int
    status: str = "NEW"
    filled: Decimal = ZERO
    spent: Decimal = ZERO
    locked: Decimal = ZERO
    """Of the currency that it gives, held back for it."""
    fills: list[Fill] = field(default_factory=list)
    updated_ms: int = 0
    """When something last became of it."""
    arrival: int = 0
    """Its place in the book's queue; the book sets it."""

    @property
    def left(self) -> Decimal:
        """Quantity not filled yet."""
        return self.quantity - self.filled

    @property
    def open(self) -> bool:
        """Whether it rests in the book."""
        return self.status in ("NEW", "PARTIALLY_FILLED")


@dataclass(frozen=True, slots=True)
class Fill:
    """One match, at the resting order's price."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    maker: Order
    taker: Order
    time_ms: int


class Book:
    """Resting orders of one symbol, best first on each side."""

    def __init__(self) -> None:
        # Keys sort best first, then by arrival.
        self._sides: dict[Side, list[tuple[Decimal, int]]] = {"BUY": [], "SELL": []}
        self._orders: dict[int, Order] = {}
        self._arrivals = itertools.count(1)

    def rest(self, order: Order) -> None:
        """Let `order` wait in the book, behind those at its price."""
        order.arrival = next(self._arrivals)
        self._orders[order.arrival] = order
        insort(self._sides[order.side], self._key(order))

    def remove(self, order: Order) -> None:
        """Take `order` out of the book."""
        del self._orders[order.arrival]
        self._sides[order.side].remove(self._key(order))

    def opposite(self, side: Side) -> Iterator[Order]:
        """Yield what an order on `side` would meet, best first, while the book stands still."""
        other: Side = "SELL" if side == "BUY" else "BUY"
        for _, arrival in self._sides[other]:
            yield self._orders[arrival]

    def levels(self, side: Side, depth: int) -> list[tuple[Decimal, Decimal]]:
        """Return up to `depth` (price, quantity) pairs of one side, best first."""
        totals: dict[Decimal, Decimal] = {}
        for _, arrival in self._sides[side]:
            order = self._orders[arrival]
            if order.price not in totals and len(totals) == depth:
                break
            totals[order.price] = totals.get(order.price, ZERO) + order.left
        return list(totals.items())

    @staticmethod
    def _key(order: Order) -> tuple[Decimal, int]:
        return (-order.price if order.side == "BUY" else order.price, order.arrival)


def crosses(taker: Order, maker: Order) -> bool:
    """Tell whether `taker` may trade at `maker`'s price."""
    if taker.kind == "MARKET":
        return True
    return taker.price >= maker.price if taker.side == "BUY" else taker.price <= maker.price
