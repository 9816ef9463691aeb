"""USD-M futures: unmodified clients trade by request and on the channel, both ways round."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
from binance import AsyncClient, Client
from binance.exceptions import BinanceAPIException

from demo.attack import Key
from demo.stage import Stage, ringfence
from ringfence.engine import LedgerReader
from tests.integration.venues import USDM, client
from tests.integration.websocket import ClientConnection, connect

PATH = "/ws-fapi/v1"


@pytest.fixture
def stage(usdm: Stage) -> Stage:
    return usdm


def with_ccxt(stage: Stage, use: Callable[[Any], Awaitable[Any]], key: Key | None = None) -> Any:
    async def run() -> Any:
        exchange = client(stage, "binanceusdm", key or stage.trader, ccxt.pro)
        exchange.cafile = str(stage.ca)
        try:
            return await asyncio.wait_for(use(exchange), 60)
        finally:
            await exchange.close()

    return asyncio.run(run())


def entries(stage: Stage, **wanted: str) -> list[dict[str, Any]]:
    read = LedgerReader(stage.state / "ledger", 0).read(100_000)
    found = (json.loads(one) for _, one in read)
    return [entry for entry in found if wanted.items() <= entry.items()]


def test_ccxt_trades_by_request(stage: Stage) -> None:
    exchange = client(stage, "binanceusdm", stage.trader)
    placed = exchange.create_order(USDM.symbol, "limit", "buy", 0.01, 50_000)
    moved = exchange.edit_order(placed["id"], USDM.symbol, "limit", "buy", 0.02, 50_001)
    assert (moved["id"], moved["price"], moved["amount"]) == (placed["id"], 50_001, 0.02)
    assert [order["id"] for order in exchange.fetch_open_orders(USDM.symbol)] == [placed["id"]]
    assert exchange.cancel_order(placed["id"], USDM.symbol)["status"] == "canceled"
    with pytest.raises(ccxt.InvalidOrder):
        exchange.create_order(USDM.symbol, "limit", "buy", 0.01, 1)
    assert exchange.fetch_balance()["USDT"]["total"] > 0


def test_ccxt_pro_trades_on_the_channel_unmodified(stage: Stage) -> None:
    async def trade(exchange: Any) -> tuple[Any, ...]:
        placed = await exchange.create_order_ws(
            USDM.symbol, "limit", "buy", 0.01, 50_000, {"clientOrderId": "ours-1"}
        )
        seen = await exchange.fetch_order_ws(placed["id"], USDM.symbol)
        moved = await exchange.edit_order_ws(
            placed["id"], USDM.symbol, "limit", "buy", 0.02, 50_001
        )
        gone = await exchange.cancel_order_ws(placed["id"], USDM.symbol)
        filled = await exchange.create_order_ws(USDM.symbol, "market", "buy", 0.01)
        held = await exchange.fetch_positions_ws([USDM.symbol])
        balance = await exchange.fetch_balance_ws({"method": "v2/account.balance"})
        book = await exchange.fetch_order_book_ws(USDM.symbol, 5)
        with pytest.raises(ccxt.BadRequest) as refused:
            await exchange.create_order_ws(USDM.symbol, "limit", "buy", 0.01, 1)
        return placed, seen, moved, gone, filled, held, balance, book, str(refused.value)

    placed, seen, moved, gone, filled, held, balance, book, why = with_ccxt(stage, trade)
    assert (placed["status"], placed["clientOrderId"]) == ("open", "ours-1")
    assert (seen["id"], seen["price"]) == (placed["id"], 50_000)
    assert (moved["id"], moved["price"], moved["amount"]) == (placed["id"], 50_001, 0.02)
    assert gone["status"] == "canceled"
    assert filled["status"] == "closed"
    assert held[0]["contracts"] >= 0.01
    assert balance["USDT"]["free"] > 0
    assert len(book["bids"]) == 5
    assert "PRICE_FILTER" in why
    intent = entries(stage, kind="decision", method="order.modify")[-1]
    assert (intent["transport"], intent["path"]) == ("websocket", PATH)
    assert (intent["route"], intent["operation"]) == ("PUT /fapi/v1/order", "order.amend")
    (outcome,) = entries(stage, kind="outcome", message=intent["message"])
    assert outcome["result"] == "answered"


def test_ccxt_places_and_cancels_conditional_orders_by_request_and_on_the_channel(
    stage: Stage,
) -> None:
    stop = {"triggerPrice": 60_000}

    async def trade(exchange: Any) -> tuple[Any, ...]:
        placed = await exchange.create_order_ws(USDM.symbol, "limit", "buy", 0.01, 61_000, stop)
        gone = await exchange.cancel_order_ws(placed["id"], USDM.symbol, {"trigger": True})
        with pytest.raises(ccxt.BaseError) as far:
            wrong = {"triggerPrice": 9_000_000}
            await exchange.create_order_ws(USDM.symbol, "limit", "buy", 0.01, 61_000, wrong)
        with pytest.raises(ccxt.BaseError) as much:
            await exchange.create_order_ws(USDM.symbol, "market", "buy", 5_000, None, stop)
        return placed, gone, str(far.value), str(much.value)

    placed, gone, far, much = with_ccxt(stage, trade)
    assert placed["id"] == gone["id"]
    assert ("PRICE_FILTER" in far, "LOT_SIZE" in much) == (True, True)
    intent = entries(stage, kind="decision", method="algoOrder.place")[0]
    assert (intent["route"], intent["operation"]) == ("POST /fapi/v1/algoOrder", "order.place")
    seen = intent["order"]
    assert (seen["type"], seen["price"], seen["stop_price"]) == ("STOP", "61000", "60000")
    assert seen["client_order_id"]
    (outcome,) = entries(stage, kind="outcome", message=intent["message"])
    assert outcome["order"]["venue_order_id"] == placed["id"]
    exchange = client(stage, "binanceusdm", stage.trader)
    waiting = exchange.create_order(USDM.symbol, "market", "sell", 0.01, None, stop)
    trigger = {"trigger": True}
    assert [o["id"] for o in exchange.fetch_open_orders(USDM.symbol, params=trigger)] == [
        waiting["id"]
    ]
    exchange.cancel_order(waiting["id"], USDM.symbol, trigger)
    assert exchange.fetch_open_orders(USDM.symbol, params=trigger) == []


def test_ccxt_trails_the_market_by_request_and_on_the_channel(stage: Stage) -> None:
    trail = {"trailingPercent": 1.5, "trailingTriggerPrice": 61_000, "reduceOnly": True}

    async def trade(exchange: Any) -> tuple[Any, ...]:
        placed = await exchange.create_order_ws(USDM.symbol, "market", "sell", 0.01, None, trail)
        gone = await exchange.cancel_order_ws(placed["id"], USDM.symbol, {"trigger": True})
        with pytest.raises(ccxt.BaseError) as far:
            wrong = trail | {"trailingTriggerPrice": 9_000_000}
            await exchange.create_order_ws(USDM.symbol, "market", "sell", 0.01, None, wrong)
        with pytest.raises(ccxt.BaseError) as much:
            await exchange.create_order_ws(USDM.symbol, "market", "sell", 900, None, trail)
        return placed, gone, str(far.value), str(much.value)

    placed, gone, far, much = with_ccxt(stage, trade)
    assert placed["id"] == gone["id"]
    assert "PRICE_FILTER" in far
    # As much as a market order is worth at the band's end.
    assert "notional" in much
    intents = [e["order"] for e in entries(stage, kind="decision", method="algoOrder.place")]
    (seen,) = (
        o
        for o in intents
        if o.get("trail") and o.get("stop_price") == "61000" and o["quantity"] == "0.01"
    )
    assert (seen["type"], seen["trail"]) == ("TRAILING_STOP_MARKET", "1.5")
    exchange = client(stage, "binanceusdm", stage.trader)
    at_once = {"trailingPercent": 0.5}
    waiting = exchange.create_order(USDM.symbol, "market", "buy", 0.01, None, at_once)
    assert waiting["info"]["callbackRate"] == "0.5"
    exchange.cancel_order(waiting["id"], USDM.symbol, {"trigger": True})


def test_ccxt_closes_the_position_where_that_is_allowed(stage: Stage) -> None:
    closing = {"triggerPrice": 40_000, "closePosition": True}

    async def trade(exchange: Any) -> tuple[Any, ...]:
        placed = await exchange.create_order_ws(USDM.symbol, "market", "sell", None, None, closing)
        await exchange.cancel_order_ws(placed["id"], USDM.symbol, {"trigger": True})
        with pytest.raises(ccxt.BadRequest) as other:
            low = closing | {"triggerPrice": 2_000}
            await exchange.create_order_ws("ETH/USDT:USDT", "market", "sell", None, None, low)
        return placed, str(other.value)

    _placed, other = with_ccxt(stage, trade)
    assert "whole_position" in other
    exchange = client(stage, "binanceusdm", stage.trader)
    loss = {"stopLossPrice": 40_000, "closePosition": True}
    waiting = exchange.create_order(USDM.symbol, "market", "sell", None, None, loss)
    assert (waiting["info"]["closePosition"], waiting["type"]) == (True, "market")
    exchange.cancel_order(waiting["id"], USDM.symbol, {"trigger": True})
    placing = entries(stage, kind="decision", operation="order.place")
    closed = [e for e in placing if e["order"].get("whole_position")]
    refused = [(e["order"]["symbol"], (e.get("refusal") or {}).get("code")) for e in closed]
    assert set(refused) == {("BTCUSDT", None), ("ETHUSDT", "quantity_unbounded")}


def test_python_binance_trails_and_closes_by_request_and_on_the_channel(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(stage.ca))
    both = {"symbol": "BTCUSDT", "side": "SELL"}
    trailing = {**both, "type": "TRAILING_STOP_MARKET", "quantity": "0.01", "callbackRate": "1"}
    closing = {**both, "type": "STOP_MARKET", "stopPrice": "40000"}

    async def trade() -> list[dict[str, Any]]:
        bot = AsyncClient(stage.trader.key_id, stage.trader.secret)
        bot.ws_future._url = stage.streams + PATH
        bot.ws_future.TIMEOUT = 3  # it looks no sooner whether it is to end
        try:
            trails = await bot.ws_futures_create_order(**trailing, activatePrice="61000")
            closes = await bot.ws_futures_create_order(**closing, closePosition="true")
            for one in (trails, closes):
                await bot.ws_futures_cancel_order(symbol="BTCUSDT", algoId=one["algoId"])
            return [trails, closes]
        finally:
            await bot.ws_future.close()
            await bot.close_connection()

    bot = Client(
        stage.trader.key_id,
        stage.trader.secret,
        requests_params={"verify": str(stage.ca)},
        ping=False,
    )
    bot.FUTURES_URL = stage.gateway + "/fapi"
    placed = asyncio.run(trade())
    asked: list[dict[str, Any]] = [trailing]
    asked += [{**closing, "closePosition": "true"}, {**closing, "closePosition": True}]
    placed += [bot.futures_create_order(**one) for one in asked]
    assert [one["callbackRate"] for one in placed] == ["1", "", "1", "", ""]
    assert [one["closePosition"] for one in placed] == [False, True, False, True, True]
    bot.futures_cancel_all_algo_open_orders(symbol="BTCUSDT")
    with pytest.raises(BinanceAPIException) as two:
        bot.futures_create_order(**closing, closePosition="true", quantity="0.01")
    assert two.value.code == -1013


def test_python_binance_trades_on_the_channel_unmodified(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(stage.ca))
    symbol = "BTCUSDT"

    async def trade() -> tuple[Any, ...]:
        bot = AsyncClient(stage.trader.key_id, stage.trader.secret)
        bot.ws_future._url = stage.streams + PATH
        bot.ws_future.TIMEOUT = 3  # it looks no sooner whether it is to end
        order = {"symbol": symbol, "side": "BUY", "quantity": "0.01", "type": "LIMIT"}
        try:
            placed = await bot.ws_futures_create_order(**order, price="50000", timeInForce="GTC")
            number = placed["orderId"]
            del order["type"]
            moved = await bot.ws_futures_edit_order(**order, orderId=number, price="50001")
            seen = await bot.ws_futures_get_order(symbol=symbol, orderId=number)
            status = await bot.ws_futures_v2_account_status()
            # Not at once: within a millisecond it would be signed as the question was.
            gone = await bot.ws_futures_cancel_order(symbol=symbol, orderId=number)
            balance = await bot.ws_futures_account_balance()
            await bot.ws_futures_account_position(symbol=symbol)
            best = await bot.ws_futures_get_order_book_ticker(symbol=symbol)
            with pytest.raises(BinanceAPIException) as refused:
                await bot.ws_futures_edit_order(**order, orderId=number, price="50000.01")
            # Conditional orders have a method of their own.
            stop = {"type": "STOP_MARKET", "timeInForce": "GTC"}
            waiting = await bot.ws_futures_create_order(**order, **stop, stopPrice="60000")
            over = await bot.ws_futures_cancel_order(symbol=symbol, algoId=waiting["algoId"])
            assert (waiting["algoStatus"], over["algoId"]) == ("NEW", waiting["algoId"])
            with pytest.raises(BinanceAPIException) as far:
                await bot.ws_futures_create_order(**order, **stop, stopPrice="60000.01")
            return placed, moved, seen, gone, status, balance, best, refused.value, far.value
        finally:
            await bot.ws_future.close()
            await bot.close_connection()

    placed, moved, seen, gone, status, balance, best, refused, far = asyncio.run(trade())
    assert placed["status"] == "NEW"
    assert (moved["orderId"], float(moved["price"])) == (placed["orderId"], 50_001)
    assert float(seen["price"]) == 50_001
    assert gone["status"] == "CANCELED"
    assert status["assets"][0]["asset"] == balance[0]["asset"] == "USDT"
    assert float(best["bidPrice"]) > 0
    assert (refused.code, refused.status_code) == (-1013, 400)
    assert far.code == -1013


PAIRS = ("ed25519", "rsa-pkcs1-sha256")


def pair(stage: Stage, algorithm: str, folder: Path) -> Key:
    """Return a new key of the trader's account whose secret is a private key in PEM."""
    account = "desk" if stage.trader is stage.burst else "alice"
    made = ringfence(
        "key", "create", "--algorithm", algorithm, "--generate-key", str(folder / "key.pem"),
        "-c", str(stage.state / "ringfence.yaml"), "--account", account,
        "--allow", "127.0.0.0/8", "--scope", "read", "--scope", "trade",
    )  # fmt: skip
    return Key(made["key_id"], (folder / "key.pem").read_text())


