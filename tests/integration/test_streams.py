"""Market streams through the gateway: unmodified clients read them; nobody breaks the protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.pro
import pytest
from binance import AsyncClient, BinanceSocketManager
from websockets.exceptions import ConnectionClosed, InvalidStatus

from demo.stage import Stage, ringfence, running
from ringfence.engine import LedgerReader
from tests.integration.websocket import ClientConnection, connect

BOOK = "btcusdt@bookTicker"
TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


def trusting(stage: Stage) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=stage.ca)


def address(stage: Stage) -> str:
    return stage.gateway.replace("https://", "wss://")


@contextmanager
def stream(stage: Stage, path: str) -> Iterator[ClientConnection]:
    with connect(address(stage) + path, ssl=trusting(stage)) as opened:
        yield opened


def test_a_stream_tells_what_the_venue_tells(stage: Stage) -> None:
    with stream(stage, f"/ws/{BOOK}") as opened:
        told = [json.loads(opened.recv(timeout=5)) for _ in range(3)]
    assert {one["s"] for one in told} == {"BTCUSDT"}
    with stream(stage, f"/stream?streams={BOOK}/ethusdt@depth5") as opened:
        names = {json.loads(opened.recv(timeout=5))["stream"] for _ in range(6)}
    assert names == {BOOK, "ethusdt@depth5"}


def test_python_binance_reads_its_streams_unmodified(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(stage.ca))

    async def read() -> dict[str, Any]:
        manager = BinanceSocketManager(AsyncClient())
        # Nothing but the address is set.
        manager.STREAM_URL = address(stage) + "/"
        async with manager.symbol_book_ticker_socket("BTCUSDT") as opened:
            told: dict[str, Any] = await asyncio.wait_for(opened.recv(), 5)
            return told

    assert asyncio.run(read())["s"] == "BTCUSDT"


def test_ccxt_pro_subscribes_unmodified(stage: Stage) -> None:
    async def read() -> tuple[dict[str, Any], dict[str, Any]]:
        exchange = ccxt.pro.binance({"cafile": str(stage.ca)})
        api = exchange.urls["api"]
        for name, url in api.items():
            if isinstance(url, str) and url.startswith("https://"):
                api[name] = stage.gateway + "/" + url.split("/", 3)[3]
        for name, url in api["ws"].items():
            if isinstance(url, str) and url.startswith("wss://"):
                api["ws"][name] = address(stage) + "/" + url.split("/", 3)[3]
        exchange.options["defaultType"] = "spot"
        try:
            ticker = await asyncio.wait_for(exchange.watch_bids_asks(["BTC/USDT"]), 20)
            book = await asyncio.wait_for(exchange.watch_order_book("BTC/USDT", 100), 20)
            return ticker, book
        finally:
            await exchange.close()

    ticker, book = asyncio.run(read())
    assert ticker["BTC/USDT"]["bid"] < ticker["BTC/USDT"]["ask"]
    assert book["bids"][0][0] < book["asks"][0][0]


def test_aiohttp_offers_compression_and_is_refused_it(stage: Stage) -> None:
    url = f"{address(stage)}/ws/{BOOK}"

    async def read() -> tuple[Any, int]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, ssl=trusting(stage), compress=15) as opened,
        ):
            return await opened.receive_json(timeout=5), opened.compress

    told, compress = asyncio.run(read())
    assert (told["s"], compress) == ("BTCUSDT", 0)


def test_a_stream_is_recorded_once_and_answers_by_status(stage: Stage) -> None:
    with stream(stage, f"/ws/{BOOK}") as opened:
        assert opened.response is not None
        message = opened.response.headers["X-Ringfence-Message"]
    end = time.monotonic() + 5
    while not (found := of(stage, message)):
        assert time.monotonic() < end
        time.sleep(0.02)
    (entry,) = found
    assert (entry["operation"], entry["status"]) == ("market.read", 101)
    assert entry["path"] == f"/ws/{BOOK}"


def of(stage: Stage, message: str) -> list[dict[str, Any]]:
    entries = LedgerReader(stage.state / "ledger", 0).read(100_000)
    return [entry for _, one in entries if (entry := json.loads(one)).get("message") == message]


@pytest.mark.parametrize("path", ["/ws-api/v4", "/api/v3/time", "/ws/a/b", "/stream/x"])
def test_nothing_else_becomes_a_websocket(stage: Stage, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused, stream(stage, path):
        pass
    assert refused.value.response.status_code in (400, 404)


def test_a_stream_s_path_without_a_handshake_is_no_route(stage: Stage) -> None:
    with closing_socket(stage) as opened:
        opened.sendall(b"GET /ws/x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert opened.recv(4096).startswith(b"HTTP/1.1 404")


def said(opened: ClientConnection) -> tuple[int, str]:
    """Read until the gateway closes; return its code and reason."""
    with pytest.raises(ConnectionClosed) as ended:
        while True:
            opened.recv(timeout=5)
    assert ended.value.rcvd is not None
    return ended.value.rcvd.code, ended.value.rcvd.reason


def test_what_a_client_may_say_is_a_closed_list(stage: Stage) -> None:
    for method in ("SUBSCRIBE", "LIST_SUBSCRIPTIONS"):
        with stream(stage, f"/ws/{BOOK}") as opened:
            opened.send(json.dumps({"method": method, "params": [], "id": 1}))
            opened.recv(timeout=5)
    for text in ('{"method":"order.place","id":1}', "hello", '{"method":"SUBSCRIBE","method":"x"}'):
        with stream(stage, f"/ws/{BOOK}") as opened:
            opened.send(text)
            assert said(opened)[0] == 1008, text
    with stream(stage, f"/ws/{BOOK}") as opened:
        opened.send(b"\x00")
        assert said(opened)[0] == 1003


def test_a_client_that_says_too_much_is_closed(stage: Stage) -> None:
    with stream(stage, f"/ws/{BOOK}") as opened:
        with suppress(ConnectionClosed):
            for number in range(200):
                opened.send(json.dumps({"method": "SUBSCRIBE", "params": [], "id": number}))
        assert said(opened) == (1008, "too many messages in a second")


def test_pings_go_through_to_the_venue_and_back(stage: Stage) -> None:
    with stream(stage, f"/ws/{BOOK}") as opened:
        assert opened.ping().wait(timeout=5)


# Against bytes that no library sends.


@contextmanager
def closing_socket(stage: Stage) -> Iterator[ssl.SSLSocket]:
    host, _, port = stage.gateway.removeprefix("https://").rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        trusting(stage).wrap_socket(plain, server_hostname=host) as opened,
    ):
        yield opened


def shaken(opened: socket.socket, behind: bytes = b"") -> bytes:
    """Open a stream; return what came behind the answer's head."""
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        f"GET /ws/{BOOK} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    opened.sendall(head.encode() + behind)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += opened.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return answer.partition(b"\r\n\r\n")[2]


