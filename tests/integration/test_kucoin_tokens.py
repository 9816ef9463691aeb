"""KuCoin's tokens are the gateway's own: the venue's, and where it is, stay with the gateway."""

from __future__ import annotations

import asyncio
import json
import queue
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import ccxt.pro
import httpx
import pytest
from kucoin_universal_sdk.api import DefaultClient
from kucoin_universal_sdk.generate.spot.order import (
    AddOrderReq,
    AddOrderReqBuilder,
    CancelOrderByOrderIdReqBuilder,
)
from kucoin_universal_sdk.model import (
    ClientOptionBuilder,
    TransportOptionBuilder,
    WebSocketClientOptionBuilder,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus

from demo.attack import Key
from demo.stage import Stage, key, ringfence, set_stage
from ringfence.engine import LedgerReader
from tests.integration.desk import desk_stage
from tests.integration.test_http2 import Tunnel
from tests.integration.venues import VENUES, client
from tests.integration.websocket import ClientConnection, connect

VENUE = VENUES["kucoin"]
PATIENCE_S = 20


@pytest.fixture(scope="module", params=["ingress", "egress"])
def kucoin(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("kucoin")
    ingress = request.param == "ingress"
    built = (
        set_stage(folder / "stage", VENUE.profile, "kucoin")
        if ingress
        else desk_stage(folder, VENUE)
    )
    with built as stage, pytest.MonkeyPatch.context() as patch:
        # The SDK takes no CA: it is among those that requests and websocket-client trust.
        patch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(stage.ca))
        patch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", str(stage.ca))
        yield stage


def fresh(stage: Stage, account: str = "desk", scopes: tuple[str, ...] = ("read", "trade")) -> Key:
    return key(stage.state, account, list(scopes), "127.0.0.0/8")


def bullet(stage: Stage, who: Key) -> dict[str, Any]:
    answer = client(stage, "kucoin", who).private_post_bullet_private()
    data: dict[str, Any] = answer["data"]
    return data


@contextmanager
def opened(stage: Stage, url: str) -> Iterator[ClientConnection]:
    trusting = ssl.create_default_context(cafile=stage.ca)
    with connect(url, ssl=trusting) as connection:
        yield connection


@contextmanager
def private(stage: Stage, token: str) -> Iterator[ClientConnection]:
    url = f"{stage.streams}/endpoint/private?token={token}&connectId=me"
    with opened(stage, url) as connection:
        assert json.loads(connection.recv(timeout=5)) == {"id": "me", "type": "welcome"}
        yield connection


def ask(connection: ClientConnection, kind: str, topic: str | None = None) -> dict[str, Any]:
    said = {"id": 7, "type": kind} | ({"topic": topic} if topic else {})
    said |= {"privateChannel": True, "response": True} if topic else {}
    connection.send(json.dumps(said))
    while (answer := json.loads(connection.recv(timeout=5))).get("id") != 7:
        pass
    return dict(answer)


def entries(stage: Stage, count: int, **wanted: str) -> list[dict[str, Any]]:
    """Return the entries that say so, once there are as many: readings are written with answers."""
    until = time.monotonic() + PATIENCE_S
    while True:
        read = LedgerReader(stage.state / "ledger", 0).read(100_000)
        all_of_them = (json.loads(one) for _, one in read)
        found = [entry for entry in all_of_them if wanted.items() <= entry.items()]
        if len(found) >= count or time.monotonic() > until:
            return found
        time.sleep(0.02)


@pytest.mark.parametrize("kucoin", ["egress"], indirect=True)
def test_ccxt_pro_hears_market_and_account_unmodified(kucoin: Stage) -> None:
    trader = client(kucoin, "kucoin", kucoin.trader)

    async def watch() -> tuple[Any, ...]:
        exchange = client(kucoin, "kucoin", kucoin.trader, ccxt.pro)
        exchange.cafile = str(kucoin.ca)
        try:
            await exchange.load_markets()
            ticker = await asyncio.wait_for(exchange.watch_ticker("BTC/USDT"), PATIENCE_S)
            watching = asyncio.gather(exchange.watch_orders(), exchange.watch_balance())
            await asyncio.sleep(1)  # the subscriptions are on their way
            bought = await asyncio.to_thread(
                lambda: trader.create_order("BTC/USDT", "market", "buy", 0.01)
            )
            orders, balance = await asyncio.wait_for(watching, PATIENCE_S)
            return ticker, bought, orders[0], balance, set(exchange.clients)
        finally:
            await exchange.close()

    ticker, bought, order, balance, urls = asyncio.run(watch())
    assert ticker["last"] > 0
    assert order["id"] == bought["id"]
    assert balance["BTC"]["total"] > 0
    # ccxt goes where the answers send it.
    assert {urlsplit(url).netloc for url in urls} == {urlsplit(kucoin.gateway).netloc}
    assert {urlsplit(url).path for url in urls} == {"/endpoint/private", "/endpoint/public"}


@pytest.mark.parametrize("kucoin", ["ingress"], indirect=True)
def test_ccxt_pro_whose_token_is_over_asks_for_another(kucoin: Stage) -> None:
    trader = client(kucoin, "kucoin", kucoin.trader)

    async def watch() -> tuple[list[str], Any, Any]:
        exchange = client(kucoin, "kucoin", kucoin.trader, ccxt.pro)
        exchange.cafile = str(kucoin.ca)
        said: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, what: said.append(str(what.get("exception")))
        )
        try:
            await exchange.load_markets()
            url = await exchange.negotiate(True)
            over = url.replace(url.partition("token=")[2][:43], "x" * 43)
            kept = asyncio.get_running_loop().create_future()
            kept.set_result(over)
            exchange.options["urls"]["private"] = kept
            with pytest.raises((ccxt.NetworkError, ConnectionError)):
                await asyncio.wait_for(exchange.watch_orders(), PATIENCE_S)
            watching = asyncio.ensure_future(exchange.watch_orders())
            await asyncio.sleep(1)  # the subscription is on its way
            bought = await asyncio.to_thread(
                lambda: trader.create_order("BTC/USDT", "market", "buy", 0.01)
            )
            return said, bought, (await asyncio.wait_for(watching, PATIENCE_S))[0]
        finally:
            await exchange.close()

    said, bought, order = asyncio.run(watch())
    assert said == ["kucoin token is expired"]
    assert order["id"] == bought["id"]


