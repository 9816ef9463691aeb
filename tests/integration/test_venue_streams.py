"""Unmodified ccxt.pro reads each venue's streams through the gateway; nothing else passes there."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from typing import Any

import ccxt.pro
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from demo.stage import Stage, set_stage
from tests.integration.venues import VENUES, Venue, client
from tests.integration.websocket import ClientConnection, connect

STREAMS = {
    "bybit": "/v5/public/spot",
    "deribit": "/ws/api/v2",
    "kraken": "/",
    "kucoin": "/endpoint/public",
    "okx": "/ws/v5/public",
}
PINGS = {
    "bybit": '{"op":"ping"}',
    "deribit": '{"jsonrpc":"2.0","id":1,"method":"public/test"}',
    "kraken": '{"event":"ping"}',
    "kucoin": '{"id":1,"type":"ping"}',
    "okx": "ping",
}
Placed = tuple[Venue, Stage]


@pytest.fixture(scope="module", params=STREAMS)
def placed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Placed]:
    venue = VENUES[request.param]
    folder = tmp_path_factory.mktemp(venue.name) / "stage"
    with set_stage(folder, venue.profile, venue.name) as stage:
        yield venue, stage


def opened(placed: Placed, path: str) -> ClientConnection:
    stage = placed[1]
    trusted = ssl.create_default_context(cafile=stage.ca)
    if placed[0].name == "kucoin":
        minted = httpx.post(f"{stage.gateway}/api/v1/bullet-public", verify=trusted).json()["data"]
        (server,) = minted["instanceServers"]
        assert server["endpoint"] == stage.streams + path
        path += f"?token={minted['token']}"
    return connect(stage.streams + path, ssl=trusted)


def test_ccxt_pro_watches_ticker_book_and_trades(placed: Placed) -> None:
    venue, stage = placed
    trader = client(stage, venue.name, stage.trader)

    async def watch() -> tuple[Any, Any, Any]:
        exchange = client(stage, venue.name, stage.burst, ccxt.pro)
        exchange.cafile = str(stage.ca)
        try:
            await exchange.load_markets()
            ticker = await asyncio.wait_for(exchange.watch_ticker(venue.symbol), 20)
            book = await asyncio.wait_for(exchange.watch_order_book(venue.symbol), 20)
            watching = asyncio.create_task(exchange.watch_trades(venue.symbol))
            await asyncio.sleep(0.5)  # the subscription is on its way
            await asyncio.to_thread(
                lambda: trader.create_order(venue.symbol, "market", "buy", venue.amount)
            )
            return ticker, book, await asyncio.wait_for(watching, 20)
        finally:
            await exchange.close()

    ticker, book, trades = asyncio.run(watch())
    assert ticker["last"] > 0
    assert book["bids"][0][0] < book["asks"][0][0]
    assert {trade["side"] for trade in trades} == {"buy"}


# Deribit's is a channel, which answers such a message (test_pushes.py).
@pytest.mark.parametrize("placed", ["bybit", "kraken", "kucoin", "okx"], indirect=True)
@pytest.mark.parametrize(
    "text",
    [
        '{"op":"auth","args":["k",1,"s"]}',
        '{"op":"order.create","args":[{}]}',
        '{"method":"add_order","params":{}}',
        '{"method":"subscribe","event":"add_order"}',
        '{"jsonrpc":"2.0","id":1,"method":"private/buy","params":{}}',
        '{"jsonrpc":"2.0","id":1,"method":"public/auth","params":{}}',
        "pong",
        "[]",
    ],
)
def test_a_stream_takes_no_trading_message(placed: Placed, text: str) -> None:
    with opened(placed, STREAMS[placed[0].name]) as stream:
        stream.send(text)
        with pytest.raises(ConnectionClosed) as ended:
            while True:
                stream.recv(timeout=5)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1008


def test_each_venue_s_ping_is_answered(placed: Placed) -> None:
    with opened(placed, STREAMS[placed[0].name]) as stream:
        stream.send(PINGS[placed[0].name])
        while not {"pong", "version"} & set(str(stream.recv(timeout=5)).split('"')):
            pass


@pytest.mark.parametrize("placed", ["kraken"], indirect=True)
def test_kraken_s_first_version_is_a_stream_too(placed: Placed) -> None:
    with opened(placed, "/") as stream:
        wanted = {"name": "book", "depth": 10}
        stream.send(
            json.dumps({"event": "subscribe", "pair": ["XBT/USDT"], "subscription": wanted})
        )
        while not isinstance(told := json.loads(stream.recv(timeout=5)), list):
            pass
    assert told[2:] == ["book-10", "XBT/USDT"]
    assert len(told[1]["as"]) == 10
