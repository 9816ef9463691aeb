"""Deribit's channel: its logons hand out tokens of ours, and its messages may show one."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ccxt.pro
import pytest
from websockets.exceptions import ConnectionClosed

from demo.attack import Key
from demo.stage import Stage, key, ringfence
from tests.integration.test_minted import ACCOUNT, AUTH, ask, deribit, logon, minted
from tests.integration.venues import client
from tests.integration.websocket import ClientConnection, connect

__all__ = ["deribit"]

REFUSED = 13004
ORDER = {"instrument_name": "BTC_USDC", "type": "limit", "amount": 0.01, "price": 50_000}


@contextmanager
def channel(stage: Stage) -> Iterator[ClientConnection]:
    trusting = ssl.create_default_context(cafile=stage.ca)
    address = stage.gateway.replace("https", "wss") + "/ws/api/v2"
    with connect(address, ssl=trusting) as opened:
        yield opened


def rpc(opened: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    opened.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    answer: dict[str, Any] = json.loads(opened.recv(timeout=5))
    return answer


def fresh(stage: Stage) -> Key:
    return key(stage.state, "alice", ["read", "trade"], "127.0.0.0/8")


def logged_on(opened: ClientConnection, who: Key) -> dict[str, Any]:
    result: dict[str, Any] = rpc(opened, "public/auth", **logon(who))["result"]
    assert (result["expires_in"], len(result["access_token"])) == (900, 43)
    return result


def renewed(opened: ClientConnection, token: str) -> dict[str, Any]:
    return rpc(opened, "public/auth", grant_type="refresh_token", refresh_token=token)


def code(answer: dict[str, Any]) -> int | None:
    refused: int | None = answer.get("error", {}).get("code")
    return refused


def test_a_token_of_the_channel_is_one_for_requests_and_for_other_channels(deribit: Stage) -> None:
    who = fresh(deribit)
    with channel(deribit) as opened, channel(deribit) as other:
        token = logged_on(opened, who)["access_token"]
        assert "result" in ask(deribit, ACCOUNT, token, currency="USDC").json()
        assert "result" in rpc(other, "private/buy", **ORDER, access_token=token)
        # Who acts there is said by each message, and by none for the next.
        assert code(rpc(other, "private/buy", **ORDER)) == REFUSED
    written = (deribit.state / "ledger").rglob("entries.log")
    assert not any(token.encode() in file.read_bytes() for file in written)


def test_a_token_of_a_request_is_taken_on_the_channel_and_no_other_is(deribit: Stage) -> None:
    token = minted(deribit, fresh(deribit))
    with channel(deribit) as opened:
        assert "result" in rpc(opened, "private/get_positions", access_token=token)
        logged_on(opened, fresh(deribit))
        for wrong in (token[:-1], token.swapcase(), secrets.token_urlsafe(32), ""):
            # Not even where somebody has logged on.
            refused = rpc(opened, "private/get_positions", access_token=wrong)
            assert code(refused) == REFUSED, wrong


def test_a_refresh_token_logs_on_once_on_whatever_channel(deribit: Stage) -> None:
    with channel(deribit) as opened:
        first = logged_on(opened, fresh(deribit))
    with channel(deribit) as opened:
        answer = renewed(opened, first["refresh_token"])
        assert answer["result"]["access_token"] != first["access_token"]
        # Now the connection is who it was before.
        assert "result" in rpc(opened, "private/buy", **ORDER)
        assert code(renewed(opened, first["refresh_token"])) == REFUSED
    # The same for requests, which take turns with it.
    again = {"grant_type": "refresh_token"}
    second = ask(deribit, AUTH, **again, refresh_token=answer["result"]["refresh_token"]).json()
    with channel(deribit) as opened:
        assert code(renewed(opened, answer["result"]["refresh_token"])) == REFUSED
        assert code(renewed(opened, second["result"]["access_token"])) == REFUSED
        assert "result" in renewed(opened, second["result"]["refresh_token"])


def test_nothing_stands_beside_a_refresh_token(deribit: Stage) -> None:
    with channel(deribit) as opened:
        token = logged_on(opened, fresh(deribit))["refresh_token"]
        asked = {"grant_type": "refresh_token", "refresh_token": token}
        refused = rpc(opened, "public/auth", **asked, scope="account:read")
        assert "scope" in refused["error"]["message"]
        assert "result" in renewed(opened, token)


def test_a_token_of_the_channel_ends_with_it_or_with_the_next(deribit: Stage) -> None:
    who = fresh(deribit)
    with channel(deribit) as opened:
        last = logged_on(opened, who)["access_token"]
        # So that they are never too many.
        for _ in range(17):
            token = logged_on(opened, who)["access_token"]
            assert code(ask(deribit, ACCOUNT, last, currency="USDC").json()) == REFUSED
            last = token
        assert "result" in ask(deribit, ACCOUNT, last, currency="USDC").json()
    for _ in range(50):  # the gateway hears of the end a moment later
        if code(ask(deribit, ACCOUNT, last, currency="USDC").json()) == REFUSED:
            return
    pytest.fail("a token outlived its channel")


def test_a_revoked_key_s_tokens_are_silent_on_channels(deribit: Stage) -> None:
    who = fresh(deribit)
    with channel(deribit) as opened, channel(deribit) as other:
        tokens = logged_on(opened, who)
        shown = {"access_token": tokens["access_token"]}
        assert "result" in rpc(other, "private/get_positions", **shown)
        ringfence("key", "revoke", "-c", str(deribit.state / "ringfence.yaml"), who.key_id)
        for silent in (opened, other):
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    assert code(rpc(silent, "private/get_positions", **shown)) == REFUSED
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
    with channel(deribit) as opened:
        assert code(renewed(opened, tokens["refresh_token"])) == REFUSED


def test_ccxt_pro_watches_its_orders_unmodified(deribit: Stage) -> None:
    async def watch() -> Any:
        exchange = client(deribit, "deribit", fresh(deribit), ccxt.pro)
        exchange.cafile = str(deribit.ca)
        try:
            watching = asyncio.ensure_future(exchange.watch_orders("BTC/USDC"))
            tokens = await asyncio.wait_for(exchange.authenticate(), 10)
            while not watching.done():
                await exchange.create_order("BTC/USDC", "limit", "buy", 0.01, 50_000)
                await asyncio.wait([watching], timeout=0.2)
            return tokens, watching.result()
        finally:
            await exchange.close()

    tokens, orders = asyncio.run(watch())
    assert len(tokens["result"]["refresh_token"]) == 43
    assert orders