@pytest.mark.parametrize("algorithm", PAIRS)
def test_ccxt_pro_trades_on_the_channel_with_a_private_key(
    stage: Stage, tmp_path: Path, algorithm: str
) -> None:
    async def trade(exchange: Any) -> tuple[Any, ...]:
        placed = await exchange.create_order_ws(USDM.symbol, "limit", "buy", 0.01, 50_000)
        return placed, await exchange.cancel_order_ws(placed["id"], USDM.symbol)

    placed, gone = with_ccxt(stage, trade, pair(stage, algorithm, tmp_path))
    assert (placed["status"], gone["status"]) == ("open", "canceled")


@pytest.mark.parametrize("algorithm", PAIRS)
def test_python_binance_escapes_what_a_private_key_signs_on_the_channel_and_is_told(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(stage.ca))
    own = pair(stage, algorithm, tmp_path)

    async def ask() -> None:
        bot = AsyncClient(own.key_id, private_key=own.secret)
        bot.ws_future._url = stage.streams + PATH
        bot.ws_future.TIMEOUT = 3
        try:
            await bot.ws_futures_v2_account_status()
        finally:
            await bot.ws_future.close()
            await bot.close_connection()

    with pytest.raises(BinanceAPIException, match="check how it is encoded") as refused:
        asyncio.run(ask())
    assert refused.value.code == -1022


