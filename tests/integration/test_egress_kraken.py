"""In egress, the gateway has Kraken give it a token for the private channel, and keeps it."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from kraken.spot import SpotWSClient
from websockets.exceptions import ConnectionClosed

from demo.stage import Stage
from tests.integration.desk import SECRET, desk_stage, put
from tests.integration.test_minted_kraken import ORDER, ask, channel, entries, minted, trusted
from tests.integration.venues import VENUES


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("kraken")
    with desk_stage(folder, VENUES["kraken"]) as stage, trusted(stage):
        yield stage


def test_the_venue_s_sdk_hears_the_firm_s_orders_and_balances(desk: Stage) -> None:
    bot, heard = desk.trader, asyncio.Queue[Any]()
    leg = {name: value for name, value in ORDER.items() if name != "symbol"}

    async def until(wanted: dict[str, Any]) -> Any:
        while True:
            said = await asyncio.wait_for(heard.get(), 10)
            if wanted.items() <= said.items():
                return said

    async def trade() -> tuple[Any, ...]:
        sdk = SpotWSClient(
            bot.key_id, bot.secret, callback=heard.put, rest_url=desk.gateway,
            ws_url=desk.streams, auth_ws_url=desk.streams,
        )  # fmt: skip
        async with sdk:
            for name in ("executions", "balances"):
                await sdk.subscribe(params={"channel": name})
                assert (await until({"method": "subscribe"}))["success"] is True
                await until({"channel": name, "type": "snapshot"})
            orders = {"symbol": "BTC/USDT", "orders": [leg, leg]}
            await sdk.send_message({"method": "batch_add", "params": orders})
            placed = await until({"method": "batch_add"})
            told = await until({"channel": "executions", "type": "update"})
            bought = ORDER | {"order_type": "market"}
            del bought["limit_price"]
            await sdk.send_message({"method": "add_order", "params": bought})
            balances = await until({"channel": "balances", "type": "update"})
            return placed, told, balances

    placed, told, balances = asyncio.run(trade())
    names = {one["order_id"] for one in placed["result"]}
    assert told["data"][0]["order_id"] in names
    assert {row["asset"] for row in balances["data"]} >= {"BTC", "USDT"}


def test_what_another_venue_key_was_shown_for_is_pushed_no_longer(desk: Stage) -> None:
    config, phrase = desk.state / "ringfence.yaml", desk.state.parent / "phrase"
    subscription = {"channel": "executions", "token": minted(desk, desk.trader)}
    with channel(desk) as opened:
        opened.send(json.dumps({"method": "subscribe", "params": subscription}))
        while json.loads(opened.recv(timeout=5)).get("type") != "snapshot":
            pass
        put(config, "kraken", base64.b64encode(secrets.token_bytes(48)).decode(), phrase)
        with pytest.raises(ConnectionClosed) as ended:
            while True:
                opened.recv(timeout=5)
        assert ended.value.rcvd is not None
        assert "venue key was exchanged" in ended.value.rcvd.reason
    with channel(desk) as opened:
        refused = ask(opened, "subscribe", **subscription)
        assert (refused["success"], refused["error"]) == (False, "EService:Unavailable")
    assert entries(desk, event="venue.key_refused")
    put(config, "kraken", SECRET, phrase)
    with channel(desk) as opened:
        opened.send(json.dumps({"method": "subscribe", "params": subscription}))
        while json.loads(opened.recv(timeout=5)).get("success") is not True:
            pass
