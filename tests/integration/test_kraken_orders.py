"""Kraken's channel changes orders, and places and cancels several: each judged, all or none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import ccxt.pro
import pytest

from demo.stage import Stage
from tests.integration.test_minted_kraken import (
    ORDER,
    ask,
    channel,
    entries,
    fresh,
    kraken,
    minted,
)
from tests.integration.venues import client
from tests.integration.websocket import ClientConnection

__all__ = ["kraken"]

LEG = {name: value for name, value in ORDER.items() if name != "symbol"}
INVALID = "EGeneral:Invalid arguments"


class Desk:
    """Somebody on the channel, whose token stands in each message."""

    def __init__(self, opened: ClientConnection, stage: Stage, account: str) -> None:
        self.opened = opened
        self.who = fresh(stage, account)
        self.token = minted(stage, self.who)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        return ask(self.opened, method, **params, token=self.token)

    def hear(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.opened.recv(timeout=5))
        return answer

    def place(self) -> str:
        name: str = self.ask("add_order", **ORDER)["result"]["order_id"]
        return name

    def standing(self) -> int:
        """Tell how many orders stand, and cancel them."""
        count: int = self.ask("cancel_all")["result"]["count"]
        return count


@pytest.fixture
def desk(kraken: Stage, request: pytest.FixtureRequest) -> Iterator[Desk]:
    with channel(kraken) as opened:
        yield Desk(opened, kraken, f"a{abs(hash(request.node.name))}")


def test_an_amendment_is_judged_by_the_order_that_it_names(kraken: Stage, desk: Desk) -> None:
    order = desk.place()
    moved = desk.ask("amend_order", order_id=order, order_qty=0.02, limit_price=50001)
    assert moved["success"] is True, moved
    assert moved["result"]["order_id"] == order
    assert moved["result"]["amend_id"].startswith("T")
    (entry,) = entries(kraken, kind="decision", credential=desk.who.key_id, method="amend_order")
    assert (entry["route"], entry["order"]["symbol"]) == ("POST /0/private/AmendOrder", "XBTUSDT")
    price = desk.ask("amend_order", order_id=order, order_qty=0.02, limit_price=1)
    assert price["error"].startswith("EOrder:Invalid price")
    many = desk.ask("amend_order", order_id=order, order_qty=5000, limit_price=50001)
    assert many["error"] == f"{INVALID}:volume"
    for other in ({"order_id": "OPAPER-99999-VENUES"}, {"order_id": order[:-1]}):
        unknown = desk.ask("amend_order", **other, order_qty=0.02, limit_price=50001)
        assert unknown["error"] == "EOrder:Unknown order"
    # By another name it is no order of whose instrument we know.
    named = desk.ask("amend_order", cl_ord_id="mine", order_qty=0.02, limit_price=50001)
    assert named["error"] == INVALID
    assert desk.standing() == 1


def test_a_batch_is_placed_as_the_venue_has_it(kraken: Stage, desk: Desk) -> None:
    legs = [LEG, LEG | {"limit_price": 49999.5, "order_qty": 0.02}]
    placed = desk.ask("batch_add", symbol="BTC/USDT", orders=legs)
    assert placed["success"] is True, placed
    names = [one["order_id"] for one in placed["result"]]
    assert len(set(names)) == 2
    (entry,) = entries(kraken, kind="decision", credential=desk.who.key_id, method="batch_add")
    assert [one["price"] for one in entry["orders"]] == ["50000.1", "49999.5"]
    # One of them is known by its name from now on.
    moved = desk.ask("amend_order", order_id=names[1], order_qty=0.03, limit_price=50000)
    assert moved["success"] is True
    gone = desk.ask("batch_cancel", orders=names)
    assert (gone["success"], gone["orders_cancelled"]) == (True, 2)
    assert desk.standing() == 0


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"limit_price": 1}, "EOrder:Invalid price"),
        ({"order_qty": 5000}, f"{INVALID}:volume"),
        ({"pair": "ETHUSDT"}, INVALID),
        ({"symbol": "ETH/USDT"}, INVALID),
        ({"conditional": {"order_type": "limit"}}, INVALID),
        ({"limit_price": None}, INVALID),
        ({"order_type": "iceberg"}, f"{INVALID}:ordertype"),
    ],
)
def test_one_bad_order_refuses_all(desk: Desk, bad: dict[str, Any], error: str) -> None:
    refused = desk.ask("batch_add", symbol="BTC/USDT", orders=[LEG, LEG | bad, LEG])
    assert refused["success"] is False
    assert refused["error"].startswith(error), refused
    assert desk.standing() == 0


def test_a_batch_that_is_none_or_too_long_is_refused(desk: Desk) -> None:
    for orders in ([], [LEG] * 16, LEG, {"1": LEG}, [[LEG]], ["OA"]):
        refused = desk.ask("batch_add", symbol="BTC/USDT", orders=orders)
        assert refused["success"] is False, orders
    assert desk.ask("batch_cancel", orders=["OA"] * 51)["success"] is False
    assert desk.standing() == 0


def test_each_of_several_that_are_cancelled_has_an_answer(kraken: Stage, desk: Desk) -> None:
    names = [desk.place() for _ in range(3)]
    answers = [desk.ask("cancel_order", order_id=names), desk.hear(), desk.hear()]
    assert [one["result"]["order_id"] for one in answers] == names
    assert {(one["success"], one["req_id"]) for one in answers} == {(True, 7)}
    (entry,) = entries(kraken, kind="decision", credential=desk.who.key_id, method="cancel_order")
    assert entry["route"] == "POST /0/private/CancelOrderBatch"
    # Where fewer stood, nobody is told that all are gone.
    fewer = desk.ask("cancel_order", order_id=[desk.place(), "OPAPER-99999-VENUES"])
    assert (fewer["success"], fewer["error"]) == (False, "EOrder:Unknown order")
    assert desk.standing() == 0
    # Two of a client's own names have no route.
    assert desk.ask("cancel_order", cl_ord_id=["a", "b"])["error"] == INVALID


def test_another_account_s_orders_stay(kraken: Stage, desk: Desk) -> None:
    order = desk.place()
    with channel(kraken) as opened:
        other = Desk(opened, kraken, "mallory")
        moved = other.ask("amend_order", order_id=order, order_qty=0.02, limit_price=50001)
        assert moved["error"] == "EOrder:Unknown order"
        assert other.ask("batch_cancel", orders=[order, order])["success"] is False
    assert desk.standing() == 1


def test_a_key_that_only_reads_changes_and_cancels_nothing(kraken: Stage, desk: Desk) -> None:
    order = desk.place()
    token = minted(kraken, fresh(kraken, "reader", ("read",)))
    asked: dict[str, dict[str, Any]] = {
        "amend_order": {"order_id": order, "order_qty": 0.02, "limit_price": 50001},
        "batch_add": {"symbol": "BTC/USDT", "orders": [LEG, LEG]},
        "batch_cancel": {"orders": [order, order]},
        "cancel_order": {"order_id": [order, order]},
        "cancel_all_orders_after": {"timeout": 100},
    }
    with channel(kraken) as opened:
        for method, params in asked.items():
            refused = ask(opened, method, **params, token=token)
            assert refused["error"] == "EGeneral:Permission denied", refused
    assert desk.standing() == 1


def test_who_shows_no_token_hears_nothing_of_an_account(kraken: Stage) -> None:
    with channel(kraken) as opened:
        for name in ("executions", "balances"):
            refused = ask(opened, "subscribe", channel=name)
            assert (refused["success"], refused["error"]) == (False, "EAPI:Invalid key")


def test_all_are_cancelled_after_a_while_in_which_nothing_is_said(desk: Desk) -> None:
    desk.place()
    switch = desk.ask("cancel_all_orders_after", timeout=100)
    assert set(switch["result"]) == {"currentTime", "triggerTime"}
    assert desk.ask("cancel_all_orders_after", timeout=0)["result"]["triggerTime"] == "0"
    assert desk.ask("cancel_all_orders_after", timeout=-1)["success"] is False
    assert desk.standing() == 1


def test_ccxt_pro_changes_and_cancels_several_unmodified(kraken: Stage) -> None:
    async def trade() -> tuple[Any, ...]:
        exchange = client(kraken, "kraken", fresh(kraken, "dave"), ccxt.pro)
        exchange.cafile = str(kraken.ca)
        try:
            asked = ("BTC/USDT", "limit", "buy", 0.01, 50000)
            one, two = [await exchange.create_order_ws(*asked) for _ in range(2)]
            moved = await exchange.edit_order_ws(one["id"], *asked[:3], 0.02, 50001)
            await exchange.cancel_orders_ws([one["id"], two["id"]])
            return one, moved, await exchange.fetch_open_orders("BTC/USDT")
        finally:
            await exchange.close()

    one, moved, left = asyncio.run(trade())
    assert moved["id"] == one["id"]
    assert left == []