def test_the_venue_s_sdk_trades_and_hears_unmodified(kucoin: Stage) -> None:
    who = kucoin.trader
    option = ClientOptionBuilder().set_key(who.key_id).set_secret(who.secret).set_passphrase("any")
    option.set_spot_endpoint(kucoin.gateway).set_transport_option(TransportOptionBuilder().build())
    option.set_websocket_client_option(WebSocketClientOptionBuilder().build())
    sdk = DefaultClient(option.build())
    heard: queue.Queue[tuple[str, Any]] = queue.Queue()
    mine = sdk.ws_service().new_spot_private_ws()
    mine.start()
    try:
        mine.order_v2(lambda topic, _, data: heard.put((topic, data)))
        mine.account(lambda topic, _, data: heard.put((topic, data)))
        api = sdk.rest_service().get_spot_service().get_order_api()
        request = AddOrderReqBuilder().set_client_oid("sdk-1").set_symbol("BTC-USDT")
        request.set_side(AddOrderReq.SideEnum.BUY).set_type(AddOrderReq.TypeEnum.LIMIT)
        placed = api.add_order(request.set_price("50000").set_size("0.01").build())
        topic, told = heard.get(timeout=PATIENCE_S)
        assert (topic, told.order_id) == ("/spotMarket/tradeOrdersV2", placed.order_id)
        cancel = CancelOrderByOrderIdReqBuilder().set_order_id(placed.order_id)
        api.cancel_order_by_order_id(cancel.set_symbol("BTC-USDT").build())
        currencies = set()
        while (topic := (told := heard.get(timeout=PATIENCE_S))[0]) == "/account/balance":
            currencies.add(told[1].currency)
        assert currencies >= {"BTC", "USDT"}
        assert (topic, told[1].type.value) == ("/spotMarket/tradeOrdersV2", "canceled")
    finally:
        # Its own reader may notice only after ten seconds.
        threading.Thread(target=mine.stop, daemon=True).start()


