"""Accounts, orders and trades of the paper venue. Exact decimals; the time is passed in."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any

from ringfence.venue.book import SIDES, ZERO, Book, Fill, Order, Side, crosses
from ringfence.venue.instruments import EXACT, Instrument, load_start
from ringfence.venue.listen_keys import ListenKeys
from ringfence.venue.refusal import VenueRefusal

__all__ = ["Balance", "Exchange", "Market", "NewOrder", "VenueRefusal"]

HOUSE = "house"
LEVELS = 20
HOUSE_START = Decimal(1_000_000_000)
HOUSE_LEAST, HOUSE_MOST = 12_000, 120_000
"""What the house offers on each of its levels, in quote currency."""
TRADES_KEPT = 1000


@dataclass(slots=True)
class Balance:
    """Of one currency. Neither part is ever negative."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(slots=True)
class NewOrder:
    """An order as it is asked for."""

    symbol: str
    side: Side
    kind: str
    quantity: Decimal = ZERO
    amount: Decimal = ZERO
    price: Decimal = ZERO
    time_in_force: str = "GTC"
    client_order_id: str = ""


@dataclass(slots=True)
class Market:
    """One symbol's book and its last trades, newest last."""

    instrument: Instrument
    book: Book = field(default_factory=Book)
    trades: deque[Fill] = field(default_factory=lambda: deque(maxlen=TRADES_KEPT))


