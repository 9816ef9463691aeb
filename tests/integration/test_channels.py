"""Orders over WebSocket: unmodified clients trade through the gateway, and are stopped there."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
from binance import AsyncClient
from binance.exceptions import BinanceAPIException
from websockets.exceptions import ConnectionClosed, InvalidStatus

from demo.attack import Key
from demo.stage import Stage, ringfence, set_stage
from demo.stage import key as stage_key
from ringfence.client import RingfenceKey
from ringfence.client.websockets import handshake
from ringfence.engine import LedgerReader
from tests.integration.venues import VENUES, client
from tests.integration.websocket import ClientConnection, connect


def address(stage: Stage) -> str:
    return stage.gateway.replace("https://", "wss://")


@contextmanager
def channel(
    stage: Stage, fields: Mapping[str, str] | None = None, path: str = "/ws-api/v3"
) -> Iterator[ClientConnection]:
    trusting = ssl.create_default_context(cafile=stage.ca)
    with connect(address(stage) + path, ssl=trusting, additional_headers=fields) as opened:
        yield opened


def ask(opened: ClientConnection, message: str) -> dict[str, Any]:
    opened.send(message)
    answer: dict[str, Any] = json.loads(opened.recv(timeout=5))
    return answer


def signed(key: Key, method: str, **params: str) -> str:
    """Return a message as a client of the WebSocket API signs it."""
    every = {**params, "apiKey": key.key_id, "timestamp": str(time.time_ns() // 1_000_000)}
    text = "&".join(f"{name}={value}" for name, value in sorted(every.items()))
    tag = hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return json.dumps({"id": 1, "method": method, "params": {**every, "signature": tag}})


def plain(number: int, method: str, **params: str) -> str:
    every = {**params, "timestamp": time.time_ns() // 1_000_000}
    return json.dumps({"id": number, "method": method, "params": every})


ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "20000.00",
    "quantity": "0.01",
}


def entries(stage: Stage, **wanted: str) -> list[dict[str, Any]]:
    read = LedgerReader(stage.state / "ledger", 0).read(100_000)
    found = (json.loads(one) for _, one in read)
    return [entry for entry in found if wanted.items() <= entry.items()]


def with_ccxt(stage: Stage, use: Callable[[Any], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        key = {"apiKey": stage.trader.key_id, "secret": stage.trader.secret}
        exchange = ccxt.pro.binance({**key, "cafile": str(stage.ca)})
        api = exchange.urls["api"]
        for name, url in api.items():
            if isinstance(url, str) and url.startswith("https://"):
                api[name] = stage.gateway + "/" + url.split("/", 3)[3]
        # Nothing but the address is set.
        api["ws"]["ws-api"]["spot"] = address(stage) + "/ws-api/v3"
        exchange.options["defaultType"] = "spot"
        exchange.options["fetchMarkets"] = {"types": ["spot"]}
        try:
            return await asyncio.wait_for(use(exchange), 60)
        finally:
            await exchange.close()

    return asyncio.run(run())


def test_ccxt_pro_trades_on_the_channel_unmodified(stage: Stage) -> None:
    async def trade(exchange: Any) -> tuple[Any, ...]:
        placed = await exchange.create_order_ws(
            "BTC/USDT", "limit", "buy", 0.01, 20000, {"clientOrderId": "ours-1"}
        )
        seen = await exchange.fetch_order_ws(placed["id"], "BTC/USDT")
        moved = await exchange.edit_order_ws(placed["id"], "BTC/USDT", "limit", "buy", 0.01, 20001)
        resting = await exchange.fetch_open_orders_ws("BTC/USDT")
        gone = await exchange.cancel_order_ws(moved["id"], "BTC/USDT")
        balance = await exchange.fetch_balance_ws()
        filled = await exchange.create_order_ws("BTC/USDT", "market", "buy", 0.01)
        trades = await exchange.fetch_my_trades_ws("BTC/USDT")
        return placed, seen, moved, resting, gone, balance, filled, trades

    placed, seen, moved, resting, gone, balance, filled, trades = with_ccxt(stage, trade)
    assert (placed["status"], placed["clientOrderId"]) == ("open", "ours-1")
    assert (seen["id"], seen["price"]) == (placed["id"], 20000)
    assert moved["price"] == 20001
    assert [order["id"] for order in resting] == [moved["id"]]
    assert gone["status"] == "canceled"
    assert balance["info"]["canTrade"] is True
    assert filled["status"] == "closed"
    assert trades[-1]["order"] == filled["id"]
    (intent,) = entries(stage, kind="decision", method="order.cancelReplace")
    assert (intent["transport"], intent["path"]) == ("websocket", "/ws-api/v3")
    assert intent["route"] == "POST /api/v3/order/cancelReplace"
    assert intent["account"] == "alice"
    (outcome,) = entries(stage, kind="outcome", message=intent["message"])
    assert outcome["result"] == "answered"


def test_ccxt_pro_is_told_in_its_own_words_what_the_guard_refuses(stage: Stage) -> None:
    async def trade(exchange: Any) -> tuple[str, str]:
        with pytest.raises(ccxt.InvalidOrder) as refused:
            await exchange.create_order_ws("BTC/USDT", "limit", "buy", 0.001, 1)
        placed = await exchange.create_order_ws("BTC/USDT", "limit", "buy", 0.01, 20000)
        await exchange.cancel_order_ws(placed["id"], "BTC/USDT")
        return str(refused.value), placed["status"]

    why, after = with_ccxt(stage, trade)
    assert "PERCENT_PRICE_BY_SIDE" in why
    assert after == "open"


def test_python_binance_trades_on_the_channel_unmodified(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(stage.ca))

    async def trade() -> tuple[Any, ...]:
        client = AsyncClient(stage.trader.key_id, stage.trader.secret)
        client.ws_api._url = address(stage) + "/ws-api/v3"
        try:
            clock = await client.ws_get_time()
            placed = await client.ws_order_limit_buy(
                symbol="BTCUSDT", quantity="0.01", price="20000.00"
            )
            resting = await client.ws_get_open_orders(symbol="BTCUSDT")
            gone = await client.ws_cancel_order(symbol="BTCUSDT", orderId=placed["orderId"])
            account = await client.ws_get_account()
            with pytest.raises(BinanceAPIException) as refused:
                await client.ws_order_limit_buy(
                    symbol="BTCUSDT", quantity="0.01", price="50000.001"
                )
            return clock, placed, resting, gone, account, refused.value
        finally:
            await client.close_connection()

    clock, placed, resting, gone, account, refused = asyncio.run(trade())
    assert abs(clock["serverTime"] - time.time() * 1000) < 60_000
    assert placed["status"] == "NEW"
    assert [order["orderId"] for order in resting] == [placed["orderId"]]
    assert gone["status"] == "CANCELED"
    assert account["canTrade"] is True
    assert (refused.code, refused.status_code) == (-1013, 400)


def test_a_revoked_key_s_session_places_not_one_order_after_the_call(stage: Stage) -> None:
    created = ringfence(
        "key", "create", "--hmac", "-c", str(stage.state / "ringfence.yaml"), "--account", "carol",
        "--allow", "127.0.0.0/8", "--scope", "trade", "--scope", "read",
    )  # fmt: skip
    key = Key(created["key_id"], created["secret"])
    with channel(stage) as opened:
        logon = ask(opened, signed(key, "session.logon"))
        assert logon["result"]["apiKey"] == key.key_id
        assert ask(opened, plain(2, "order.place", **ORDER))["status"] == 200
        ringfence("key", "revoke", "-c", str(stage.state / "ringfence.yaml"), key.key_id)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                opened.send(plain(3, "order.place", **ORDER))
                assert json.loads(opened.recv(timeout=5))["status"] == 401
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    placed = entries(stage, kind="decision", credential=key.key_id, method="order.place")
    assert [entry["outcome"] for entry in placed].count("permitted") == 1


def test_an_answer_tells_how_the_limits_stand_unless_it_is_not_to(stage: Stage) -> None:
    asked: dict[str, Any] = {"symbol": "BTCUSDT", "limit": 5}
    with channel(stage) as opened:
        first, second = (ask(opened, json.dumps(one)) for one in 2 * [depth(asked)])
        (weight,) = (row for row in first["rateLimits"] if row["rateLimitType"] != "ORDERS")
        assert set(weight) == {"rateLimitType", "interval", "intervalNum", "limit", "count"}
        assert (weight["rateLimitType"], weight["interval"]) == ("REQUEST_WEIGHT", "MINUTE")
        assert weight["limit"] > second["rateLimits"][0]["count"] > weight["count"] > 0
        # Refused by a control, too, and where nobody wants to know, not at all.
        refused = ask(opened, signed(stage.trader, "order.place", symbol="XYZ"))
        assert refused["status"] == 400
        assert isinstance(refused["rateLimits"], list)
        silent = ask(opened, json.dumps(depth(asked | {"returnRateLimits": False})))
        assert silent["status"] == 200
        assert "rateLimits" not in silent


def depth(params: dict[str, Any]) -> dict[str, Any]:
    return {"id": 1, "method": "depth", "params": params}


def test_a_message_that_is_no_json_gets_the_venue_s_parse_error(stage: Stage) -> None:
    with channel(stage) as opened:
        for message in ("{", '{"id":1,"id":2,"method":"time"}', '{"id":[],"method":"time"}'):
            answer = ask(opened, message)
            assert (answer["id"], answer["error"]["code"]) == (None, -1135)
        assert ask(opened, '{"id":9,"method":"time"}')["id"] == 9


def test_a_natively_signed_handshake_is_a_session_from_the_start(
    stage: Stage, tmp_path: Path
) -> None:
    made = ringfence(
        "key", "create", "-c", str(stage.state / "ringfence.yaml"), "--account", "alice",
        "--scope", "read", "--scope", "trade", "--allow", "127.0.0.0/8",
        "--generate-key", str(tmp_path / "bot.pem"), "--require", "native",
    )  # fmt: skip
    key = RingfenceKey.read(made["key_id"], tmp_path / "bot.pem")
    with channel(stage, handshake(key, address(stage) + "/ws-api/v3")) as opened:
        placed = ask(opened, plain(1, "order.place", **ORDER))
        assert placed["status"] == 200
        order_id = str(placed["result"]["orderId"])
        gone = ask(opened, plain(2, "order.cancel", symbol="BTCUSDT", orderId=order_id))
        assert gone["result"]["status"] == "CANCELED"
        name = opened.response.headers["X-Ringfence-Message"] if opened.response else ""
    (opening,) = entries(stage, kind="decision", message=name)
    assert (opening["operation"], opening["proof"], opening["status"]) == (
        "session.logon",
        "native",
        101,
    )
    forged = handshake(key, address(stage) + "/ws-api/v4")
    with pytest.raises(InvalidStatus), channel(stage, forged):
        pass


@pytest.mark.parametrize("name", ["bybit", "okx"])
def test_ccxt_pro_trades_on_other_venues_channels_unmodified(name: str, tmp_path: Path) -> None:
    venue = VENUES[name]

    async def trade(exchange: Any) -> tuple[Any, ...]:
        placed = await exchange.create_order_ws(
            venue.symbol, "limit", "buy", venue.amount, venue.resting
        )
        # ccxt names OKX's instrument by a code that only the venue itself gives out.
        named = {"instId": "BTC-USDT"} if name == "okx" else {}
        with pytest.raises(ccxt.ExchangeError) as refused:
            await exchange.create_order_ws(
                venue.symbol, "limit", "buy", venue.amount, venue.resting * 100
            )
        gone = await exchange.cancel_order_ws(placed["id"], venue.symbol, named)
        return placed, gone, refused.value

    async def run(stage: Stage, key: Key) -> tuple[Any, ...]:
        exchange = client(stage, name, key, ccxt.pro)
        exchange.cafile = str(stage.ca)
        try:
            return await asyncio.wait_for(trade(exchange), 60)
        finally:
            await exchange.close()

    with set_stage(tmp_path / "stage", venue.profile, venue.name) as stage:
        key = stage_key(stage.state, "alice", ["read", "trade"], "127.0.0.0/8")
        placed, gone, refused = asyncio.run(run(stage, key))
        (intent,) = entries(stage, kind="decision", operation="order.cancel")
    assert placed["id"]
    assert gone["id"] == placed["id"]
    assert "price" in str(refused)
    assert (intent["transport"], intent["proof"]) == ("websocket", "session")


def test_an_instrument_s_number_is_judged_as_the_instrument_whose_it_is(tmp_path: Path) -> None:
    """ccxt.pro names OKX's instruments by `instIdCode` alone, where the venue has one."""

    def coded(text: str, _: Path) -> str:
        return text.replace("- symbol: SOL-USDT", "- symbol: SOL-USDT\n      code: 10458")

    async def trade(exchange: Any) -> tuple[Any, ...]:
        placed = await exchange.create_order_ws("SOL/USDT", "limit", "buy", 1, 100)
        moved = await exchange.edit_order_ws(placed["id"], "SOL/USDT", "limit", "buy", 2, 101)
        with pytest.raises(ccxt.ExchangeError) as refused:
            await exchange.create_order_ws("SOL/USDT", "limit", "buy", 1, 9)
        await exchange.cancel_order_ws(placed["id"], "SOL/USDT")
        return placed["id"], moved["id"], refused.value

    async def run(stage: Stage, key: Key) -> tuple[Any, ...]:
        exchange = client(stage, "okx", key, ccxt.pro)
        exchange.cafile = str(stage.ca)
        try:
            return await asyncio.wait_for(trade(exchange), 60)
        finally:
            await exchange.close()

    with set_stage(tmp_path / "stage", "okx-spot", "okx", coded) as stage:
        key = stage_key(stage.state, "alice", ["read", "trade"], "127.0.0.0/8")
        placed, moved, refused = asyncio.run(run(stage, key))
        orders = entries(stage, kind="decision", operation="order.place")
    assert placed == moved
    assert "price" in str(refused)
    assert [one["order"]["symbol"] for one in orders] == ["SOL-USDT"] * 2


