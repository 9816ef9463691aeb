"""Futures clients hear their accounts by a key of the gateway's own, which no thief can use."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import ccxt.pro
import httpx
import pytest
from binance import AsyncClient, BinanceSocketManager
from websockets.exceptions import ConnectionClosed, InvalidStatus

from demo.attack import Key
from demo.stage import Stage, key, ringfence, running
from ringfence.engine import LedgerReader
from ringfence.venue.server import PaperVenue, VenueConfig, read_attestation_key
from ringfence.venue.shape import now_ms
from tests.integration.desk import PHRASE, SECRET, put
from tests.integration.venues import USDM, client
from tests.integration.websocket import ClientConnection, connect

LISTEN_KEY = "/fapi/v1/listenKey"
CHANNEL = "/ws-fapi/v1"
LOCAL = "127.0.0.0/8"
PATIENCE_S = 20
BUY = (USDM.symbol, "limit", "buy", 0.01, 50_000)


@pytest.fixture
def stage(usdm: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("SSL_CERT_FILE", str(usdm.ca))
    # aiohttp looked when it was imported, before the environment said so.
    trusting = ssl.create_default_context(cafile=usdm.ca)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
    return usdm


def fresh(stage: Stage, allow: str = LOCAL) -> Key:
    """Return another key of the trader's account."""
    account = "desk" if stage.trader is stage.burst else "alice"
    return key(stage.state, account, ["read", "trade"], allow)


def ask(stage: Stage, method: str, who: Key, path: str = LISTEN_KEY, **form: Any) -> httpx.Response:
    """Ask by the key's name alone."""
    trusting = ssl.create_default_context(cafile=stage.ca)
    headers, data = {"X-MBX-APIKEY": who.key_id}, form or None
    with httpx.Client(verify=trusting, base_url=stage.gateway, headers=headers) as http:
        return http.request(method, path, data=data)


