"""Unmodified clients hear their orders, fills and balances, and nothing after a revocation."""

from __future__ import annotations

import asyncio
import copy
import json
import queue
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import ccxt.pro
import pytest
from binance import AsyncClient, BinanceSocketManager
from okx.websocket.WsPrivateAsync import WsPrivateAsync
from pybit.unified_trading import WebSocket
from websockets.exceptions import ConnectionClosed

from demo.attack import Key
from demo.stage import Stage, ringfence, set_stage
from demo.stage import key as stage_key
from ringfence.engine import LedgerReader
from tests.integration.venues import PUSHED, Venue, client
from tests.integration.websocket import connect

Placed = tuple[Venue, Stage]
PATIENCE_S = 20
LOCAL = "127.0.0.0/8"


@pytest.fixture(scope="module", params=PUSHED)
def placed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Placed]:
    venue = PUSHED[request.param]
    folder = tmp_path_factory.mktemp(venue.name) / "stage"
    with set_stage(folder, venue.profile, venue.name) as stage:
        yield venue, stage


def with_pro(
    placed: Placed, key: Key, use: Callable[[Any, Callable[..., Awaitable[Any]]], Awaitable[Any]]
) -> Any:
    """Run `use` with a ccxt.pro client and a way to act as a trader meanwhile."""
    venue, stage = placed
    trader = client(stage, venue.name, key)

    async def act(name: str, *arguments: Any) -> Any:
        return await asyncio.to_thread(lambda: getattr(trader, name)(*arguments))

    async def run() -> Any:
        exchange = client(stage, venue.name, key, ccxt.pro)
        exchange.cafile = str(stage.ca)
        try:
            await exchange.load_markets()
            return await asyncio.wait_for(use(exchange, act), 3 * PATIENCE_S)
        finally:
            await exchange.close()

    return asyncio.run(run())


async def after(watching: Awaitable[Any], act: Awaitable[Any]) -> tuple[Any, Any]:
    """Begin to watch, then act; return what was heard, and what acting answered."""
    task = asyncio.ensure_future(watching)
    await asyncio.sleep(1)  # the subscription is on its way
    done = await act
    # ccxt's own lists go on changing.
    return copy.deepcopy(await asyncio.wait_for(task, PATIENCE_S)), done


def entries(stage: Stage, **wanted: Any) -> list[dict[str, Any]]:
    read = LedgerReader(stage.state / "ledger", 0).read(100_000)
    found = (json.loads(one) for _, one in read)
    return [entry for entry in found if wanted.items() <= entry.items()]


def test_ccxt_pro_watches_orders_trades_and_balance(placed: Placed) -> None:
    venue = placed[0]

    async def use(exchange: Any, act: Any) -> tuple[Any, ...]:
        resting = act("create_order", venue.symbol, "limit", "buy", venue.amount, venue.resting)
        orders, made = await after(exchange.watch_orders(venue.symbol), resting)
        filling = act("create_order", venue.symbol, "market", "buy", venue.amount)
        trades, bought = await after(exchange.watch_my_trades(venue.symbol), filling)
        cancel = act("cancel_order", made["id"], venue.symbol)
        gone, _ = await after(exchange.watch_orders(venue.symbol), cancel)
        while made["id"] not in {o["id"] for o in gone if o["status"] == "canceled"}:
            gone = await asyncio.wait_for(exchange.watch_orders(venue.symbol), PATIENCE_S)
        watching = exchange.watch_balance()
        another = act("create_order", venue.symbol, "market", "buy", venue.amount)
        balance, _ = await after(watching, another)
        return orders, made, trades, bought, balance

    orders, made, trades, bought, balance = with_pro(placed, placed[1].trader, use)
    assert (orders[-1]["id"], orders[-1]["status"]) == (made["id"], "open")
    assert {trade["order"] for trade in trades} == {bought["id"]}
    assert held(balance, venue.symbol.split("/")[0]) > 0
    stage = placed[1]
    asked = [e for e in entries(stage, kind="decision", status=202) if "sub" in e["method"]]
    assert {(e["account"], e["operation"], e["transport"]) for e in asked} == {
        ("alice", "account.read", "websocket")
    }