def masked(first: int, payload: bytes) -> bytes:
    mask = os.urandom(4)
    body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    length = (
        struct.pack("!BB", first, 0x80 | len(payload))
        if len(payload) < 126
        else struct.pack("!BBH", first, 0x80 | 126, len(payload))
    )
    return length + mask + body


def frames(opened: ssl.SSLSocket, buffered: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the frames that the gateway sends until it ends the connection."""
    while True:
        while len(buffered) < 4 or len(buffered) < whole(buffered):
            try:
                fresh = opened.recv(65_536)
            except (ConnectionResetError, ssl.SSLEOFError):
                return
            if not fresh:
                return
            buffered += fresh
        size, at = whole(buffered), 2 if buffered[1] < 126 else 4
        yield buffered[0], buffered[at:size]
        buffered = buffered[size:]


def whole(buffered: bytes) -> int:
    """Return how long the first frame is; no test has one of 64 KiB."""
    short = buffered[1] & 0x7F
    return 2 + short if short < 126 else 4 + int.from_bytes(buffered[2:4])


def closed(opened: ssl.SSLSocket, buffered: bytes) -> int:
    """Return the code of the close frame that must come, and be the last."""
    found = [payload for first, payload in frames(opened, buffered) if first == CLOSE]
    assert len(found) == 1
    return int.from_bytes(found[0][:2])


WRONG = {
    "a frame without mask": (b"\x81\x02{}", 1002),
    "a reserved bit": (masked(0xC1, b"{}"), 1002),
    "a reserved opcode": (masked(0x83, b""), 1002),
    "a control frame in parts": (masked(0x09, b""), 1002),
    "a continuation of nothing": (masked(0x80, b"x"), 1002),
    "a text that is not UTF-8": (masked(TEXT, b"\xff"), 1007),
    "a message that is too large": (masked(0x01, b"x" * 16_000) + masked(0x80, b"x" * 400), 1009),
    "a close code that is never sent": (masked(CLOSE, b"\x03\xed"), 1002),
    "bytes behind a close": (masked(CLOSE, b"\x03\xe8") + b"\x00", 1000),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_client_that_breaks_the_protocol_is_closed_with_its_code(stage: Stage, case: str) -> None:
    sent, code = WRONG[case]
    with closing_socket(stage) as opened:
        behind = shaken(opened)
        opened.sendall(sent)
        assert closed(opened, behind) == code


def test_frames_behind_the_handshake_are_not_lost(stage: Stage) -> None:
    with closing_socket(stage) as opened:
        behind = shaken(opened, masked(PING, b"early"))
        assert (PONG, b"early") in islice(frames(opened, behind), 20)


def test_a_ping_between_the_parts_of_a_message_is_answered(stage: Stage) -> None:
    text = b'{"method":"LIST_SUBSCRIPTIONS","id":1}'
    with closing_socket(stage) as opened:
        behind = shaken(opened)
        opened.sendall(masked(0x01, text[:9]) + masked(PING, b"p") + masked(0x80, text[9:]))
        assert (PONG, b"p") in islice(frames(opened, behind), 20)


# Against a venue that misbehaves.


@contextmanager
def venue(answer: bytes) -> Iterator[str]:
    """Listen as a venue that answers every handshake rightly, and goes on with `answer`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        import hashlib

        while True:
            try:
                opened, _ = listener.accept()
            except OSError:
                return
            with opened:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += opened.recv(4096)
                lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
                key = {name.lower(): value for name, value in lines.items()}[b"sec-websocket-key"]
                salt = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                accept = base64.b64encode(hashlib.sha1(key + salt).digest())  # noqa: S324  RFC 6455
                opened.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n" + answer
                )
                opened.settimeout(2)
                try:
                    while opened.recv(4096):
                        pass
                except OSError:
                    pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"\r\n\x81\x82\0\0\0\0{}", 1014),
        (b"\r\n\x81\x01\xff", 1014),
        (b"\r\n\x88\x02\x03\xe9", 1001),
    ],
)
def test_what_a_venue_does_is_told_by_a_close_code(
    tmp_path: Path, answer: bytes, code: int
) -> None:
    with (
        venue(answer) as upstream,
        gateway(tmp_path, upstream) as url,
        connect(f"{url}/ws/{BOOK}") as opened,
    ):
        assert said(opened)[0] == code


