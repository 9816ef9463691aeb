"""Real HTTP libraries sign natively by `ringfence.client`; the gateway checks every byte."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import httpx
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms

from demo.stage import Stage, ringfence
from ringfence.client import RingfenceKey
from ringfence.client.aiohttp import RingfenceAuth as AiohttpAuth
from ringfence.client.httpx import RingfenceAuth as HttpxAuth
from ringfence.client.requests import RingfenceAuth as RequestsAuth
from ringfence.client.websockets import handshake
from ringfence.engine import LedgerReader
from tests.integration.websocket import connect

ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "20000",
}
PATH = "/api/v3/order"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Bot:
    """A trader that holds a key which demands to be used natively."""

    stage: Stage
    key: RingfenceKey
    file: Path

    @property
    def url(self) -> str:
        return self.stage.gateway + PATH

    @property
    def private(self) -> Ed25519PrivateKey:
        key = load_pem_private_key(self.file.read_bytes(), None)
        assert isinstance(key, Ed25519PrivateKey)
        return key

    def skewed(self, seconds: float) -> RingfenceKey:
        """Return the same key, by a clock that is wrong."""
        return RingfenceKey.read(self.key.key_id, self.file, clock=lambda: time.time() + seconds)

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.stage.ca)


@pytest.fixture(scope="module")
def bot(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Bot:
    file = tmp_path_factory.mktemp("keys") / "bot.pem"
    made = ringfence(
        "key", "create", "-c", str(stage.state / "ringfence.yaml"), "--account", "alice",
        "--scope", "read", "--scope", "trade", "--allow", "127.0.0.0/8",
        "--generate-key", str(file), "--require", "native",
    )  # fmt: skip
    assert made["requires"] == ["native"]
    return Bot(stage, RingfenceKey.read(made["key_id"], file), file)


def refusal(body: Any) -> str:
    said: str = body["msg"]
    return said


def with_httpx(bot: Bot, key: RingfenceKey, content: Any) -> Any:
    with httpx.Client(verify=bot.trusting(), auth=HttpxAuth(key)) as client:
        return client.post(bot.url, content=content, headers=FORM).json()


def with_httpx_async(bot: Bot, key: RingfenceKey, content: Any) -> Any:
    async def send() -> Any:
        async with httpx.AsyncClient(verify=bot.trusting(), auth=HttpxAuth(key)) as client:
            body = later(content) if isinstance(content, Iterator) else content
            return (await client.post(bot.url, content=body, headers=FORM)).json()

    return asyncio.run(send())


def with_requests(bot: Bot, key: RingfenceKey, content: Any) -> Any:
    auth = RequestsAuth(key)
    answer = requests.post(
        bot.url, data=content, headers=FORM, auth=auth, verify=str(bot.stage.ca), timeout=10
    )
    return answer.json()


def with_aiohttp(bot: Bot, key: RingfenceKey, content: Any) -> Any:
    async def send() -> Any:
        connector = aiohttp.TCPConnector(ssl=bot.trusting())
        async with aiohttp.ClientSession(
            connector=connector, middlewares=[AiohttpAuth(key)]
        ) as session:
            body = later(content) if isinstance(content, Iterator) else content
            async with session.post(bot.url, data=body, headers=FORM) as answer:
                return await answer.json()

    return asyncio.run(send())


async def later(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


LIBRARIES = [with_httpx, with_httpx_async, with_requests, with_aiohttp]
libraries = pytest.mark.parametrize("send", LIBRARIES, ids=lambda send: send.__name__)


@libraries
def test_an_order_is_placed(bot: Bot, send: Any) -> None:
    assert send(bot, bot.key, urlencode(ORDER).encode())["status"] == "NEW"


@libraries
def test_a_streamed_body_is_signed_whole(bot: Bot, send: Any) -> None:
    text = urlencode(ORDER).encode()
    assert send(bot, bot.key, iter((text[:7], text[7:])))["status"] == "NEW"


@libraries
@pytest.mark.parametrize(("seconds", "said"), [(-30, "older than its window"), (30, "ahead")])
def test_a_wrong_clock_is_told(bot: Bot, send: Any, seconds: float, said: str) -> None:
    assert said in refusal(send(bot, bot.skewed(seconds), urlencode(ORDER).encode()))


class Changing(requests.auth.AuthBase):
    """Signs, and changes something afterwards, as somebody on the way would."""

    def __init__(self, key: RingfenceKey, change: Any) -> None:
        self.auth, self.change = RequestsAuth(key), change

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        signed = self.auth(request)
        self.change(signed)
        return signed


def other_body(request: requests.PreparedRequest) -> None:
    body = request.body
    assert isinstance(body, bytes)
    request.body = body.replace(b"20000", b"90000")


def other_body_and_digest(request: requests.PreparedRequest) -> None:
    from ringfence.client import digest

    other_body(request)
    assert isinstance(request.body, bytes)
    request.headers["Content-Digest"] = digest(request.body)


def other_query(request: requests.PreparedRequest) -> None:
    request.url = f"{request.url}?newClientOrderId=x"


def other_path(request: requests.PreparedRequest) -> None:
    request.url = f"{request.url}/test"


def other_method(request: requests.PreparedRequest) -> None:
    request.method = "DELETE"


def other_host(request: requests.PreparedRequest) -> None:
    request.headers["Host"] = "elsewhere.example"


def another_of_ours(request: requests.PreparedRequest) -> None:
    host = str(urlsplit(request.url).hostname)
    request.headers["Host"] = "localhost" if host == "127.0.0.1" else "127.0.0.1"


def longer_window(request: requests.PreparedRequest) -> None:
    said = str(request.headers["Signature-Input"])
    request.headers["Signature-Input"] = said.replace(";expires=1", ";expires=2")


def no_signature(request: requests.PreparedRequest) -> None:
    del request.headers["Signature"]


def venues_time(request: requests.PreparedRequest) -> None:
    request.url = f"{request.url}?timestamp={int(time.time() * 1000)}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_body, "not the one that Content-Digest names"),
        (other_body_and_digest, "does not fit"),
        (other_query, "does not fit"),
        (other_path, "does not fit"),
        (other_host, "a name that this gateway does not go by"),
        (another_of_ours, "does not fit"),
        (longer_window, "does not fit"),
        (no_signature, "[signature]"),
        (venues_time, "leave that part out. [timestamp]"),
    ],
    ids=lambda change: getattr(change, "__name__", ""),
)
def test_what_was_changed_on_the_way_is_refused(bot: Bot, change: Any, said: str) -> None:
    auth = Changing(bot.key, change)
    answer = requests.post(
        bot.url, data=urlencode(ORDER), headers=FORM, auth=auth, verify=str(bot.stage.ca), timeout=9
    )
    assert answer.status_code == 400
    assert said in refusal(answer.json())


def test_a_read_cannot_be_made_a_cancel(bot: Bot) -> None:
    """Binance signs neither method nor path: there, only the replay memory stands against this."""
    query = "symbol=BTCUSDT&orderId=1"
    auth = Changing(bot.key, other_method)
    answer = requests.get(f"{bot.url}?{query}", auth=auth, verify=str(bot.stage.ca), timeout=10)
    assert "does not fit" in refusal(answer.json())


def test_a_captured_order_is_spent(bot: Bot) -> None:
    body = urlencode(ORDER).encode()
    fields = FORM | bot.key.sign("POST", bot.url, body)
    with httpx.Client(verify=bot.trusting()) as client:
        assert client.post(bot.url, content=body, headers=fields).json()["status"] == "NEW"
        again = client.post(bot.url, content=body, headers=fields).json()
    assert "already used" in refusal(again)


def test_the_venues_own_signature_is_not_enough_for_a_key_that_demands_more(bot: Bot) -> None:
    body = urlencode(ORDER | {"timestamp": str(int(time.time() * 1000))})
    signature = base64.b64encode(bot.private.sign(body.encode())).decode()
    with httpx.Client(verify=bot.trusting()) as client:
        answer = client.post(
            bot.url,
            content=f"{body}&{urlencode({'signature': signature})}",
            headers=FORM | {"X-MBX-APIKEY": bot.key.key_id},
        ).json()
    assert "good only with the native signature" in refusal(answer)


def test_escapes_and_parameters_are_signed_as_they_are_sent(bot: Bot) -> None:
    with httpx.Client(verify=bot.trusting(), auth=HttpxAuth(bot.key)) as client:
        url = f"{bot.stage.gateway}/api/v3/openOrders"
        orders = client.get(url, params={"symbol": "BTCUSDT"}).json()
        assert {order["symbol"] for order in orders} == {"BTCUSDT"}
        # Not the venue's symbol, but signed and read as one.
        answer = client.get(f"{url}?symbol=BTC%55SDT").json()
    assert len(answer) == len(orders)


def test_a_handshake_is_signed_and_public_streams_open_with_it(bot: Bot) -> None:
    uri = bot.stage.gateway.replace("https://", "wss://") + "/ws/btcusdt@bookTicker"
    fields = handshake(bot.key, uri)
    with connect(uri, ssl=bot.trusting(), additional_headers=fields) as opened:
        assert json.loads(opened.recv(timeout=5))["s"] == "BTCUSDT"


def test_a_signed_handshake_is_a_trading_channels_logon(bot: Bot) -> None:
    uri = bot.stage.gateway.replace("https://", "wss://") + "/ws-api/v3"
    order = ORDER | {"timestamp": int(time.time() * 1000)}
    asked = json.dumps({"id": 1, "method": "order.place", "params": order})
    with connect(uri, ssl=bot.trusting()) as opened:
        opened.send(asked)
        assert json.loads(opened.recv(timeout=5))["status"] == 401
    fields = handshake(bot.key, uri)
    with connect(uri, ssl=bot.trusting(), additional_headers=fields) as opened:
        opened.send(asked)
        answer = json.loads(opened.recv(timeout=5))
    assert (answer["status"], answer["result"]["status"]) == (200, "NEW")


def test_aiohttp_opens_streams_with_its_middleware(bot: Bot) -> None:
    async def read() -> Any:
        connector = aiohttp.TCPConnector(ssl=bot.trusting())
        async with aiohttp.ClientSession(
            connector=connector, middlewares=[AiohttpAuth(bot.key)]
        ) as session:
            uri = bot.stage.gateway.replace("https://", "wss://") + "/ws/btcusdt@bookTicker"
            async with session.ws_connect(uri) as opened:
                return await opened.receive_json(timeout=5)

    assert asyncio.run(read())["s"] == "BTCUSDT"


class Resolver(HTTPSignatureKeyResolver):
    """Knows the bot's key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self.key = key

    def resolve_public_key(self, key_id: str) -> Any:
        return self.key.public_key()

    def resolve_private_key(self, key_id: str) -> Any:
        return self.key