def rpc(opened: ClientConnection, number: int, method: str, **params: Any) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    answer = ask(opened, json.dumps(message))
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", number)
    return answer


def test_deribit_s_json_rpc_trades_after_a_client_signature(tmp_path: Path) -> None:
    venue = VENUES["deribit"]
    order = {"instrument_name": "BTC_USDC", "type": "limit", "amount": 0.01}
    with set_stage(tmp_path / "stage", venue.profile, venue.name) as stage:
        key = stage_key(stage.state, "alice", ["read", "trade"], "127.0.0.0/8")
        now = time.time_ns() // 1_000_000
        tag = hmac.new(key.secret.encode(), f"{now}\nn1\n".encode(), hashlib.sha256).hexdigest()
        login = {"client_id": key.key_id, "timestamp": now, "nonce": "n1", "data": ""}
        with channel(stage, path="/ws/api/v2") as opened:
            assert rpc(opened, 1, "private/buy", price=50_000, **order)["error"]["code"] == 13004
            secret = {"client_id": key.key_id, "client_secret": key.secret}
            plain_login = rpc(opened, 2, "public/auth", grant_type="client_credentials", **secret)
            assert plain_login["error"]["code"] == 13004
            logon = rpc(
                opened, 3, "public/auth", grant_type="client_signature", signature=tag, **login
            )
            assert logon["result"]["token_type"] == "bearer"
            placed = rpc(opened, 4, "private/buy", price=50_000, label="ours", **order)
            order_id = placed["result"]["order"]["order_id"]
            resting = rpc(opened, 5, "private/get_open_orders")["result"]
            assert [one["order_id"] for one in resting] == [order_id]
            moved = rpc(opened, 9, "private/edit", order_id=order_id, amount=0.02, price=49_000)
            assert moved["result"]["order"]["price"] == 49_000
            far = rpc(opened, 10, "private/edit", order_id=order_id, amount=0.02, price=1)
            assert far["error"]["code"] == 10011
            unknown = rpc(opened, 11, "private/edit", order_id="BTC_USDC-9", amount=1, price=9)
            assert unknown["error"]["code"] == 10004
            gone = rpc(opened, 6, "private/cancel", order_id=order_id)
            assert gone["result"]["order_state"] == "cancelled"
            assert "error" in rpc(opened, 7, "private/buy", price=50_000.5, **order)
            assert rpc(opened, 8, "public/get_time")["result"] > 0
        written = (stage.state / "ledger").rglob("entries.log")
        assert all(key.secret.encode() not in log.read_bytes() for log in written)