def test_a_venue_that_chooses_what_nobody_offered_is_refused(tmp_path: Path) -> None:
    chosen = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    with (
        venue(chosen) as upstream,
        gateway(tmp_path, upstream) as url,
        pytest.raises(InvalidStatus) as refused,
        connect(f"{url}/ws/{BOOK}"),
    ):
        pass
    assert refused.value.response.status_code == 502


def test_streams_end_with_1001_when_the_gateway_drains(tmp_path: Path) -> None:
    with venue(b"\r\n") as upstream, gateway(tmp_path, upstream) as url:
        opened = connect(f"{url}/ws/{BOOK}")
    with opened:
        assert said(opened) == (1001, "the gateway is shutting down")


def status(folder: Path) -> dict[str, Any]:
    return ringfence("status", "-c", str(folder / "gw" / "ringfence.yaml"))


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_client_that_takes_nothing_is_cut_and_costs_no_memory(tmp_path: Path) -> None:
    flood = b"\r\n" + (b"\x82\x7e\xff\xff" + b"x" * 65_535) * 1_000
    hurry = {"body_timeout_ms": 300}
    with venue(flood) as upstream, gateway(tmp_path, upstream, hurry) as url:
        host, _, port = url.removeprefix("ws://").rpartition(":")
        with socket.create_connection((host, int(port))) as opened:
            shaken(opened)
            until(lambda: status(tmp_path)["connections_open"] == 0)
        assert status(tmp_path)["connections_timed_out"] == 1