def held(balance: dict[str, Any], currency: str) -> float:
    """Return what there is of a currency; ccxt's Deribit keeps a balance inside of a balance."""
    total = balance[currency]["total"]
    return float(total[currency] if isinstance(total, dict) else total)


def test_another_account_hears_nothing_of_it(placed: Placed) -> None:
    venue, stage = placed
    other = client(stage, venue.name, stage_key(stage.state, "bob", ["read", "trade"], LOCAL))

    async def use(exchange: Any, act: Any) -> Any:
        watching = asyncio.ensure_future(exchange.watch_orders())
        await asyncio.sleep(1)
        foreign = await asyncio.to_thread(
            lambda: other.create_order(venue.symbol, "limit", "buy", venue.amount, venue.resting)
        )
        own = act("create_order", venue.symbol, "limit", "buy", venue.amount, venue.resting)
        _, made = await after(watching, own)
        await asyncio.sleep(1)
        return foreign, made, copy.deepcopy(list(exchange.orders))

    foreign, made, heard = with_pro(placed, stage.trader, use)
    ids = {order["id"] for order in heard}
    assert made["id"] in ids
    assert foreign["id"] not in ids


def test_a_revoked_key_hears_nothing_more(placed: Placed) -> None:
    venue, stage = placed
    mine = stage_key(stage.state, "alice", ["read", "trade"], LOCAL)
    trader = client(stage, venue.name, stage.trader)

    async def use(exchange: Any, act: Any) -> tuple[Any, Any]:
        own = act("create_order", venue.symbol, "limit", "buy", venue.amount, venue.resting)
        heard, made = await after(exchange.watch_orders(), own)
        watching = asyncio.ensure_future(exchange.watch_orders())
        await asyncio.to_thread(
            lambda: ringfence(
                "key", "revoke", "-c", str(stage.state / "ringfence.yaml"), mine.key_id
            )
        )
        await asyncio.to_thread(lambda: trader.cancel_order(made["id"], venue.symbol))
        with pytest.raises(ccxt.NetworkError):
            await asyncio.wait_for(watching, PATIENCE_S)
        return heard, copy.deepcopy(list(exchange.orders))

    heard, last = with_pro(placed, mine, use)
    assert heard
    assert {order["status"] for order in last if order["id"] == heard[-1]["id"]} == {"open"}


def test_python_binance_hears_its_user_socket(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(stage.ca))
    url = stage.gateway.replace("https://", "wss://") + "/ws-api/v3"

    async def listen() -> tuple[Any, list[Any]]:
        client = AsyncClient(stage.trader.key_id, stage.trader.secret)
        client.ws_api._url = url
        try:
            async with BinanceSocketManager(client).user_socket() as socket:
                placed = await client.ws_order_limit_buy(
                    symbol="BTCUSDT", quantity="0.01", price="20000.00"
                )
                heard = [await asyncio.wait_for(socket.recv(), PATIENCE_S) for _ in range(2)]
                await client.ws_cancel_order(symbol="BTCUSDT", orderId=placed["orderId"])
                heard += [await asyncio.wait_for(socket.recv(), PATIENCE_S) for _ in range(2)]
            return placed, heard
        finally:
            await client.close_connection()

    placed, heard = asyncio.run(listen())
    events = [one.get("event", one) for one in heard]
    assert [event["e"] for event in events] == [
        "executionReport",
        "outboundAccountPosition",
    ] * 2
    assert [(events[n]["i"], events[n]["x"]) for n in (0, 2)] == [
        (placed["orderId"], "NEW"),
        (placed["orderId"], "CANCELED"),
    ]
    (left,) = entries(stage, kind="decision", method="userDataStream.unsubscribe")
    assert left["status"] == 202


