"""Kraken's trading channel: a token of the gateway's own says who acts by each message."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ccxt.pro
import httpx
import pytest
from kraken.spot import SpotWSClient, User
from websockets.exceptions import ConnectionClosed

from demo.attack import Key
from demo.stage import Stage, key, ringfence, set_stage
from ringfence.engine import LedgerReader
from tests.integration.venues import VENUES, client
from tests.integration.websocket import ClientConnection, connect

ORDER: dict[str, Any] = {
    "order_type": "limit", "side": "buy", "limit_price": 50000.1, "order_qty": 0.01,
    "symbol": "BTC/USDT",
}  # fmt: skip


@pytest.fixture(scope="module")
def kraken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    venue = VENUES["kraken"]
    folder = tmp_path_factory.mktemp("kraken") / "stage"
    with set_stage(folder, venue.profile, venue.name) as stage, trusted(stage):
        yield stage


@contextmanager
def trusted(stage: Stage) -> Iterator[None]:
    """Have the venue's SDK trust the stage's CA."""
    with pytest.MonkeyPatch.context() as patch:
        # How their users make aiohttp, websockets and requests trust a CA.
        patch.setenv("SSL_CERT_FILE", str(stage.ca))
        patch.setenv("REQUESTS_CA_BUNDLE", str(stage.ca))
        # aiohttp looked when it was imported, before the environment said so.
        trusting = ssl.create_default_context(cafile=stage.ca)
        patch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
        yield


def fresh(stage: Stage, account: str = "alice", scopes: tuple[str, ...] = ("read", "trade")) -> Key:
    return key(stage.state, account, list(scopes), "127.0.0.0/8")


def minted(stage: Stage, who: Key) -> str:
    user = User(key=who.key_id, secret=who.secret, url=stage.gateway)
    answer = user.request("POST", "/0/private/GetWebSocketsToken")
    assert isinstance(answer, dict)
    assert answer["expires"] == 900
    token: str = answer["token"]
    assert len(token) == 43
    return token


@contextmanager
def channel(stage: Stage) -> Iterator[ClientConnection]:
    trusting = ssl.create_default_context(cafile=stage.ca)
    with connect(stage.gateway.replace("https", "wss") + "/v2", ssl=trusting) as opened:
        yield opened


def ask(opened: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    said = {"method": method, "req_id": 7} | ({"params": params} if params else {})
    opened.send(json.dumps(said))
    answer: dict[str, Any] = json.loads(opened.recv(timeout=5))
    assert answer.get("req_id") == 7, answer
    return answer


def entries(stage: Stage, **wanted: str) -> list[dict[str, Any]]:
    read = LedgerReader(stage.state / "ledger", 0).read(100_000)
    found = (json.loads(one) for _, one in read)
    return [entry for entry in found if wanted.items() <= entry.items()]


def test_ccxt_pro_places_and_cancels_unmodified(kraken: Stage) -> None:
    async def trade() -> tuple[Any, ...]:
        exchange = client(kraken, "kraken", fresh(kraken), ccxt.pro)
        exchange.cafile = str(kraken.ca)
        try:
            placed = await exchange.create_order_ws("BTC/USDT", "limit", "buy", 0.01, 50000)
            resting = await exchange.fetch_open_orders("BTC/USDT")
            gone = await exchange.cancel_order_ws(placed["id"])
            with pytest.raises(ccxt.InvalidOrder):
                await exchange.create_order_ws("BTC/USDT", "limit", "buy", 0.01, 300000)
            return placed, resting, gone
        finally:
            await exchange.close()

    placed, resting, gone = asyncio.run(trade())
    assert placed["id"] in {order["id"] for order in resting}
    assert gone["result"]["order_id"] == placed["id"]


def test_the_venue_s_sdk_places_and_cancels_unmodified(kraken: Stage) -> None:
    who, heard = fresh(kraken), asyncio.Queue[Any]()
    address = kraken.gateway.replace("https", "wss")

    async def trade() -> tuple[Any, ...]:
        sdk = SpotWSClient(
            who.key_id, who.secret, callback=heard.put, rest_url=kraken.gateway,
            ws_url=kraken.streams, auth_ws_url=address,
        )  # fmt: skip

        async def answered(method: str) -> Any:
            while (said := await asyncio.wait_for(heard.get(), 10)).get("method") != method:
                pass
            return said

        async with sdk:
            await sdk.subscribe(params={"channel": "executions"})
            await answered("subscribe")
            await sdk.send_message({"method": "add_order", "params": ORDER | {}})
            placed = await answered("add_order")
            moved = {"order_id": placed["result"]["order_id"], "symbol": "BTC/USDT"}
            moved |= {"order_qty": 0.02, "limit_price": 50001}
            await sdk.send_message({"method": "edit_order", "params": moved})
            changed = await answered("edit_order")
            await sdk.send_message({"method": "cancel_all"})
            return placed, changed, await answered("cancel_all")

    placed, changed, gone = asyncio.run(trade())
    assert placed["success"] is True
    assert changed["result"]["original_order_id"] == placed["result"]["order_id"]
    assert gone["result"]["count"] >= 1


def test_a_message_is_the_route_s_request_and_stands_so_in_the_ledger(kraken: Stage) -> None:
    who = fresh(kraken, "carol")
    token = minted(kraken, who)
    with channel(kraken) as opened:
        assert ask(opened, "ping")["method"] == "pong"
        placed = ask(opened, "add_order", **ORDER, token=token, time_in_force="gtc")
        assert placed["success"] is True
    decided = entries(kraken, kind="decision", credential=who.key_id, method="add_order")
    (entry,) = decided
    assert (entry["route"], entry["account"]) == ("POST /0/private/AddOrder", "carol")
    assert entry["order"]["symbol"] == "XBTUSDT"
    # A token would be as good as a key there.
    written = list((kraken.state / "ledger").rglob("entries.log"))
    assert written
    assert not any(token.encode() in file.read_bytes() for file in written)


def test_what_is_refused_is_said_in_the_channel_s_form(kraken: Stage) -> None:
    token = minted(kraken, fresh(kraken))
    with channel(kraken) as opened:
        changes: list[tuple[dict[str, Any], str]] = [
            ({"limit_price": 50000.01}, "EOrder:Invalid price"),
            ({"symbol": "XYZ/USDT"}, "EQuery:Unknown asset pair"),
            ({"pair": "ETHUSDT"}, "EGeneral:Invalid arguments"),
            ({"triggers": {"price": 1}}, "EGeneral:Invalid arguments"),
        ]
        for change, error in changes:
            refused = ask(opened, "add_order", **(ORDER | {"token": token} | change))
            assert (refused["success"], refused["method"]) == (False, "add_order")
            assert refused["error"].startswith(error)
        # What the venue itself refuses has status 200.
        none = ask(opened, "cancel_order", order_id=["OPAPER-99999-VENUES"], token=token)
        assert none["error"] == "EOrder:Unknown order"
        assert ask(opened, "add_orders", token=token)["error"] == "EGeneral:Unknown method"


def test_who_shows_no_token_or_another_s_is_nobody_or_that_other(kraken: Stage) -> None:
    reader = fresh(kraken, scopes=("read",))
    token, only_reads = minted(kraken, fresh(kraken)), minted(kraken, reader)
    with channel(kraken) as opened:
        assert ask(opened, "add_order", **ORDER, token=token)["success"] is True
        for wrong in (token[:-1], token.swapcase(), "", 5):
            refused = ask(opened, "add_order", **ORDER, token=wrong)
            assert refused["error"] == "EAPI:Invalid key", wrong
        # The one before it does not stand in for a token that is left out.
        assert ask(opened, "add_order", **ORDER)["error"] == "EAPI:Invalid key"
        denied = ask(opened, "add_order", **ORDER, token=only_reads)
        assert denied["error"] == "EGeneral:Permission denied"


def test_the_channel_s_token_is_good_for_nothing_else(kraken: Stage) -> None:
    token = minted(kraken, fresh(kraken))
    context = ssl.create_default_context(cafile=kraken.ca)
    with httpx.Client(verify=context, headers={"authorization": f"Bearer {token}"}) as bearer:
        for path in ("Balance", "GetWebSocketsToken"):
            refused = bearer.post(f"{kraken.gateway}/0/private/{path}")
            assert refused.json()["error"][0] == "EAPI:Invalid key"


def test_a_revoked_key_s_token_is_silent_where_it_was_used_and_where_it_was_not(
    kraken: Stage,
) -> None:
    who = fresh(kraken)
    token = minted(kraken, who)
    with channel(kraken) as opened:
        assert ask(opened, "add_order", **ORDER, token=token)["success"] is True
        ringfence("key", "revoke", "-c", str(kraken.state / "ringfence.yaml"), who.key_id)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                assert ask(opened, "add_order", **ORDER, token=token)["success"] is False
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    with channel(kraken) as opened:
        assert ask(opened, "add_order", **ORDER, token=token)["error"] == "EAPI:Invalid key"
