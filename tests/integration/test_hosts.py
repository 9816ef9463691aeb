"""In egress, unmodified clients trade and listen at a venue that has a host for each thing."""

from __future__ import annotations

import asyncio
import copy
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import ccxt.pro
import pytest
import yaml

from demo.stage import Stage
from ringfence.config.profile import hosts
from tests.integration.desk import desk_stage
from tests.integration.doors import Door, doors
from tests.integration.venues import PUSHED, USDM, Venue, client

PATIENCE_S = 20
HINT = "  # websockets: [{path: /ws, url: wss://HOST}]  # those that are not at `url`\n"
PRIVATE = {
    "binance": ("ws-api.binance.com", {"/ws-api/v3"}),
    "binance-usdm": ("fstream.binance.com", {"/private/ws"}),
    "kraken": ("ws-auth.kraken.com", {"/v2"}),
}
"""Where an account's own is asked for, and at which paths."""
PUBLIC = {
    "binance": "stream.binance.com:9443",
    "binance-usdm": "fstream.binance.com",
    "kraken": "ws.kraken.com",
}
KNOWN = {**PUSHED, USDM.name: USDM}


@dataclass(frozen=True)
class Desk:
    """A firm's gateway, the venue's hosts, and the venue."""

    venue: Venue
    stage: Stage
    doors: dict[str, Door]


@pytest.fixture(scope="module", params=PUBLIC)
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    venue = KNOWN[request.param]
    folder = tmp_path_factory.mktemp(venue.name)
    found: dict[str, Door] = {}
    with ExitStack() as stack:

        def settle(text: str, url: str) -> str:
            rows = next(iter(hosts()[venue.profile].values()))
            urls = {url for row in rows for name, url in row.items() if name != "path"}
            names = {url: url.removeprefix("wss://") for url in urls}
            found.update(stack.enter_context(doors(folder, url, names.values())))
            here = {url: f"wss://{found[name].address}" for url, name in names.items()}
            moved = [{name: here.get(said, said) for name, said in row.items()} for row in rows]
            said = {"websockets": moved, "ca": str(folder / "doors.pem")}
            assert HINT in text
            text = text.replace(url, f"http://{found['api'].address}")
            return text.replace(HINT, textwrap.indent(yaml.safe_dump(said), "  "))

        yield Desk(venue, stack.enter_context(desk_stage(folder, venue, settle)), found)


def with_pro(desk: Desk, use: Callable[[Any], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        name = "binanceusdm" if desk.venue is USDM else desk.venue.name
        exchange = client(desk.stage, name, desk.stage.trader, ccxt.pro)
        exchange.cafile = str(desk.stage.ca)
        try:
            await exchange.load_markets()
            return await asyncio.wait_for(use(exchange), 3 * PATIENCE_S)
        finally:
            await exchange.close()

    return asyncio.run(run())


def test_ccxt_pro_trades_and_listens_and_each_host_sees_its_own(desk: Desk) -> None:
    venue = desk.venue

    async def use(exchange: Any) -> tuple[Any, ...]:
        book = await exchange.watch_order_book(venue.symbol)
        watching = asyncio.ensure_future(exchange.watch_orders(venue.symbol))
        await asyncio.sleep(1)  # the subscription is on its way
        made = await exchange.create_order(
            venue.symbol, "limit", "buy", venue.amount, venue.resting
        )
        heard = copy.deepcopy(list(await asyncio.wait_for(watching, PATIENCE_S)))
        await exchange.cancel_order(made["id"], venue.symbol)
        return copy.deepcopy(book), made, heard

    book, made, heard = with_pro(desk, use)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert heard[-1]["id"] == made["id"]
    host, paths = PRIVATE[venue.name]
    assert desk.doors[host].paths >= paths
    assert desk.doors[PUBLIC[venue.name]].visits
    assert desk.doors.keys() == {"api", host, PUBLIC[venue.name]}
    for door in desk.doors.values():
        assert not door.strays
        assert {visit.field("host") for visit in door.visits} <= {door.address}


@pytest.mark.parametrize("desk", ["kraken"], indirect=True)
def test_kraken_s_account_is_asked_for_at_its_own_host_though_the_path_is_one(desk: Desk) -> None:
    venue = desk.venue

    async def use(exchange: Any) -> None:
        await exchange.watch_order_book(venue.symbol)
        await exchange.watch_balance()

    with_pro(desk, use)

    def asked(name: str) -> list[dict[str, Any]]:
        said = desk.doors[name].said()
        return [one["params"] for one in said if one["method"] == "subscribe"]

    assert {one["channel"] for one in asked("ws.kraken.com")} == {"book"}
    assert all("token" not in one for one in asked("ws.kraken.com"))
    assert {one["channel"] for one in asked("ws-auth.kraken.com")} >= {"balances"}
    assert all(one["token"] for one in asked("ws-auth.kraken.com"))


@pytest.mark.parametrize("desk", ["binance"], indirect=True)
def test_what_is_asked_on_a_channel_goes_to_the_api_alone(desk: Desk) -> None:
    venue = desk.venue
    before = {name: len(door.visits) for name, door in desk.doors.items()}

    async def use(exchange: Any) -> None:
        made = await exchange.create_order_ws(
            venue.symbol, "limit", "buy", venue.amount, venue.resting
        )
        await exchange.cancel_order_ws(made["id"], venue.symbol)

    with_pro(desk, use)
    after = {name: len(door.visits) for name, door in desk.doors.items()}
    assert before | {"api": 0} == after | {"api": 0}