def signed(stage: Stage, method: str, **params: str) -> str:
    every = {**params, "apiKey": stage.trader.key_id, "timestamp": time.time_ns() // 1_000_000}
    text = "&".join(f"{name}={value}" for name, value in sorted(every.items()))
    tag = hmac.new(stage.trader.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return json.dumps({"id": 1, "method": method, "params": {**every, "signature": tag}})


def test_a_logon_is_a_session_until_its_logout(stage: Stage) -> None:
    def ask(opened: ClientConnection, message: str) -> dict[str, Any]:
        opened.send(message)
        answer: dict[str, Any] = json.loads(opened.recv(timeout=5))
        return answer

    def plain(method: str) -> str:
        params = {"timestamp": time.time_ns() // 1_000_000}
        return json.dumps({"id": "a", "method": method, "params": params})

    trusting = ssl.create_default_context(cafile=stage.ca)
    with connect(stage.streams + PATH, ssl=trusting) as opened:
        assert ask(opened, plain("account.balance"))["error"]["code"] == -2014
        logon = ask(opened, signed(stage, "session.logon"))["result"]
        assert logon["apiKey"] == stage.trader.key_id
        assert "userDataStream" not in logon
        assert ask(opened, plain("account.balance"))["result"][0]["asset"] == "USDT"
        status = ask(opened, '{"id":2,"method":"session.status"}')["result"]
        assert status["apiKey"] == stage.trader.key_id
        assert ask(opened, '{"id":3,"method":"session.logout"}')["result"]["apiKey"] is None
        assert ask(opened, plain("account.balance"))["error"]["code"] == -2014
