"""Market streams: messages from a venue as fast as they go, through a gateway that reads each and a proxy that reads none."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.contender import GATE_CORE
from bench.drive import LOAD_CORE, Answer
from bench.gateway import Setting, lay
from bench.ledger import NOTHING
from bench.server import BenchError, free_address, serving
from bench.stage import Job, Stage
from bench.table import Row, Table, paired, rate

__all__ = ["streams"]

MESSAGE = b'{"e":"trade","s":"BTCUSDT","p":"60000.01","q":"0.5"}'.ljust(200)
FRAME = b"\x81\x7e" + len(MESSAGE).to_bytes(2) + MESSAGE
AT_ONCE = FRAME * 2_000
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
    """Measure how many messages of 200 bytes come through in a second."""
    folder, taken = stage.ground.folder, stage.ground.taken
    count = MESSAGES_PER_S * stage.pace.run_ms // 1000
    with ExitStack() as running:
        running.enter_context(pinned())
        venue = running.enter_context(flooding(count))
        address = free_address(taken)
        config = folder / "streams.conf"
        config.write_text(NGINX.format(folder=folder, address=address, venue=venue))
        command: list[str | Path] = ["nginx", "-c", config]
        log = folder / "streams.log"
        running.enter_context(serving("nginx", GATE_CORE, command, [address], log))
        base = lay(folder / "streams", venue)
        gateway = running.enter_context(stage.gateway("ringfence streams", Setting(), base))
        jobs: dict[str, Job] = {
            "direct": partial(taken_from, venue, count),
            "nginx": partial(taken_from, address, count),
            "ringfence": partial(taken_from, gateway.plain, count),
        }
        answers = stage.interleave("streams", jobs)
    rows = [
        Row(name, found, paired(found, answers["nginx"], rate)) for name, found in answers.items()
    ]
    notes = [
        "one connection; nginx passes bytes, ringfence reads and writes every message",
        "venue and client share core 0",
    ]
    title = "market data over WebSocket, messages of 200 bytes"
    return [Table("streams", title, "/s", "× nginx", rows, notes)]


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
def flooding(count: int) -> Iterator[str]:
    """Listen as a venue that sends `count` messages to whoever opens a stream."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                opened, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=flood, args=[opened, count], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def flood(opened: socket.socket, count: int) -> None:
    """Answer one handshake, and send."""
    with opened:
        lines = head(opened)[0].split(b"\r\n")[1:]
        fields = dict(line.split(b": ", 1) for line in lines if line)
        key = {name.lower(): value for name, value in fields.items()}[b"sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1(key + SALT).digest())
        opened.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        try:
            for _ in range(count // 2_000):
                opened.sendall(AT_ONCE)
            opened.recv(1)
        except OSError:
            # Whoever measured has what it wanted.
            return


def taken_from(address: str, count: int, _round: int) -> Answer:
    """Open a stream and take all of it; return how fast it came.

    Raises:
        BenchError: it was refused, or broke off.
    """
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as opened:
        key = base64.b64encode(os.urandom(16)).decode()
        opened.sendall(
            f"GET /ws/btcusdt@trade HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        answer, behind = head(opened)
        if not answer.startswith(b"HTTP/1.1 101"):
            raise BenchError(f"{address} opens no stream: {answer[:80]!r}")
        wanted, got = count // 2_000 * len(AT_ONCE), len(behind)
        buffer = bytearray(1 << 18)
        start = time.perf_counter()
        while got < wanted:
            fresh = opened.recv_into(buffer)
            if not fresh:
                raise BenchError(f"the stream from {address} broke off")
            got += fresh
        took = time.perf_counter() - start
    return replace(NOTHING, rate=count / took, completed=count)


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