def signed(who: Key, **form: Any) -> dict[str, Any]:
    every = form | {"timestamp": time.time_ns() // 1_000_000}
    tag = hmac.new(who.secret.encode(), urlencode(every).encode(), hashlib.sha256)
    return every | {"signature": tag.hexdigest()}


def token_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["listenKey"]
    assert len(token) == 43
    return token


def code_of(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["code"]


@contextmanager
def opened(stage: Stage, target: str) -> Iterator[ClientConnection]:
    trusting = ssl.create_default_context(cafile=stage.ca)
    with connect(stage.streams + target, ssl=trusting) as stream:
        yield stream


def refused(stage: Stage, target: str) -> tuple[int, int]:
    """Return what an opening is refused with."""
    with pytest.raises(InvalidStatus) as refusal, opened(stage, target):
        pass
    response = refusal.value.response
    return response.status_code, json.loads(response.body)["code"]


def heard(stream: ClientConnection) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(stream.recv(timeout=5))
    return event


def is_over(stream: ClientConnection) -> None:
    """See that a stream is closed for want of a good token, and tells nothing more."""
    with pytest.raises(ConnectionClosed) as closed:
        stream.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def entries(stage: Stage, least: int = 1, **wanted: Any) -> list[dict[str, Any]]:
    """Return what the ledger has, once it has as much: readings are written a moment later."""
    deadline = time.monotonic() + 5
    while True:
        read = LedgerReader(stage.state / "ledger", 0).read(100_000)
        every = (json.loads(one) for _, one in read)
        found = [entry for entry in every if wanted.items() <= entry.items()]
        if len(found) >= least or time.monotonic() > deadline:
            return found


def test_ccxt_pro_watches_orders_trades_and_balance_unmodified(stage: Stage) -> None:
    trader = client(stage, "binanceusdm", stage.trader)

    async def after(watching: Awaitable[Any], act: Callable[[], Any]) -> tuple[Any, Any]:
        task = asyncio.ensure_future(watching)
        await asyncio.sleep(1)  # the stream is being opened
        done = await asyncio.to_thread(act)
        return copy.deepcopy(await asyncio.wait_for(task, PATIENCE_S)), done

    async def watch() -> tuple[Any, ...]:
        exchange = client(stage, "binanceusdm", stage.trader, ccxt.pro)
        exchange.cafile = str(stage.ca)
        try:
            await exchange.load_markets()
            orders, made = await after(
                exchange.watch_orders(USDM.symbol), lambda: trader.create_order(*BUY)
            )
            gone, _ = await after(
                exchange.watch_orders(USDM.symbol),
                lambda: trader.cancel_order(made["id"], USDM.symbol),
            )

            def buy() -> Any:
                return trader.create_order(USDM.symbol, "market", "buy", 0.01)

            trades, bought = await after(exchange.watch_my_trades(USDM.symbol), buy)
            balance, _ = await after(exchange.watch_balance(), buy)
            return orders, made, gone, trades, bought, balance
        finally:
            await exchange.close()

    orders, made, gone, trades, bought, balance = asyncio.run(watch())
    assert (orders[-1]["id"], orders[-1]["status"]) == (made["id"], "open")
    assert (gone[-1]["id"], gone[-1]["status"]) == (made["id"], "canceled")
    assert {trade["order"] for trade in trades} == {bought["id"]}
    assert balance["USDT"]["total"] > 0
    opening = entries(stage, path="/private/ws", credential=stage.trader.key_id)[-1]
    assert (opening["operation"], opening["proof"], opening["status"]) == (
        "stream.open", "name", 101,
    )  # fmt: skip


def test_python_binance_hears_its_futures_user_socket_unmodified(stage: Stage) -> None:
    async def listen() -> tuple[Any, list[Any], bool]:
        bot = AsyncClient(stage.trader.key_id, stage.trader.secret)
        bot.FUTURES_URL = stage.gateway + "/fapi"
        bot.ws_future._url = stage.streams + CHANNEL
        manager = BinanceSocketManager(bot)
        manager.FSTREAM_URL = stage.streams + "/"
        order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "type": "LIMIT"}
        try:
            async with manager.futures_user_socket() as stream:
                stream.TIMEOUT = bot.ws_future.TIMEOUT = (
                    1  # it looks no sooner whether it is to end
                )
                # As it does every five minutes; another key would have it connect again.
                same = await bot.futures_stream_get_listen_key() == stream._listen_key
                await bot.futures_stream_keepalive(stream._listen_key)
                placed = await bot.ws_futures_create_order(
                    **order, price="50000", timeInForce="GTC"
                )
                got = [await asyncio.wait_for(stream.recv(), PATIENCE_S) for _ in range(2)]
                await bot.ws_futures_cancel_order(symbol="BTCUSDT", orderId=placed["orderId"])
                got += [await asyncio.wait_for(stream.recv(), PATIENCE_S) for _ in range(2)]
            await bot.futures_stream_close(stream._listen_key)
            return placed, got, same
        finally:
            await bot.ws_future.close()
            await bot.close_connection()

    placed, got, same = asyncio.run(listen())
    assert same
    assert [event["e"] for event in got] == ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"] * 2
    assert [(event["o"]["i"], event["o"]["x"]) for event in got[::2]] == [
        (placed["orderId"], "NEW"),
        (placed["orderId"], "CANCELED"),
    ]


def test_a_key_has_one_token_which_is_prolonged_and_ended(stage: Stage) -> None:
    who = fresh(stage)
    assert code_of(ask(stage, "PUT", who)) == (400, -1125)
    token = token_of(ask(stage, "POST", who))
    assert token_of(ask(stage, "POST", who)) == token
    assert token_of(ask(stage, "PUT", who)) == token
    assert token_of(ask(stage, "PUT", who, listenKey=token)) == token
    with opened(stage, f"/ws/{token}") as one, opened(stage, f"/private/ws/{token}") as two:
        assert ask(stage, "DELETE", who, listenKey=token).json() == {}
        is_over(one)
        is_over(two)
    assert refused(stage, f"/ws/{token}") == (400, -1125)
    for method in ("PUT", "DELETE"):
        assert code_of(ask(stage, method, who)) == (400, -1125)
    assert token_of(ask(stage, "POST", who)) != token


def test_what_is_no_good_token_opens_nothing(stage: Stage) -> None:
    token = token_of(ask(stage, "POST", fresh(stage)))
    for wrong in (token[:-1], token.swapcase(), "0" * 64):
        for target in (f"/ws/{wrong}", f"/private/ws/{wrong}", f"/private/ws?listenKey={wrong}"):
            assert refused(stage, target) == (400, -1125), target
    assert refused(stage, "/private/ws?listenKey=btcusdt") == (400, -1125)
    assert refused(stage, "/private/ws/btcusdt") == (404, -1020)
    assert refused(stage, "/private/ws") == (401, -2014)
    twice = f"/private/ws?listenKey={token}&listenKey={token}"
    assert refused(stage, twice) == (400, -1101)
    # A market stream's name is none, and no token is a market stream's.
    with opened(stage, "/ws/btcusdt@bookTicker") as market:
        assert heard(market)["s"] == "BTCUSDT"


def test_another_s_token_is_neither_prolonged_nor_ended(stage: Stage) -> None:
    mine, other = fresh(stage), fresh(stage)
    token, foreign = (token_of(ask(stage, "POST", who)) for who in (mine, other))
    assert foreign != token
    for method in ("PUT", "DELETE"):
        assert code_of(ask(stage, method, mine, listenKey=foreign)) == (400, -1125)
    with opened(stage, f"/ws/{foreign}"):
        assert token_of(ask(stage, "PUT", other)) == foreign


def test_a_name_without_an_address_that_it_is_bound_to_proves_nothing(stage: Stage) -> None:
    anywhere, elsewhere = fresh(stage, "any"), fresh(stage, "203.0.113.0/24")
    for method in ("POST", "PUT", "DELETE"):
        answer = ask(stage, method, anywhere)
        assert code_of(answer) == (401, -1002)
        assert "bind it, or log on to the WebSocket API" in answer.json()["msg"]
        assert code_of(ask(stage, method, elsewhere)) == (403, -1002)
    (claimed,) = entries(stage, claimed=elsewhere.key_id, method="POST")
    assert "credential" not in claimed
    assert claimed["controls"]["identity"] == "refused:address_not_allowed"
    # Signed, it is anybody's who has the secret.
    token = token_of(ask(stage, "POST", anywhere, **signed(anywhere)))
    with opened(stage, f"/ws/{token}"):
        pass


def test_a_name_does_nothing_but_open_streams(stage: Stage) -> None:
    who = fresh(stage)
    for method, path in (
        ("GET", "/fapi/v2/balance"),
        ("GET", "/fapi/v1/openOrders"),
        ("POST", "/fapi/v1/order"),
        ("DELETE", "/fapi/v1/allOpenOrders"),
    ):
        assert code_of(ask(stage, method, who, path)) == (400, -1022), path
    token = token_of(ask(stage, "POST", who))
    trusting = ssl.create_default_context(cafile=stage.ca)
    with httpx.Client(verify=trusting, headers={"authorization": f"Bearer {token}"}) as bearer:
        answer = bearer.get(stage.gateway + "/fapi/v2/balance")
        assert code_of(answer) == (401, -2014)


@pytest.mark.parametrize("act", ["revoke", "suspend"])
def test_a_key_out_of_use_hears_nothing_more_and_its_token_does_not_come_back(
    stage: Stage, act: str
) -> None:
    who, config = fresh(stage), str(stage.state / "ringfence.yaml")
    trader = client(stage, "binanceusdm", stage.trader)
    token = token_of(ask(stage, "POST", who))
    with opened(stage, f"/ws/{token}") as stream:
        made = trader.create_order(*BUY)
        assert heard(stream)["o"]["i"] == int(made["id"])
        assert heard(stream)["e"] == "ACCOUNT_UPDATE"
        ringfence("key", act, "-c", config, who.key_id)
        trader.cancel_order(made["id"], USDM.symbol)
        is_over(stream)
    assert refused(stage, f"/ws/{token}") == (400, -1125)
    if act == "suspend":
        ringfence("key", "resume", "-c", config, who.key_id)
        assert refused(stage, f"/ws/{token}") == (400, -1125)
        assert token_of(ask(stage, "POST", who)) != token


def test_a_client_says_nothing_on_its_own_stream(stage: Stage) -> None:
    token = token_of(ask(stage, "POST", fresh(stage)))
    with opened(stage, f"/ws/{token}") as stream:
        stream.ping().wait(5)
        stream.send('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}')
        is_over(stream)


def test_the_channel_gives_the_same_token_by_name_and_to_who_has_logged_on(stage: Stage) -> None:
    who, anywhere = fresh(stage), fresh(stage, "any")
    token = token_of(ask(stage, "POST", who))

    def say(stream: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
        stream.send(json.dumps({"id": 3, "method": method, "params": params}))
        answer = heard(stream)
        assert answer["id"] == 3
        return answer

    with opened(stage, CHANNEL) as stream:
        for method in ("start", "ping"):
            answer = say(stream, f"userDataStream.{method}", apiKey=who.key_id)
            assert answer["result"] == {"listenKey": token}
        assert say(stream, "userDataStream.stop", apiKey=who.key_id)["result"] == {}
        assert say(stream, "userDataStream.ping", apiKey=who.key_id)["error"]["code"] == -1125
        assert say(stream, "userDataStream.start", apiKey=anywhere.key_id)["status"] == 401
        assert say(stream, "userDataStream.start")["error"]["code"] == -2014
        # Nothing else is done by a name.
        assert say(stream, "account.balance", apiKey=who.key_id)["error"]["code"] == -1022
        logon = sorted({"apiKey": anywhere.key_id, "timestamp": time.time_ns() // 10**6}.items())
        tag = hmac.new(anywhere.secret.encode(), urlencode(logon).encode(), hashlib.sha256)
        assert (
            say(stream, "session.logon", **dict(logon), signature=tag.hexdigest())["status"] == 200
        )
        for params in ({}, {"apiKey": anywhere.key_id}):
            given = say(stream, "userDataStream.start", **params)["result"]["listenKey"]
        with opened(stage, f"/private/ws?listenKey={given}&events=ORDER_TRADE_UPDATE"):
            pass


def test_no_token_stands_in_the_ledger_or_the_log(stage: Stage) -> None:
    who = fresh(stage)
    token = token_of(ask(stage, "POST", who))
    for target in (f"/ws/{token}", f"/private/ws/{token}", f"/private/ws?listenKey={token}"):
        with opened(stage, target):
            pass
    assert refused(stage, f"/nowhere/{token}") == (404, -1020)
    ask(stage, "DELETE", who, listenKey=token)
    opens = entries(stage, 3, credential=who.key_id, method="GET")
    assert [entry["path"] for entry in opens] == ["/ws/*", "/private/ws/*", "/private/ws"]
    files = [*(stage.state / "ledger").rglob("*"), *stage.state.parent.glob("*.log")]
    written = [file.read_bytes() for file in files if file.is_file()]
    assert len(written) > 3
    assert not any(token.encode() in text for text in written)


@contextmanager
def watched(folder: Path) -> Iterator[tuple[PaperVenue, Stage]]:
    """Yield a venue that can be looked into, and a gateway without TLS in front of it."""
    venue, state = PaperVenue(VenueConfig(venue=USDM.name)), folder / "state"
    ringfence(
        "init", "--profile", USDM.profile, "--plain", "--listen", "127.0.0.1:0",
        "--upstream", venue.url, str(state),
    )  # fmt: skip
    venue.trust(read_attestation_key(state / "keys" / "attestation.key"))
    who = key(state, "alice", ["read", "trade"], LOCAL)
    venue.start()
    try:
        with running(
            folder / "gateway.log", "serve", "-c", str(state / "ringfence.yaml")
        ) as gateway:
            address = gateway["addresses"][0]
            plain = f"http://{address}"
            yield venue, Stage(plain, Path(), state, who, who, who, f"ws://{address}")
    finally:
        venue.stop()


def test_the_venue_s_own_key_stays_in_the_gateway(tmp_path: Path) -> None:
    with watched(tmp_path) as (venue, stage):
        headers = {"X-MBX-APIKEY": stage.trader.key_id}
        told: list[str] = []
        with httpx.Client(base_url=stage.gateway, headers=headers) as http:
            given = http.post(LISTEN_KEY)
            token = token_of(given)
            own = venue.exchange.listen_keys.begin("alice", now_ms())
            told += [given.text, str(given.headers), http.put(LISTEN_KEY).text]
            with connect(f"{stage.streams}/private/ws?listenKey={token}") as stream:
                venue.exchange.listen_keys.begin("alice", now_ms()).until_ms = now_ms()
                told.append(str(stream.recv(timeout=5)))
                assert http.put(LISTEN_KEY).json()["code"] == -1125
                next_token = token_of(http.post(LISTEN_KEY))
                assert next_token != token
                is_over(stream)
            kept = venue.exchange.listen_keys.begin("alice", now_ms())
            assert http.delete(LISTEN_KEY).json() == {}
        expired = json.loads(told[-1])
        assert (expired["e"], expired["listenKey"]) == ("listenKeyExpired", token)
        assert not any(own.text in text for text in told)
        # What ends here goes on there: it may be another program's, too.
        assert now_ms() < kept.until_ms
        assert {one.method for one in venue.received if one.target == LISTEN_KEY} == {"POST", "PUT"}
        written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
        assert not any(secret.text.encode() in text for text in written for secret in (own, kept))


@pytest.mark.parametrize("usdm", ["egress"], indirect=True)
def test_another_venue_key_ends_what_the_last_one_opened(stage: Stage, tmp_path: Path) -> None:
    token, config = token_of(ask(stage, "POST", stage.trader)), stage.state / "ringfence.yaml"
    phrase = tmp_path / "phrase"
    phrase.write_text(PHRASE)
    with opened(stage, f"/ws/{token}") as stream:
        put(config, USDM.name, "x" * 64, phrase)
        is_over(stream)
    put(config, USDM.name, SECRET, phrase)
    assert refused(stage, f"/ws/{token}") == (400, -1125)
