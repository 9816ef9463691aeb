"""Limits on orders that stand, as unmodified clients meet them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import ccxt
import ccxt.pro
import pytest

from demo.stage import Stage, set_stage
from demo.stage import key as stage_key
from tests.integration.venues import VENUES, client

LOCAL = "127.0.0.0/8"
UNFILLED = 8
RATIO = (
    "{name: otr, subject: [account, symbol], algorithm: ratio, counts: order_to_trade, max: 1, "
    "quota: 12, window_ms: 86400000}"
)


@pytest.fixture(scope="module")
def kraken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    venue = VENUES["kraken"]
    folder = tmp_path_factory.mktemp("kraken") / "stage"
    with set_stage(folder, venue.profile, venue.name) as stage:
        yield stage


def test_cancels_of_young_orders_use_up_what_orders_have_and_pass_all_the_same(
    kraken: Stage,
) -> None:
    venue = VENUES["kraken"]
    exchange = client(kraken, "kraken", stage_key(kraken.state, "hasty", ["read", "trade"], LOCAL))

    def place() -> str:
        made = exchange.create_order(venue.symbol, "limit", "buy", venue.amount, venue.resting)
        name: str = made["id"]
        return name

    # 125 units, of which 2.34 come back in a second: 1 for an order, 8 for a cancel within 5 s.
    for _ in range(13):
        exchange.cancel_order(place(), venue.symbol)
    standing = [place()]
    # Without its cancels, the account would have used no more than a few of them.
    with pytest.raises(ccxt.DDoSProtection):
        for _ in range(40):
            standing.append(place())
    for name in standing:
        exchange.cancel_order(name, venue.symbol)
    with pytest.raises(ccxt.DDoSProtection):
        place()


@pytest.fixture(scope="module")
def binance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield a gateway whose accounts may have so many orders a day that are not filled."""

    def settle(text: str, _: object) -> str:
        assert text.count("quota: 200000,") == 2
        text = text.replace("quota: 200000,", f"quota: {UNFILLED},")
        return text.replace("  limits:\n", f"  limits:\n    - {RATIO}\n", 1)

    folder = tmp_path_factory.mktemp("binance") / "stage"
    with set_stage(folder, settle=settle) as stage:
        yield stage


class Trader:
    """Somebody with an account of their own, and an unmodified client."""

    def __init__(self, stage: Stage, account: str) -> None:
        self.key = stage_key(stage.state, account, ["read", "trade"], LOCAL)
        self.exchange = client(stage, "binance", self.key)

    def buy(self, price: float = 20_000) -> str:
        made = self.exchange.create_order("BTC/USDT", "limit", "buy", 0.01, price)
        name: str = made["id"]
        return name

    def sell(self) -> None:
        self.exchange.create_order("BTC/USDT", "market", "sell", 0.01)

    def left(self) -> int:
        """Use up what is left, and return how much it was."""
        for count in range(2 * UNFILLED):
            try:
                self.buy()
            except ccxt.RateLimitExceeded as refused:
                assert "-1015" in str(refused)
                return count
        pytest.fail("nothing was refused")


def test_orders_that_are_filled_are_not_counted_and_others_are_refused_at_the_number(
    binance: Stage,
) -> None:
    trader = Trader(binance, "taker")
    # The venue's answer says so itself.
    for _ in range(2 * UNFILLED):
        trader.sell()
    assert trader.left() == UNFILLED


def test_a_fill_counts_when_the_account_asks_for_its_order(binance: Stage) -> None:
    maker, other = Trader(binance, "maker"), Trader(binance, "other")
    resting = maker.buy(60_000)
    assert maker.left() == UNFILLED - 1
    other.sell()
    # Nobody has told: stricter than the venue, never laxer.
    assert maker.left() == 0
    assert maker.exchange.fetch_order(resting, "BTC/USDT")["status"] == "closed"
    assert maker.left() == 1
    maker.exchange.fetch_order(resting, "BTC/USDT")
    assert maker.left() == 0


def test_a_fill_counts_when_it_is_pushed(binance: Stage) -> None:
    maker, other = Trader(binance, "listener"), Trader(binance, "other")

    async def run() -> Any:
        exchange = client(binance, "binance", maker.key, ccxt.pro)
        exchange.cafile = str(binance.ca)
        try:
            await exchange.load_markets()
            watching = asyncio.ensure_future(exchange.watch_my_trades("BTC/USDT"))
            await asyncio.sleep(1)  # the subscription is on its way
            await asyncio.to_thread(maker.buy, 60_000)
            used_up = await asyncio.to_thread(maker.left)
            await asyncio.to_thread(other.sell)
            await asyncio.wait_for(watching, 20)
            return used_up, await asyncio.to_thread(maker.left)
        finally:
            await exchange.close()

    assert asyncio.run(run()) == (UNFILLED - 1, 1)


def test_too_many_orders_to_trades_refuse_orders_and_no_cancel(binance: Stage) -> None:
    trader = Trader(binance, "quoter")
    standing = [trader.buy()]
    for _ in range(5):
        trader.exchange.cancel_order(trader.buy(), "BTC/USDT")
    standing.append(trader.buy())
    with pytest.raises(ccxt.RateLimitExceeded, match=r"otr: 1 order_to_trade above 12 .*: 12 to 0"):
        trader.buy()
    for name in standing:
        trader.exchange.cancel_order(name, "BTC/USDT")


def test_who_trades_may_order_as_much_more(binance: Stage) -> None:
    trader = Trader(binance, "trading")
    for _ in range(9):
        trader.sell()
    # Nine orders to nine trades: 18 are allowed, of which each cancel is one, too.
    for _ in range(4):
        trader.exchange.cancel_order(trader.buy(), "BTC/USDT")
    trader.buy()
    with pytest.raises(ccxt.RateLimitExceeded, match="18 to 9"):
        trader.buy()
