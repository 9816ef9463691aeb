"""Amendments that name their order alone: of one that the account placed here, and of no other."""

from __future__ import annotations

import json
from typing import Any

import ccxt
import pytest

from demo.stage import Stage
from ringfence.engine import LedgerReader
from tests.integration.venues import Place, client, fetch_order

ELSEWHERE = {"deribit": "BTC_USDC-99999", "kraken": "OPAPER-99999-VENUES"}
"""Orders that nobody placed, in each venue's form."""


pytestmark = pytest.mark.parametrize("place", list(ELSEWHERE), indirect=True, scope="module")


def edit(exchange: Any, order_id: str, place: Place, price: float | None) -> Any:
    v = place.venue
    return exchange.edit_order(order_id, v.symbol, "limit", "buy", v.amount, price)


def decided(stage: Stage, operation: str) -> list[dict[str, Any]]:
    entries = [json.loads(one) for _, one in LedgerReader(stage.state / "ledger", 0).read(100_000)]
    return [one for one in entries if one.get("operation") == operation]


def test_the_record_of_an_amendment_has_the_order_s_instrument(place: Place) -> None:
    exchange = place.client()
    order_id = place.order(exchange)["id"]
    edit(exchange, order_id, place, place.venue.resting - 500)
    placed = decided(place.stage, "order.place")[-1]
    entry = decided(place.stage, "order.amend")[-1]
    assert entry["order"]["symbol"] == placed["order"]["symbol"]
    assert entry["about"]["venue_order_id"] == order_id


def test_an_order_of_a_batch_can_be_amended(place: Place) -> None:
    if place.venue.name != "kraken":
        pytest.skip("Deribit has no batches")
    exchange, v = place.client(), place.venue
    one = {"symbol": v.symbol, "type": "limit", "side": "buy", "amount": v.amount}
    placed = exchange.create_orders([one | {"price": v.resting}, one | {"price": v.resting - 1}])
    edit(exchange, placed[1]["id"], place, v.resting - 700)
    assert fetch_order(exchange, placed[1]["id"], v.symbol)["price"] == v.resting - 700
    assert fetch_order(exchange, placed[0]["id"], v.symbol)["price"] == v.resting


def test_another_account_s_order_is_as_unknown_as_one_that_is_not_there(place: Place) -> None:
    owner = place.client()
    order_id = place.order(owner)["id"]
    other = client(place.stage, place.venue.name, place.stage.burst)
    said = []
    for unknown in (order_id, ELSEWHERE[place.venue.name]):
        with pytest.raises(ccxt.InvalidOrder) as refusal:
            edit(other, unknown, place, place.venue.resting - 500)
        said.append(str(refusal.value))
    assert said[0] == said[1]
    assert "cancel it and place it anew" in said[0]
    assert fetch_order(owner, order_id, place.venue.symbol)["price"] == place.venue.resting


def test_an_amendment_without_a_price_is_refused(place: Place) -> None:
    exchange = place.client()
    order_id = place.order(exchange)["id"]
    with pytest.raises(ccxt.ExchangeError):
        edit(exchange, order_id, place, None)
