"""ccxt, unmodified, places and cancels several orders at once; one bad one refuses all."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tests.integration.venues import Place

pytestmark = pytest.mark.parametrize(
    "place", ["okx", "bybit", "kraken"], indirect=True, scope="module"
)


def asked(place: Place, *prices: float) -> list[dict[str, Any]]:
    v = place.venue
    one = {"symbol": v.symbol, "type": "limit", "side": "buy", "amount": v.amount}
    return [one | {"price": price} for price in prices]


def standing(exchange: Any, place: Place) -> dict[str, float]:
    return {o["id"]: o["price"] for o in exchange.fetch_open_orders(place.venue.symbol)}


def test_ccxt_places_and_cancels_several_orders_at_once(place: Place) -> None:
    exchange, v = place.client(), place.venue
    wanted = [v.resting, v.resting - 100, v.resting - 200]
    placed = [order["id"] for order in exchange.create_orders(asked(place, *wanted))]
    open_now = standing(exchange, place)
    assert [open_now[one] for one in placed] == wanted
    exchange.cancel_orders(placed[:2], v.symbol)
    left = set(standing(exchange, place))
    assert left & set(placed) == {placed[2]}
    exchange.cancel_order(placed[2], v.symbol)


def test_one_bad_order_refuses_all_and_the_refusal_says_which(place: Place) -> None:
    exchange, v = place.client(), place.venue
    before = standing(exchange, place)
    with pytest.raises(ccxt.InvalidOrder) as refusal:
        exchange.create_orders(asked(place, v.resting, 1.0, v.resting))  # far below the band
    assert "[1.price]" in str(refusal.value)
    assert standing(exchange, place) == before


def test_an_empty_batch_and_one_that_is_too_long_are_refused(place: Place) -> None:
    exchange, v = place.client(), place.venue
    exchange.load_markets()
    for prices in ([], [v.resting] * 21):
        with pytest.raises(ccxt.ExchangeError):
            exchange.create_orders(asked(place, *prices))
    assert v.resting not in standing(exchange, place).values()
