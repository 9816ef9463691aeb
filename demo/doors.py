"""Other doors than signed HTTP/1.1: each goes through the same controls, message by message."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from demo.attack import Key, order_text, post, refused, signature, signed
from demo.line import Line, Outcome, attempt
from demo.stage import Stage, ringfence
from ringfence.client import RingfenceKey
from ringfence.client.httpx import RingfenceAuth
from ringfence.client.websockets import handshake

__all__ = ["doors"]

PATIENCE_SECONDS = 5
ORDER = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=50000"
"""An order without a time: a native signature has its own."""


def doors(stage: Stage) -> list[Line]:
    """Go through each door, try to get something wrong through it, and return a line for each."""
    native = native_key(stage, "carol")
    return [
        attempt("order on HTTP/2", partial(order_on_http2, stage)),
        attempt("native signature", partial(native_signature, stage, native)),
        attempt("… sent to another route", partial(native_elsewhere, stage, native)),
        attempt("market stream", partial(on_socket, stage, "/ws/btcusdt@depth", market_stream)),
        attempt("order on a WebSocket", partial(on_socket, stage, "/ws-api/v3", order_on_socket)),
        attempt("… with a forged one", partial(on_socket, stage, "/ws-api/v3", forged_on_socket)),
        attempt("… and a key revoked", partial(revoked, stage)),
    ]


def native_key(stage: Stage, account: str) -> RingfenceKey:
    """Create a key that takes nothing but native signatures."""
    private = stage.state.parent / f"{account}.pem"
    created = ringfence(
        "key", "create", "-c", str(stage.state / "ringfence.yaml"), "--account", account,
        "--scope", "read", "--scope", "trade", "--allow", "127.0.0.0/8",
        "--generate-key", str(private), "--require", "native",
    )  # fmt: skip
    return RingfenceKey.read(created["key_id"], Path(private))


def http(stage: Stage, **options: Any) -> httpx.Client:
    """Return a client that trusts the gateway's certificate and nothing in the environment."""
    tls = ssl.create_default_context(cafile=str(stage.ca))
    return httpx.Client(base_url=stage.gateway, verify=tls, trust_env=False, **options)


def order_on_http2(stage: Stage) -> Outcome:
    with http(stage, http2=True, http1=False) as client:
        answer = post(client, stage.trader, signed(order_text(), stage.trader.secret))
    said = f"{answer.http_version}, order {answer.json().get('orderId')}"
    return Outcome(said, answer.status_code == 200 and answer.http_version == "HTTP/2")


def native_signature(stage: Stage, key: RingfenceKey) -> Outcome:
    with http(stage, auth=RingfenceAuth(key)) as client:
        answer = client.post("/api/v3/order?" + ORDER)
    said = f"RFC 9421 by Ed25519, order {answer.json().get('orderId')}"
    return Outcome(said, answer.status_code == 200)


def native_elsewhere(stage: Stage, key: RingfenceKey) -> Outcome:
    """Binance's own scheme covers no path: there, this signature would be good."""
    fields = key.sign("POST", f"{stage.gateway}/api/v3/order/test?{ORDER}")
    with http(stage) as client:
        return refused(client.post("/api/v3/order?" + ORDER, headers=fields), -1022)


def on_socket(
    stage: Stage,
    path: str,
    act: Callable[[Stage, ClientConnection], Awaitable[Outcome]],
    key: RingfenceKey | None = None,
) -> Outcome:
    """Run `act` on a WebSocket of its own, whose handshake `key` signs."""
    uri = stage.gateway.replace("https://", "wss://") + path
    tls = ssl.create_default_context(cafile=str(stage.ca))
    fields = handshake(key, uri) if key else None

    async def run() -> Outcome:
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            connect(uri, ssl=tls, proxy=None, additional_headers=fields) as opened,
        ):
            return await act(stage, opened)

    return asyncio.run(run())


async def market_stream(_stage: Stage, opened: ClientConnection) -> Outcome:
    heard = json.loads(await opened.recv())
    return Outcome(f"first word: {heard.get('e')} of {heard.get('s')}", heard.get("s") == "BTCUSDT")


def message(key: Key, number: int, secret: str) -> str:
    """Return an order as Binance's WebSocket API takes it, signed with `secret`."""
    given = dict(pair.split("=") for pair in order_text().split("&")) | {"apiKey": key.key_id}
    text = urlencode(sorted(given.items()))
    params = given | {"signature": signature(text, secret)}
    return json.dumps({"id": number, "method": "order.place", "params": params})


async def ask(opened: ClientConnection, text: str) -> dict[str, Any]:
    await opened.send(text)
    answer: dict[str, Any] = json.loads(await opened.recv())
    return answer


async def order_on_socket(stage: Stage, opened: ClientConnection) -> Outcome:
    answer = await ask(opened, message(stage.trader, 7, stage.trader.secret))
    said = f"answer to message {answer['id']}: order {answer.get('result', {}).get('orderId')}"
    return Outcome(said, answer["status"] == 200 and answer["id"] == 7)


async def forged_on_socket(stage: Stage, opened: ClientConnection) -> Outcome:
    answer = await ask(opened, message(stage.trader, 8, "not-the-secret"))
    after = await ask(opened, json.dumps({"id": 9, "method": "ping"}))
    code = answer.get("error", {}).get("code")
    said = f"answer to message {answer['id']}: {code}; the channel lives"
    return Outcome(said, code == -1022 and answer["id"] == 8 and after["status"] == 200)


def revoked(stage: Stage) -> Outcome:
    """A session ends with its key."""
    key = native_key(stage, "dave")
    return on_socket(stage, "/ws-api/v3", partial(revoke, key.key_id), key)


async def revoke(key_id: str, stage: Stage, opened: ClientConnection) -> Outcome:
    before = await ask(opened, json.dumps({"id": 1, "method": "session.status"}))
    config = str(stage.state / "ringfence.yaml")
    done = await asyncio.to_thread(ringfence, "key", "revoke", "-c", config, key_id)
    try:
        await opened.recv()
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else None
        said = f"in force after {done['effective_us']} µs, the channel closed with {code}"
        return Outcome(said, code == CloseCode.POLICY_VIOLATION and before["status"] == 200)
    return Outcome("the channel stayed open", right=False)