@pytest.mark.parametrize("placed", ["bybit"], indirect=True)
def test_pybit_hears_its_private_stream(placed: Placed, monkeypatch: pytest.MonkeyPatch) -> None:
    venue, stage = placed
    monkeypatch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", str(stage.ca))
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    url = stage.gateway.replace("https://", "wss://") + "/v5/private"
    monkeypatch.setattr("pybit.unified_trading.PRIVATE_WSS", url)
    key = stage.trader
    private = WebSocket(
        testnet=False, channel_type="private", api_key=key.key_id, api_secret=key.secret
    )
    try:
        for ask in (private.order_stream, private.execution_stream, private.wallet_stream):
            ask(callback=heard.put)
        time.sleep(1)  # the subscriptions are on their way
        trader = client(stage, venue.name, key)
        bought = trader.create_order(venue.symbol, "market", "buy", venue.amount)
        topics: set[str] = set()
        while topics < {"order", "execution", "wallet"}:
            told = heard.get(timeout=PATIENCE_S)
            topics.add(told["topic"])
            if told["topic"] == "execution":
                assert told["data"][0]["orderId"] == bought["id"]
    finally:
        private.exit()


@pytest.mark.parametrize("placed", ["okx"], indirect=True)
def test_python_okx_hears_its_private_channel(
    placed: Placed, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue, stage = placed
    trusted = ssl.create_default_context(cafile=stage.ca)
    monkeypatch.setattr("ssl.create_default_context", lambda *_args, **_more: trusted)
    url = stage.gateway.replace("https://", "wss://") + "/ws/v5/private"
    heard: list[dict[str, Any]] = []

    async def listen() -> Any:
        private = WsPrivateAsync(stage.trader.key_id, "any", stage.trader.secret, url)
        await private.connect()
        reading = asyncio.ensure_future(private.consume())
        topics = [{"channel": "orders", "instType": "ANY"}, {"channel": "balance_and_position"}]
        await private.subscribe(topics, lambda text: heard.append(json.loads(text)))
        await asyncio.sleep(1)
        trader = client(stage, venue.name, stage.trader)
        made = await asyncio.to_thread(
            lambda: trader.create_order(venue.symbol, "limit", "buy", venue.amount, venue.resting)
        )
        await asyncio.sleep(1)
        reading.cancel()
        await private.factory.close()
        return made

    made = asyncio.run(listen())
    orders = [one for one in heard if one.get("arg", {}).get("channel") == "orders"]
    assert [one["data"][0]["ordId"] for one in orders if "data" in one] == [made["id"]]
    assert any("data" in one and "balData" in one["data"][0] for one in heard)


@pytest.mark.parametrize("placed", ["deribit"], indirect=True)
def test_deribit_tells_markets_and_the_account_on_one_channel(placed: Placed) -> None:
    venue = placed[0]

    async def use(exchange: Any, act: Any) -> tuple[Any, Any, Any]:
        filling = act("create_order", venue.symbol, "market", "buy", venue.amount)
        watching = asyncio.gather(
            exchange.watch_trades(venue.symbol), exchange.watch_my_trades(venue.symbol)
        )
        (trades, mine), bought = await after(watching, filling)
        assert len(exchange.clients) == 1
        return trades, mine, bought

    trades, mine, bought = with_pro(placed, placed[1].trader, use)
    assert {trade["order"] for trade in mine} == {bought["id"]}
    assert {trade["id"] for trade in mine} <= {trade["id"] for trade in trades}


@pytest.mark.parametrize("placed", ["deribit"], indirect=True)
def test_deribit_s_heartbeat_is_the_client_s_to_answer(placed: Placed) -> None:
    stage = placed[1]
    trusted = ssl.create_default_context(cafile=stage.ca)
    beats: list[str] = []
    with connect(stage.streams + "/ws/api/v2", ssl=trusted) as opened:

        def say(number: int, method: str, **params: Any) -> None:
            said = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            opened.send(json.dumps(said))

        say(1, "public/set_heartbeat", interval=1)
        assert json.loads(opened.recv(timeout=5))["result"] == "ok"
        with pytest.raises(ConnectionClosed) as ended:
            while True:
                told = json.loads(opened.recv(timeout=PATIENCE_S))
                if told.get("method") == "heartbeat":
                    beats.append(told["params"]["type"])
                    if beats == ["heartbeat", "test_request"]:
                        say(2, "public/test")
    assert ended.value.rcvd is not None
    assert (beats, ended.value.rcvd.code) == (["heartbeat", "test_request"] * 2, 1014)
