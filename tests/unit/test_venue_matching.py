"""The paper venue trades as a plain model of price-time priority does; no money is made or lost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.venue.book import Order, Side
from ringfence.venue.exchange import HOUSE, Exchange, NewOrder, VenueRefusal
from ringfence.venue.instruments import load_instruments

SYMBOL = "BTCUSDT"
ACCOUNTS = ("ann", "bob", "cid")
TICK, LOT = Decimal("0.01"), Decimal("0.00001")
LOW = Decimal("50000.00")


def venue() -> Exchange:
    """Return a venue whose house quotes nothing, so that only the test's orders are there."""
    made = Exchange(load_instruments())
    for order in [one for one in made.orders.values() if one.open]:
        made.cancel(HOUSE, order)
    setattr(made, "quote", lambda _market, _now_ms: None)  # noqa: B010  it is a method
    return made


@dataclass(slots=True)
class Resting:
    """An order in the model's book."""

    number: int
    side: Side
    price: Decimal
    left: Decimal


class Model:
    """Price-time priority, written the slow way: a list, sorted before every order."""

    def __init__(self) -> None:
        self.resting: list[Resting] = []
        self.fills: list[tuple[int, int, Decimal, Decimal]] = []

    def place(self, number: int, side: Side, price: Decimal | None, left: Decimal) -> None:
        """Match an order; what is left of a limit order waits."""
        sign = 1 if side == "BUY" else -1
        others = [one for one in self.resting if one.side != side]
        for maker in sorted(others, key=lambda one: (sign * one.price, one.number)):
            if not left or (price is not None and sign * maker.price > sign * price):
                break
            quantity = min(left, maker.left)
            self.fills.append((number, maker.number, maker.price, quantity))
            left -= quantity
            maker.left -= quantity
        self.resting = [one for one in self.resting if one.left]
        if left and price is not None:
            self.resting.append(Resting(number, side, price, left))