@pytest.mark.parametrize("include_alg", [True, False])
def test_what_others_code_signs_verifies(bot: Bot, include_alg: bool) -> None:
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519, key_resolver=Resolver(bot.private)
    )
    body = urlencode(ORDER).encode()
    request = requests.Request("POST", bot.url, data=body, headers=FORM).prepare()
    request.headers["Host"] = bot.stage.gateway.removeprefix("https://")
    now = datetime.now().astimezone()
    signer.sign(
        request,
        key_id=bot.key.key_id,
        created=now,
        expires=now + timedelta(seconds=5),
        nonce=str(time.time_ns()),
        include_alg=include_alg,
        covered_component_ids=("@method", "@authority", "@path", "@query"),
        body=body,
    )
    with requests.Session() as session:
        answer = session.send(request, verify=str(bot.stage.ca), timeout=10)
    assert answer.json()["status"] == "NEW", answer.text


def test_the_ledger_says_that_it_was_native(bot: Bot) -> None:
    assert with_httpx(bot, bot.key, urlencode(ORDER).encode())["status"] == "NEW"
    deadline = time.monotonic() + 10
    proofs: set[Any] = set()
    while not proofs and time.monotonic() < deadline:
        read = LedgerReader(bot.stage.state / "ledger", 0).read(100_000)
        entries = [json.loads(entry) for _, entry in read]
        mine = [one for one in entries if one.get("credential") == bot.key.key_id]
        proofs = {one.get("proof") for one in mine if one.get("outcome") == "permitted"}
    # On the channel above it was the session that its handshake began.
    assert {"native"} <= proofs <= {"native", "session"}
