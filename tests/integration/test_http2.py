"""Clients that speak HTTP/2 trade and read streams through the gateway as all others do."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import ssl
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from demo.stage import Stage, ringfence
from ringfence.client import RingfenceKey
from ringfence.client.httpx import RingfenceAuth
from ringfence.engine import LedgerReader

BOOK = "/ws/btcusdt@bookTicker"
CHANNEL = "/ws-api/v3"


def trusting(stage: Stage) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=stage.ca)


@pytest.fixture
def trader(stage: Stage) -> Iterator[httpx.Client]:
    """Yield a client that offers HTTP/2."""
    key = {"X-MBX-APIKEY": stage.trader.key_id}
    with httpx.Client(
        base_url=stage.gateway, http2=True, verify=trusting(stage), headers=key
    ) as client:
        yield client


def signed(stage: Stage, text: str, secret: str | None = None) -> str:
    """Return the parameters as Binance wants them: with the time, and the signature last."""
    text = f"{text}&timestamp={time.time_ns() // 1_000_000}"
    key = (secret or stage.trader.secret).encode()
    return f"{text}&signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"


def order(stage: Stage, name: str, secret: str | None = None) -> dict[str, Any]:
    """Return what httpx needs to place a small order that rests in the book."""
    text = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=20000"
        f"&newClientOrderId={name}"
    )
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return {"url": "/api/v3/order", "content": signed(stage, text, secret), "headers": form}


def recorded(stage: Stage, message: str, count: int) -> list[dict[str, Any]]:
    """Return the entries about a message, once there are `count`: nobody waits for a refusal's."""
    until = time.monotonic() + 10
    while True:
        read = LedgerReader(stage.state / "ledger", 0).read(100_000)
        entries = [json.loads(entry) for _, entry in read]
        found = [entry for entry in entries if entry.get("message") == message]
        if len(found) >= count or time.monotonic() > until:
            return found
        time.sleep(0.01)


def test_an_order_by_http2_is_placed_and_recorded_as_such(
    stage: Stage, trader: httpx.Client
) -> None:
    placed = trader.post(**order(stage, "two"))
    assert (placed.http_version, placed.status_code) == ("HTTP/2", 200)
    assert placed.json()["status"] == "NEW"
    query = signed(stage, "symbol=BTCUSDT&origClientOrderId=two")
    assert trader.get(f"/api/v3/order?{query}").json()["orderId"] == placed.json()["orderId"]
    decision, outcome = recorded(stage, placed.headers["x-ringfence-message"], 2)
    assert (decision["transport"], decision["operation"]) == ("h2", "order.place")
    assert (outcome["kind"], outcome["result"]) == ("outcome", "answered")


def test_orders_at_once_on_one_connection_are_all_placed_once(stage: Stage) -> None:
    async def place() -> list[httpx.Response]:
        key = {"X-MBX-APIKEY": stage.trader.key_id}
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(
            base_url=stage.gateway,
            http2=True,
            verify=trusting(stage),
            headers=key,
            limits=limits,
        ) as client:
            await client.get("/api/v3/time")
            orders = [client.post(**order(stage, f"many{number}")) for number in range(20)]
            return await asyncio.gather(*orders)

    placed = asyncio.run(place())
    assert {answer.http_version for answer in placed} == {"HTTP/2"}
    assert [answer.status_code for answer in placed] == [200] * 20
    assert len({answer.json()["orderId"] for answer in placed}) == 20


def test_a_refusal_by_http2_has_the_venue_s_form(stage: Stage, trader: httpx.Client) -> None:
    forged = trader.post(**order(stage, "forged", secret="x" * 64))
    assert (forged.http_version, forged.status_code) == ("HTTP/2", 400)
    assert forged.json()["code"] == -1022
    (decision,) = recorded(stage, forged.headers["x-ringfence-message"], 1)
    assert (decision["transport"], decision["refusal"]["code"]) == ("h2", "signature_invalid")


class Tunnel:
    """A WebSocket on a stream of HTTP/2 (RFC 8441), made of h2 and websockets' own protocol."""

    def __init__(
        self,
        stage: Stage,
        path: str,
        *,
        version: str = "13",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        url = urlsplit(stage.gateway)
        context = trusting(stage)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection((url.hostname, url.port), timeout=10)
        self.socket = context.wrap_socket(plain, server_hostname=url.hostname)
        self.http = H2Connection(H2Configuration(client_side=True))
        self.http.initiate_connection()
        self.flush()
        while not self.http.remote_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL):
            self.receive()
        self.protocol = Protocol(CLIENT, state=OPEN, max_size=1 << 20)
        self.stream = self.http.get_next_available_stream_id()
        self.status = ""
        self.ended = False
        asked = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":authority", url.netloc),
            (":path", path),
            ("sec-websocket-version", version),
            *((name.lower(), value) for name, value in (fields or {}).items()),
        ]
        self.http.send_headers(self.stream, asked)
        self.flush()
        while not self.status:
            self.receive()

    def __enter__(self) -> Tunnel:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        self.socket.sendall(self.http.data_to_send())

    def receive(self) -> None:
        data = self.socket.recv(65_536)
        assert data, "the gateway hung up"
        for event in self.http.receive_data(data):
            self.take(event)
        self.flush()

    def take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            self.status = dict(event.headers)[b":status"].decode()
        elif isinstance(event, DataReceived):
            self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if self.status == "200":
                self.protocol.receive_data(event.data)
        elif isinstance(event, StreamEnded | StreamReset):
            self.ended = True

    def frame(self) -> Frame:
        """Return the next frame of the WebSocket."""
        while True:
            for event in self.protocol.events_received():
                assert isinstance(event, Frame)
                return event
            assert not self.ended
            self.receive()

    def say(self, text: str) -> None:
        self.protocol.send_text(text.encode())
        for data in self.protocol.data_to_send():
            self.http.send_data(self.stream, data)
        self.flush()