def test_a_stream_on_which_nothing_is_said_is_closed(tmp_path: Path) -> None:
    with (
        venue(b"\r\n") as upstream,
        gateway(tmp_path, upstream, {"idle_timeout_ms": 300}) as url,
        connect(f"{url}/ws/{BOOK}") as opened,
    ):
        assert said(opened) == (1001, "nothing was said for too long")


def told_in_every_way() -> tuple[bytes, bytes]:
    """Return what a venue sends, and what a client must get of it, byte for byte."""
    sent, wanted = bytearray(), bytearray()
    for number in range(12_000):
        # Lengths of one, three and nine bytes, and more than is read at once, now and then.
        size = (7, 125, 126, 200, 1_500, 70_000 if number % 500 == 4 else 3)[number % 6]
        text = f"{number:<{size}}"[:size].encode()
        if number % 7 == 6 and size > 3:
            text = "€".encode() + text[3:]
        sent += parts(text) if number % 11 == 10 else framed(TEXT, text)
        wanted += framed(TEXT, text)
        if number % 13 == 12:
            both = framed(PING, b"p%d" % number) + framed(BINARY, bytes([255]) * (number % 300))
            sent += both
            wanted += both
    return bytes(sent), bytes(wanted)


def framed(first: int, payload: bytes) -> bytes:
    """Return a frame as a server writes it."""
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    return bytes([first, *((126,) if size < 65_536 else (127,))]) + (
        size.to_bytes(2 if size < 65_536 else 8) + payload
    )


def parts(text: bytes) -> bytes:
    """Return a text in three frames, cut where it may be inside a character."""
    return framed(0x01, text[:1]) + framed(0x00, text[1:2]) + framed(0x80, text[2:])


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_client_that_is_slower_than_the_venue_gets_every_byte(tmp_path: Path, tls: bool) -> None:
    sent, wanted = told_in_every_way()
    with venue(b"\r\n" + sent) as upstream, gateway(tmp_path, upstream, tls=tls) as url:
        host, _, port = url.rpartition("/")[2].rpartition(":")
        with socket.socket() as opened, ExitStack() as running:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
            opened.settimeout(20)
            opened.connect((host, int(port)))
            client: socket.socket = opened
            if tls:
                trusted = ssl.create_default_context(cafile=tmp_path / "gw" / "tls" / "ca.pem")
                client = running.enter_context(trusted.wrap_socket(opened, server_hostname=host))
            got = bytearray(shaken(client))
            while len(got) < len(wanted):
                fresh = client.recv(4_096)
                assert fresh, "the stream broke off"
                got += fresh
    assert got == wanted


@contextmanager
def gateway(
    folder: Path, upstream: str, http: dict[str, int] | None = None, *, tls: bool = False
) -> Iterator[str]:
    """Run a gateway in front of `upstream`, over TLS or not; yield its address."""
    state = str(folder / "gw")
    plain = [] if tls else ["--plain"]
    ringfence("init", *plain, "--listen", "127.0.0.1:0", "--upstream", upstream, state)
    file = Path(state) / "ringfence.yaml"
    text = file.read_text()
    for name, value in (http or {}).items():
        changed = re.sub(rf"{name}: \d+", f"{name}: {value}", text)
        assert changed != text
        text = changed
    file.write_text(text)
    with running(folder / "log", "serve", "-c", f"{state}/ringfence.yaml") as ready:
        yield "ws://" + ready["addresses"][0]
