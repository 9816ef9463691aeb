"""Streams: messages either way as fast as they go, through a gateway that reads each and a proxy that reads none."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.contender import GATE_CORE
from bench.drive import LOAD_CORE, Answer
from bench.example import NOTHING
from bench.gateway import Setting, lay
from bench.server import BenchError, free_address, serving
from bench.stage import Job, Stage
from bench.table import Row, Table, paired, rate

__all__ = ["accepted", "streams"]

MESSAGE = b'{"e":"trade","s":"BTCUSDT","p":"60000.01","q":"0.5"}'.ljust(200)
FRAME = b"\x81\x7e" + len(MESSAGE).to_bytes(2) + MESSAGE
ASKED = b'{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}'
MASK = b"\x12\x34\x56\x78"
MASKED = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(ASKED))
ASKING = bytes([0x81, 0x80 | len(ASKED)]) + MASK + MASKED
AT_ONCE = 2_000
"""Messages in one write."""
TOLD, TAKEN = "/ws/btcusdt@trade", "/ws/taken"
"""Streams on which the venue talks, and on which it listens."""
DONE = b"\x81\x04done"
MESSAGES_PER_S = 300_000
"""So many messages for each second of a round."""
SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NGINX = """
daemon off; worker_processes 1; pid {folder}/streams.pid; error_log {folder}/streams.error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  server {{
    listen {address};
    location / {{
      proxy_pass http://{venue};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }}
  }}
}}
"""

Done = dict[str, Table]


def streams(stage: Stage, _done: Done) -> list[Table]:
    """Measure how many messages come through in a second, from the venue and to it."""
    folder, taken = stage.ground.folder, stage.ground.taken
    count = max(MESSAGES_PER_S * stage.pace.run_ms // 1000 // AT_ONCE, 1) * AT_ONCE
    with ExitStack() as running:
        running.enter_context(pinned())
        venue = running.enter_context(listening(count))
        address = free_address(taken)
        config = folder / "streams.conf"
        config.write_text(NGINX.format(folder=folder, address=address, venue=venue))
        command: list[str | Path] = ["nginx", "-c", config]
        log = folder / "streams.log"
        running.enter_context(serving("nginx", GATE_CORE, command, [address], log))
        base = lay(folder / "streams", venue)
        gateway = running.enter_context(stage.gateway("ringfence streams", Setting(), base))
        places = {"direct": venue, "nginx": address, "ringfence": gateway.plain}
        told = compared(stage, "streams", places, partial(taken_from, count=count))
        said = compared(stage, "asked", places, partial(given_to, count=count))
    notes = [
        "one connection; nginx passes bytes, ringfence reads every message",
        "venue and client share core 0",
    ]
    listed = [*notes, "every message is looked up in the list of what may be said, and masked anew"]
    market = f"market data over WebSocket, messages of {len(MESSAGE)} bytes"
    asked = f"a client's messages over WebSocket, {len(ASKED)} bytes each"
    return [
        Table("streams", market, "/s", "× nginx", told, notes),
        Table("asked", asked, "/s", "× nginx", said, listed),
    ]


def compared(
    stage: Stage, key: str, places: dict[str, str], measure: Callable[..., Answer]
) -> list[Row]:
    """Measure all of `places` in turns; a ratio is to nginx."""
    jobs: dict[str, Job] = {name: partial(at, measure, place) for name, place in places.items()}
    found = stage.interleave(key, jobs)
    return [Row(name, one, paired(one, found["nginx"], rate)) for name, one in found.items()]


def at(measure: Callable[..., Answer], address: str, _round: int) -> Answer:
    """Measure once at `address`."""
    return measure(address)


@contextmanager
def pinned() -> Iterator[None]:
    """Keep this process, which is venue and client, off the contenders' core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def listening(count: int) -> Iterator[str]:
    """Listen as a venue that sends `count` messages, or takes as many, by the stream's path."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                opened, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=[opened, count], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def talk(opened: socket.socket, count: int) -> None:
    """Answer one handshake, and send or take."""
    try:
        with opened:
            asked, behind = head(opened)
            opened.sendall(accepted(asked))
            if asked.startswith(f"GET {TAKEN} ".encode()):
                drain(opened, count * len(ASKING) - len(behind))
                opened.sendall(DONE)
            else:
                for _ in range(count // AT_ONCE):
                    opened.sendall(FRAME * AT_ONCE)
            opened.recv(1)
    except (BenchError, OSError):
        # Whoever measured has what it wanted.
        return


def accepted(asked: bytes) -> bytes:
    """Return the answer to a handshake."""
    fields = dict(line.split(b": ", 1) for line in asked.split(b"\r\n")[1:] if line)
    key = {name.lower(): value for name, value in fields.items()}[b"sec-websocket-key"]
    accept = base64.b64encode(hashlib.sha1(key + SALT).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


@contextmanager
def stream(address: str, path: str) -> Iterator[tuple[socket.socket, bytes]]:
    """Open a stream; yield it, and what came behind the answer.

    Raises:
        BenchError: it was refused.
    """
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as opened:
        key = base64.b64encode(os.urandom(16)).decode()
        opened.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        answer, behind = head(opened)
        if not answer.startswith(b"HTTP/1.1 101"):
            raise BenchError(f"{address} opens no stream: {answer[:80]!r}")
        yield opened, behind


def taken_from(address: str, *, count: int) -> Answer:
    """Take all that the venue tells; return how fast it came."""
    with stream(address, TOLD) as (opened, behind):
        start = time.perf_counter()
        drain(opened, count * len(FRAME) - len(behind))
        took = time.perf_counter() - start
    return replace(NOTHING, rate=count / took, completed=count)


def given_to(address: str, *, count: int) -> Answer:
    """Send as fast as it is taken; return how fast the venue had it all.

    Raises:
        BenchError: the venue was told something else.
    """
    with stream(address, TAKEN) as (opened, _):
        start = time.perf_counter()
        for _ in range(count // AT_ONCE):
            opened.sendall(ASKING * AT_ONCE)
        answer = opened.recv(len(DONE), socket.MSG_WAITALL)
        took = time.perf_counter() - start
    if answer != DONE:
        raise BenchError(f"{address} passed on something else: {answer!r}")
    return replace(NOTHING, rate=count / took, completed=count)


def drain(opened: socket.socket, wanted: int) -> None:
    """Read so many bytes.

    Raises:
        BenchError: the stream broke off.
    """
    buffer = bytearray(1 << 18)
    while wanted > 0:
        fresh = opened.recv_into(buffer)
        if not fresh:
            raise BenchError("a stream broke off")
        wanted -= fresh


def head(opened: socket.socket) -> tuple[bytes, bytes]:
    """Read a head; return it, and what came behind it."""
    got = b""
    while b"\r\n\r\n" not in got:
        fresh = opened.recv(65_536)
        if not fresh:
            raise BenchError("a handshake broke off")
        got += fresh
    first, _, rest = got.partition(b"\r\n\r\n")
    return first, rest
