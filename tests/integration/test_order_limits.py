"""Limits on orders that stand, as unmodified clients meet them."""

from __future__ import annotations

from collections.abc import Iterator

import ccxt
import pytest

from demo.stage import Stage, set_stage
from demo.stage import key as stage_key
from tests.integration.venues import VENUES, client

LOCAL = "127.0.0.0/8"


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