def totals(exchange: Exchange) -> dict[str, Decimal]:
    """Return what all accounts have of each currency."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for balances in exchange.accounts.values():
        for currency, balance in balances.items():
            assert balance.free >= 0
            assert balance.locked >= 0
            found[currency] += balance.free + balance.locked
    return found


orders = st.lists(
    st.tuples(
        st.sampled_from(ACCOUNTS),
        st.sampled_from(("BUY", "SELL")),
        st.sampled_from(("LIMIT", "MARKET")),
        st.integers(5_999_990, 6_000_010),
        st.integers(100, 2_000),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(orders)
def test_trades_are_those_of_price_time_priority_and_money_is_conserved(
    asked: list[tuple[str, Side, Literal["LIMIT", "MARKET"], int, int]],
) -> None:
    exchange, model = venue(), Model()
    fills: list[tuple[int, int, Decimal, Decimal]] = []
    exchange.on_trade = lambda f: fills.append(
        (f.taker.order_id, f.maker.order_id, f.price, f.quantity)
    )
    for account in ACCOUNTS:
        exchange.balances(account)
    before = totals(exchange)
    for account, side, kind, ticks, lots in asked:
        price = TICK * ticks if kind == "LIMIT" else Decimal(0)
        try:
            order = exchange.place(
                account, NewOrder(SYMBOL, side, kind, LOT * lots, price=price), 0
            )
        except VenueRefusal as refusal:
            assert refusal.code == -2010  # no money for it: nothing has happened
        else:
            limit = price if kind == "LIMIT" else None
            model.place(order.order_id, side, limit, LOT * lots)
        assert totals(exchange) == before
    assert fills == model.fills
    book = exchange.markets[SYMBOL].book
    for each in ("BUY", "SELL"):
        levels: dict[Decimal, Decimal] = defaultdict(Decimal)
        for one in model.resting:
            if one.side == each:
                levels[one.price] += one.left
        assert dict(book.levels(each, 100)) == dict(levels)


def placed(exchange: Exchange, side: Side, price: str, quantity: str, **more: str) -> Order:
    order = NewOrder(SYMBOL, side, "LIMIT", Decimal(quantity), price=Decimal(price))
    for name, value in more.items():
        setattr(order, name, value)
    return exchange.place("ann", order, 0)


def test_a_market_order_without_anybody_to_meet_expires_and_locks_nothing() -> None:
    exchange = venue()
    order = exchange.place("ann", NewOrder(SYMBOL, "BUY", "MARKET", Decimal("0.01")), 0)
    assert order.status == "EXPIRED"
    assert not order.filled
    assert not order.locked
    assert exchange.balances("ann")["USDT"].locked == 0


def test_a_cancelled_order_gives_back_all_that_it_held() -> None:
    exchange = venue()
    order = placed(exchange, "BUY", "50000.00", "0.01")
    assert exchange.balances("ann")["USDT"].locked == Decimal("500")
    exchange.cancel("ann", order)
    assert exchange.balances("ann")["USDT"].free == Decimal(1_000_000)
    with pytest.raises(VenueRefusal):
        exchange.cancel("ann", order)


def test_nobody_cancels_or_reads_anothers_order() -> None:
    exchange = venue()
    order = placed(exchange, "BUY", "50000.00", "0.01")
    with pytest.raises(VenueRefusal) as refused:
        exchange.cancel("bob", order)
    assert refused.value.code == -2011
    with pytest.raises(VenueRefusal):
        exchange.find("bob", SYMBOL, order.order_id, None)


def test_fill_or_kill_is_all_or_nothing_and_immediate_or_cancel_leaves_no_rest() -> None:
    exchange = venue()
    placed(exchange, "SELL", "60000.00", "0.01")
    killed = placed(exchange, "BUY", "60000.00", "0.02", time_in_force="FOK")
    assert killed.status == "EXPIRED"
    assert not killed.filled
    taken = placed(exchange, "BUY", "60000.00", "0.02", time_in_force="IOC")
    assert (taken.status, taken.filled) == ("EXPIRED", Decimal("0.01"))
    assert exchange.markets[SYMBOL].book.levels("BUY", 5) == []


@pytest.mark.parametrize(
    ("price", "quantity", "name"),
    [
        ("60000.001", "0.01", "PRICE_FILTER"),
        ("60000.00", "0.000001", "LOT_SIZE"),
        ("60000.00", "0.00001", "NOTIONAL"),
    ],
)
def test_what_breaks_a_filter_is_refused_by_its_name(price: str, quantity: str, name: str) -> None:
    with pytest.raises(VenueRefusal, match=name):
        placed(venue(), "BUY", price, quantity)


def test_an_amended_order_keeps_its_id_and_loses_its_place() -> None:
    exchange = venue()
    first = placed(exchange, "SELL", "60000.00", "0.01")
    second = placed(exchange, "SELL", "60000.00", "0.01")
    exchange.amend("ann", first, 1, quantity=Decimal("0.02"))
    taker = exchange.place("bob", NewOrder(SYMBOL, "BUY", "MARKET", Decimal("0.01")), 2)
    assert [fill.maker.order_id for fill in taker.fills] == [second.order_id]
    assert (first.order_id, first.left, first.updated_ms) == (121, Decimal("0.02"), 1)


def test_an_amended_order_trades_at_once_where_it_now_crosses() -> None:
    exchange = venue()
    placed(exchange, "SELL", "60000.00", "0.01")
    bid = exchange.place("bob", NewOrder(SYMBOL, "BUY", "LIMIT", Decimal("0.02"), price=LOW), 0)
    before = totals(exchange)
    exchange.amend("bob", bid, 1, price=Decimal("60000.00"))
    assert (bid.status, bid.filled, bid.left) == (
        "PARTIALLY_FILLED",
        Decimal("0.01"),
        Decimal("0.01"),
    )
    assert totals(exchange) == before
    exchange.cancel("bob", bid)
    assert exchange.balances("bob")["USDT"].locked == 0


@pytest.mark.parametrize(
    ("quantity", "price"), [("21", None), (None, "1000000.00"), ("0.01", "50000.001")]
)
def test_an_amendment_that_cannot_be_leaves_the_order_as_it_was(
    quantity: str | None, price: str | None
) -> None:
    exchange = venue()
    order = placed(exchange, "BUY", "50000.00", "2")
    locked = exchange.balances("ann")["USDT"].locked
    wanted = [None if text is None else Decimal(text) for text in (quantity, price)]
    with pytest.raises(VenueRefusal):
        exchange.amend("ann", order, 1, *wanted)
    assert (order.quantity, order.price, order.open) == (Decimal(2), LOW, True)
    assert exchange.balances("ann")["USDT"].locked == locked
    assert exchange.markets[SYMBOL].book.levels("BUY", 5) == [(LOW, Decimal(2))]


def test_nobody_amends_anothers_order() -> None:
    exchange = venue()
    order = placed(exchange, "BUY", "50000.00", "0.01")
    with pytest.raises(VenueRefusal):
        exchange.amend("bob", order, 1, quantity=Decimal("0.02"))