class Exchange:
    """The whole venue. Not thread safe: one event loop owns it."""

    def __init__(
        self,
        instruments: dict[str, Instrument],
        seed: int = 7,
        start: Mapping[str, Decimal] | None = None,
    ) -> None:
        self._start = load_start() if start is None else start
        self.markets = {symbol: Market(i) for symbol, i in instruments.items()}
        self.accounts: dict[str, dict[str, Balance]] = {}
        self.orders: dict[int, Order] = {}
        self.address = ""
        """Where its clients find it, for those that it tells."""
        self._ids = 0
        self._trade_ids = 0
        self._random = random.Random(seed)
        self.on_trade: Callable[[Fill], None] = lambda _fill: None
        """Is told each trade."""
        self.on_change: Callable[[str, Order | None, Fill | None], None] = lambda *_: None
        """Is told what happens to an account: to an order, by a fill; with neither, to balances."""
        self.tokens: dict[str, str] = {}
        """By token, the account for whose streams it was given out."""
        self.switches: dict[str, asyncio.TimerHandle] = {}
        """By account, what takes all of its orders back if nothing is heard of it."""
        self.listen_keys = ListenKeys()
        self.waiting: list[tuple[str, dict[str, Any]]] = []
        """Orders that wait for a price, with their accounts, as their venue writes them."""
        for market in self.markets.values():
            self.quote(market, 0)

    def balances(self, account: str) -> dict[str, Balance]:
        """Return an account's balances; a new one starts with play money."""
        if account not in self.accounts:
            house = account == HOUSE
            self.accounts[account] = {
                currency: Balance(HOUSE_START if house else free)
                for currency, free in self._start.items()
            }
        return self.accounts[account]

    def market(self, symbol: str) -> Market:
        """Return a symbol's market.

        Raises:
            VenueRefusal: -1121 when there is none.
        """
        try:
            return self.markets[symbol]
        except KeyError:
            raise VenueRefusal(-1121, "Invalid symbol.") from None

    def quote(self, market: Market, now_ms: int) -> None:
        """Let the house fill both sides of a book up again, so that market orders find somebody."""
        instrument = market.instrument
        for side, sign in zip(SIDES, (-1, 1), strict=True):
            have = len(market.book.levels(side, LEVELS))
            for level in range(have, LEVELS):
                step = instrument.mid / 10_000 * (level + 1)
                price = (instrument.mid + sign * step).quantize(instrument.tick, ROUND_DOWN)
                value = Decimal(self._random.randrange(HOUSE_LEAST, HOUSE_MOST))
                lots = value / instrument.mid // instrument.lot
                asked = NewOrder(
                    instrument.symbol, side, "LIMIT", instrument.lot * lots, ZERO, price
                )
                self.place(HOUSE, asked, now_ms)

    def check(self, asked: NewOrder) -> Instrument:
        """Check an order against its symbol's filters.

        Raises:
            VenueRefusal: -1013 with the filter's name, or -1116.
        """
        instrument = self.market(asked.symbol).instrument
        if asked.kind not in ("LIMIT", "MARKET", "LIMIT_MAKER"):
            raise VenueRefusal(-1116, "Invalid orderType.")
        if asked.kind != "MARKET" and (asked.price <= 0 or asked.price % instrument.tick):
            raise VenueRefusal(-1013, "Filter failure: PRICE_FILTER")
        if not asked.amount and (
            not instrument.min_quantity <= asked.quantity <= instrument.max_quantity
            or asked.quantity % instrument.lot
        ):
            raise VenueRefusal(-1013, "Filter failure: LOT_SIZE")
        if asked.kind != "MARKET" and asked.price * asked.quantity < instrument.min_notional:
            raise VenueRefusal(-1013, "Filter failure: NOTIONAL")
        return instrument

    def place(self, account: str, asked: NewOrder, now_ms: int) -> Order:
        """Place an order: lock what it may cost, match it, and let the rest wait or expire.

        Raises:
            VenueRefusal: a filter, the balance, or a LIMIT_MAKER that would take.
        """
        instrument = self.check(asked)
        market = self.markets[asked.symbol]
        self._ids += 1
        order = Order(
            self._ids, account, asked.client_order_id or f"paper-{self._ids}", asked.symbol,
            asked.side, asked.kind, asked.time_in_force, asked.price, asked.quantity,
            asked.amount, now_ms,
        )  # fmt: skip
        meets = [maker for maker in market.book.opposite(order.side) if crosses(order, maker)]
        if order.kind == "LIMIT_MAKER" and meets:
            raise VenueRefusal(-2010, "Order would immediately match and take.")
        if order.time_in_force == "FOK" and sum((m.left for m in meets), ZERO) < order.quantity:
            order.status = "EXPIRED"
            self.orders[order.order_id] = order
            self.on_change(account, order, None)
            return order
        self._lock(order, instrument, meets)
        self.orders[order.order_id] = order
        self.on_change(account, order, None)
        self._match(market, order, meets, now_ms)
        return order

    def amend(
        self,
        account: str,
        order: Order,
        now_ms: int,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
    ) -> Order:
        """Change the quantity or price of an open order, which keeps its id and loses its place.

        Raises:
            VenueRefusal: -2011 when it is not this account's or not open; a filter; the balance.
                The order then stands as it was.
        """
        if order.account != account or not order.open:
            raise VenueRefusal(-2011, "Unknown order sent.")
        was = (order.quantity, order.price)
        asked = NewOrder(
            order.symbol, order.side, order.kind, quantity or was[0], ZERO, price or was[1]
        )
        instrument = self.check(asked)
        if asked.quantity <= order.filled:
            raise VenueRefusal(-1013, "Filter failure: LOT_SIZE")
        market = self.markets[order.symbol]
        market.book.remove(order)
        self._release(order, instrument)
        order.quantity, order.price = asked.quantity, asked.price
        meets = [maker for maker in market.book.opposite(order.side) if crosses(order, maker)]
        try:
            if order.kind == "LIMIT_MAKER" and meets:
                raise VenueRefusal(-2010, "Order would immediately match and take.")
            self._lock(order, instrument, meets)
        except VenueRefusal:
            order.quantity, order.price = was
            self._lock(order, instrument, [])
            market.book.rest(order)
            raise
        self.on_change(account, order, None)
        self._match(market, order, meets, now_ms)
        return order

    def _match(self, market: Market, order: Order, meets: list[Order], now_ms: int) -> None:
        """Trade `order` with those whom it meets, and let the rest wait or expire."""
        instrument = market.instrument
        order.updated_ms = now_ms
        for maker in meets:
            quantity = self._wanted(order, maker, instrument)
            if not quantity:
                break
            self._trade(market, order, maker, quantity, now_ms)
        status = order.status
        self._settle(market, order, instrument)
        if order.status != status:
            self.on_change(order.account, order, None)
        self.on_change(order.account, None, None)
        if order.account != HOUSE:
            self.quote(market, now_ms)

    def of(self, account: str, symbol: str | None = None) -> list[Order]:
        """Return an account's orders, oldest first: all of them, or those in one symbol."""
        mine = (order for order in self.orders.values() if order.account == account)
        return [order for order in mine if symbol in (None, order.symbol)]

    def cancel(self, account: str, order: Order) -> Order:
        """Take an open order back.

        Raises:
            VenueRefusal: -2011 when it is not this account's or not open.
        """
        if order.account != account or not order.open:
            raise VenueRefusal(-2011, "Unknown order sent.")
        market = self.markets[order.symbol]
        market.book.remove(order)
        order.status = "CANCELED"
        self._release(order, market.instrument)
        self.on_change(account, order, None)
        self.on_change(account, None, None)
        return order

    def find(
        self, account: str, symbol: str | None, order_id: int | None, client_id: str | None
    ) -> Order:
        """Return an account's order by either id, in one symbol or in any.

        Raises:
            VenueRefusal: -2013.
        """
        for order in reversed(self.orders.values()):
            if order.account == account and symbol in (None, order.symbol):
                if order.order_id == order_id:
                    return order
                if order_id is None and client_id and order.client_order_id == client_id:
                    return order
        raise VenueRefusal(-2013, "Order does not exist.")

    def _gives(self, order: Order, instrument: Instrument) -> Balance:
        currency = instrument.quote if order.side == "BUY" else instrument.base
        return self.balances(order.account).setdefault(currency, Balance())

    def _lock(self, order: Order, instrument: Instrument, meets: list[Order]) -> None:
        if order.side == "SELL":
            need = order.left or order.amount
            if order.amount:
                need = sum((m.left for m in meets), ZERO)
        elif order.kind == "MARKET":
            need = order.amount or _cost(meets, order.quantity)
        else:
            need = EXACT.multiply(order.price, order.left)
        balance = self._gives(order, instrument)
        if order.side == "SELL" and order.amount:
            need = min(need, balance.free)
        if need > balance.free:
            raise VenueRefusal(-2010, "Account has insufficient balance for requested action.")
        balance.free -= need
        balance.locked += need
        order.locked = need

    @staticmethod
    def _wanted(order: Order, maker: Order, instrument: Instrument) -> Decimal:
        if not order.amount:
            return min(order.left, maker.left)
        lots = (order.amount - order.spent) / maker.price // instrument.lot
        affordable = min(lots * instrument.lot, maker.left)
        return min(affordable, order.locked) if order.side == "SELL" else affordable

    def _trade(
        self, market: Market, taker: Order, maker: Order, quantity: Decimal, now_ms: int
    ) -> None:
        self._trade_ids += 1
        price = maker.price
        fill = Fill(self._trade_ids, price, quantity, maker, taker, now_ms)
        value = EXACT.multiply(price, quantity)
        instrument = market.instrument
        for order in (taker, maker):
            order.filled += quantity
            order.spent += value
            order.fills.append(fill)
            order.updated_ms = now_ms
            order.status = "FILLED" if order.quantity and not order.left else "PARTIALLY_FILLED"
            paid, got, currency = (
                (value, quantity, instrument.base)
                if order.side == "BUY"
                else (quantity, value, instrument.quote)
            )
            self._gives(order, instrument).locked -= paid
            order.locked -= paid
            self.balances(order.account).setdefault(currency, Balance()).free += got
        if maker.status == "FILLED":
            market.book.remove(maker)
            self._release(maker, instrument)
        for order in (taker, maker):
            self.on_change(order.account, order, fill)
        self.on_change(maker.account, None, None)
        market.trades.append(fill)
        self.on_trade(fill)

    def _settle(self, market: Market, order: Order, instrument: Instrument) -> None:
        done = order.kind == "MARKET" and (order.amount or not order.left)
        if done and order.filled:
            order.status = "FILLED"
        elif order.kind == "MARKET" or (order.time_in_force != "GTC" and order.left):
            order.status = "EXPIRED"
        if order.open:
            market.book.rest(order)
        else:
            self._release(order, instrument)

    def _release(self, order: Order, instrument: Instrument) -> None:
        """Give back what is locked for an order that needs it no more."""
        balance = self._gives(order, instrument)
        balance.locked -= order.locked
        balance.free += order.locked
        order.locked = ZERO


def _cost(meets: list[Order], quantity: Decimal) -> Decimal:
    """Return what taking `quantity` from `meets` costs, or what there is of it."""
    total = ZERO
    for maker in meets:
        take = min(quantity, maker.left)
        total += EXACT.multiply(take, maker.price)
        quantity -= take
        if not quantity:
            break
    return total