def test_a_market_stream_by_http2_tells_what_the_venue_tells(stage: Stage) -> None:
    with Tunnel(stage, BOOK) as tunnel:
        assert tunnel.status == "200"
        told = [json.loads(bytes(tunnel.frame().data)) for _ in range(3)]
        assert {one["s"] for one in told} == {"BTCUSDT"}
        tunnel.say(json.dumps({"method": "LIST_SUBSCRIPTIONS", "params": [], "id": 7}))
        frames = (json.loads(bytes(tunnel.frame().data)) for _ in range(1000))
        assert next(one for one in frames if "id" in one)["id"] == 7


def test_an_order_on_a_trading_channel_by_http2_is_placed(stage: Stage) -> None:
    params = {
        "apiKey": stage.trader.key_id,
        "newClientOrderId": "channelled",
        "price": "20000",
        "quantity": "0.01",
        "side": "BUY",
        "symbol": "BTCUSDT",
        "timeInForce": "GTC",
        "timestamp": str(time.time_ns() // 1_000_000),
        "type": "LIMIT",
    }
    text = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
    secret = stage.trader.secret.encode()
    params["signature"] = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    with Tunnel(stage, CHANNEL) as tunnel:
        tunnel.say(json.dumps({"id": 1, "method": "order.place", "params": params}))
        answer = json.loads(bytes(tunnel.frame().data))
    assert (answer["id"], answer["status"]) == (1, 200), answer
    assert answer["result"]["clientOrderId"] == "channelled"


def test_what_is_not_offered_on_a_stream_ends_it_by_http2_too(stage: Stage) -> None:
    with Tunnel(stage, BOOK) as tunnel:
        tunnel.say(json.dumps({"method": "order.place", "id": 1}))
        frames = (tunnel.frame() for _ in range(1000))
        close = next(frame for frame in frames if frame.opcode is Opcode.CLOSE)
        assert int.from_bytes(close.data[:2]) == CloseCode.POLICY_VIOLATION
        while not tunnel.ended:
            tunnel.receive()
        # The stream has ended, the connection has not.
        tunnel.http.ping(b"12345678")
        tunnel.flush()
        tunnel.receive()


@pytest.mark.parametrize(
    ("path", "version", "status"),
    [("/api/v3/time", "13", "400"), ("/ws/a/b", "13", "404"), (BOOK, "8", "400")],
)
def test_nothing_else_becomes_a_websocket_by_http2(
    stage: Stage, path: str, version: str, status: str
) -> None:
    with Tunnel(stage, path, version=version) as tunnel:
        assert tunnel.status == status


@pytest.fixture(scope="module")
def bot(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> RingfenceKey:
    """Return a key that demands to be used natively."""
    file = tmp_path_factory.mktemp("keys") / "bot.pem"
    made = ringfence(
        "key", "create", "-c", str(stage.state / "ringfence.yaml"), "--account", "alice",
        "--scope", "read", "--scope", "trade", "--allow", "127.0.0.0/8",
        "--generate-key", str(file), "--require", "native",
    )  # fmt: skip
    return RingfenceKey.read(made["key_id"], file)


class Dearer(RingfenceAuth):
    """Signs, and changes the price in the query afterwards, as somebody on the way would."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Change what is sent behind the signature."""
        for signed in super().auth_flow(request):
            signed.url = signed.url.copy_set_param("price", "20001")
            yield signed


@pytest.mark.parametrize(("auth", "status"), [(RingfenceAuth, 200), (Dearer, 400)])
def test_a_native_order_by_http2_is_placed_as_it_was_signed_or_not_at_all(
    stage: Stage, bot: RingfenceKey, auth: type[RingfenceAuth], status: int
) -> None:
    asked = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=20000"
    with httpx.Client(
        base_url=stage.gateway, http2=True, verify=trusting(stage), auth=auth(bot)
    ) as client:
        answer = client.post(f"/api/v3/order?{asked}")
    assert (answer.http_version, answer.status_code) == ("HTTP/2", status), answer.text
    decision = recorded(stage, answer.headers["x-ringfence-message"], 1)[0]
    if status == 200:
        assert (decision["transport"], decision["proof"]) == ("h2", "native")
    else:
        assert decision["refusal"]["code"] == "signature_invalid"


@pytest.mark.parametrize(("method", "status"), [("CONNECT", "200"), ("GET", "400")])
def test_a_handshake_by_http2_is_signed_as_the_connect_that_it_is(
    stage: Stage, bot: RingfenceKey, method: str, status: str
) -> None:
    fields = bot.sign(method, stage.gateway + CHANNEL)
    with Tunnel(stage, CHANNEL, fields=fields) as tunnel:
        assert tunnel.status == status
        if status == "200":
            ask = {"timestamp": time.time_ns() // 1_000_000}
            tunnel.say(json.dumps({"id": 1, "method": "account.status", "params": ask}))
            answer = json.loads(bytes(tunnel.frame().data))
            assert (answer["id"], answer["status"]) == (1, 200), answer


@pytest.mark.parametrize(("method", "status"), [("GET", 101), ("CONNECT", 400)])
def test_a_handshake_by_http1_is_signed_as_the_get_that_it_is(
    stage: Stage, bot: RingfenceKey, method: str, status: int
) -> None:
    fields = bot.sign(method, stage.gateway + CHANNEL)
    fields |= {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    fields |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with (
        httpx.Client(verify=trusting(stage)) as client,
        client.stream("GET", stage.gateway + CHANNEL, headers=fields) as answer,
    ):
        assert (answer.http_version, answer.status_code) == ("HTTP/1.1", status)
