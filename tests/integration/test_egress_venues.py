"""In egress, unmodified ccxt trades with worthless keys at venues that verify their own scheme."""

from __future__ import annotations

import asyncio
import base64
import copy
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ccxt.pro
import pytest

from demo.stage import Stage
from tests.integration.desk import SECRET, desk_stage, put
from tests.integration.venues import PUSHED, VENUES, Venue, client

ALL = {**PUSHED, **VENUES}


@dataclass(frozen=True)
class Desk:
    """A firm's gateway to one venue, and its bot."""

    venue: Venue
    stage: Stage
    bot: Any


@pytest.fixture(scope="module", params=list(ALL))
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    venue = ALL[request.param]
    with desk_stage(tmp_path_factory.mktemp(venue.name), venue) as stage:
        yield Desk(venue, stage, client(stage, venue.name, stage.trader))


def test_ccxt_trades_with_a_worthless_key(desk: Desk) -> None:
    venue, bot = desk.venue, desk.bot
    placed = bot.create_order(venue.symbol, "limit", "buy", venue.amount, venue.resting)
    assert placed["id"] in {order["id"] for order in bot.fetch_open_orders(venue.symbol)}
    bot.cancel_order(placed["id"], venue.symbol)
    assert bot.fetch_open_orders(venue.symbol) == []
    assert bot.fetch_balance()["total"]


def test_the_venue_refuses_what_others_signed_and_the_bot_is_not_blamed(desk: Desk) -> None:
    venue, bot = desk.venue, desk.bot
    bot.load_markets()
    config, phrase = desk.stage.state / "ringfence.yaml", desk.stage.state.parent / "phrase"
    other = base64.b64encode(secrets.token_bytes(48)).decode()
    put(config, venue.name, other, phrase)
    with pytest.raises(ccxt.BaseError, match="gateway's own key, not yours") as refused:
        bot.create_order(venue.symbol, "limit", "buy", venue.amount, venue.resting)
    assert not isinstance(refused.value, ccxt.AuthenticationError)
    put(config, venue.name, SECRET, phrase)
    placed = bot.create_order(venue.symbol, "limit", "buy", venue.amount, venue.resting)
    bot.cancel_order(placed["id"], venue.symbol)


@pytest.mark.parametrize("desk", PUSHED, indirect=True)
def test_ccxt_pro_hears_the_firm_s_orders_and_fills(desk: Desk) -> None:
    venue, bot = desk.venue, desk.bot

    async def watch() -> tuple[Any, Any, Any]:
        exchange = client(desk.stage, venue.name, desk.stage.trader, ccxt.pro)
        exchange.cafile = str(desk.stage.ca)
        try:
            await exchange.load_markets()
            watching = asyncio.gather(exchange.watch_orders(), exchange.watch_my_trades())
            await asyncio.sleep(2)  # the subscriptions are on their way
            bought = await asyncio.to_thread(
                lambda: bot.create_order(venue.symbol, "market", "buy", venue.amount)
            )
            orders, trades = await asyncio.wait_for(watching, 20)
            return bought, copy.deepcopy(list(orders)), copy.deepcopy(list(trades))
        finally:
            await exchange.close()

    bought, orders, trades = asyncio.run(watch())
    assert {order["id"] for order in orders} == {bought["id"]}
    assert {trade["order"] for trade in trades} == {bought["id"]}