def test_the_answer_names_the_gateway_and_neither_ledger_nor_log_the_token(kucoin: Stage) -> None:
    who = fresh(kucoin)
    data = bullet(kucoin, who)
    (server,) = data["instanceServers"]
    assert server["endpoint"] == f"{kucoin.streams}/endpoint/private"
    token = data["token"]
    with private(kucoin, token) as connection:
        assert ask(connection, "ping") == {"id": 7, "type": "pong"}
        assert ask(connection, "subscribe", "/spotMarket/tradeOrders")["type"] == "ack"
        assert ask(connection, "subscribe", "/market/match:BTC-USDT,ETH-USDT")["type"] == "ack"
        for topic in ("/contract/position:XBTUSDM", "/market/match:BTC-USDT,", "/spotMarket"):
            refused = ask(connection, "subscribe", topic)
            assert (refused["type"], refused["code"]) == ("error", 400)
        # Refused, and the channel goes on.
        assert ask(connection, "unsubscribe", "/spotMarket/tradeOrders")["type"] == "ack"
        assert ask(connection, "ping") == {"id": 7, "type": "pong"}
    asked = entries(kucoin, 2, kind="decision", credential=who.key_id, method="subscribe")
    assert [entry["operation"] for entry in asked] == ["account.read", "market.read"]
    mine = {"credential": who.key_id, "path": "/endpoint/private", "method": "GET"}
    (handshake,) = entries(kucoin, 1, **mine)
    assert (handshake["operation"], handshake["status"]) == ("session.logon", 101)
    written = [*(kucoin.state / "ledger").rglob("entries.log"), *kucoin.state.parent.glob("*.log")]
    assert len(written) >= 3
    assert not any(token.encode() in file.read_bytes() for file in written)


def test_a_token_that_is_over_or_another_s_opens_nothing_of_the_account(kucoin: Stage) -> None:
    token = bullet(kucoin, fresh(kucoin))["token"]
    trusting = ssl.create_default_context(cafile=kucoin.ca)
    url = f"{kucoin.gateway}/api/v1/bullet-public"
    public = httpx.post(url, verify=trusting).json()["data"]["token"]
    wrongs = [("private", wrong) for wrong in (public, token[:-1], token.swapcase())]
    for kind, wrong in [*wrongs, ("public", token)]:
        address = f"{kucoin.streams}/endpoint/{kind}?token={wrong}&connectId=me"
        with opened(kucoin, address) as connection:
            told = json.loads(connection.recv(timeout=5))
            assert told == {"id": "me", "type": "error", "code": 401, "data": "token is expired"}
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    address = f"{kucoin.gateway}/endpoint/private?connectId=me"
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    upgrade["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    missing = httpx.get(address, verify=trusting, headers=upgrade)
    assert (missing.status_code, missing.json()["code"]) == (401, "400003")
    # What is nobody's hears nothing of an account on its own stream either.
    with opened(kucoin, f"{kucoin.streams}/endpoint/public?token={public}") as connection:
        assert json.loads(connection.recv(timeout=5))["type"] == "welcome"
        refused = ask(connection, "subscribe", "/account/balance")
        assert (refused["type"], refused["code"]) == ("error", 403)


@pytest.mark.parametrize("kucoin", ["ingress"], indirect=True)
def test_a_handshake_by_http2_shows_its_token_too(kucoin: Stage) -> None:
    token = bullet(kucoin, fresh(kucoin))["token"]
    for kind, shown in [("welcome", token), ("error", token.swapcase())]:
        path = f"/endpoint/private?token={shown}&connectId=me"
        with Tunnel(kucoin, path) as tunnel:
            assert tunnel.status == "200"
            told = json.loads(bytes(tunnel.frame().data))
            assert (told["id"], told["type"]) == ("me", kind)


def test_a_revocation_ends_the_stream_and_the_token(kucoin: Stage) -> None:
    who = fresh(kucoin)
    token = bullet(kucoin, who)["token"]
    with private(kucoin, token) as connection:
        assert ask(connection, "subscribe", "/account/balance")["type"] == "ack"
        ringfence("key", "revoke", "-c", str(kucoin.state / "ringfence.yaml"), who.key_id)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                connection.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    with pytest.raises(InvalidStatus, match="HTTP 401"), private(kucoin, token):
        pass


def test_a_key_without_the_scope_has_no_token_for_the_account(kucoin: Stage) -> None:
    who = fresh(kucoin, scopes=("trade",))
    token = bullet(kucoin, who)["token"]
    with private(kucoin, token) as connection:
        refused = ask(connection, "subscribe", "/account/balance")
        assert (refused["type"], refused["code"]) == ("error", 403)
        assert "scope" in refused["data"]
