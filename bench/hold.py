"""`python -m bench.hold venue|client …`: one end of many idle WebSockets, in a process of its own.

Both ends say on standard output how many they hold, whenever they are asked by a line on standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import ssl
import sys
from itertools import cycle

from bench.streams import accepted
from bench.tunnel import Tunnels

__all__: list[str] = []

AT_ONCE = 64
BACKLOG = 4_096
PATH = "/ws/btcusdt@trade"
PING, PONG = bytes([0x89, 0x80, 0, 0, 0, 0]), bytes([0x8A, 0])

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def opened(target: str, source: str, trusting: ssl.SSLContext | None) -> Streams:
    """Open one stream from `source`."""
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(
        host, int(port), local_addr=(source, 0), ssl=trusting, limit=1024
    )
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET {PATH} HTTP/1.1\r\nHost: {target}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise SystemExit(f"{target} opens no stream: {head[:80]!r}")
    return reader, writer


async def lives(stream: Streams) -> bool:
    """Tell whether a ping comes back from the venue behind."""
    reader, writer = stream
    writer.write(PING)
    try:
        return await asyncio.wait_for(reader.readexactly(len(PONG)), 30) == PONG
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        return False


async def client(target: str, count: int, sources: list[str], ca: str | None) -> None:
    """Hold `count` streams; say so, and when asked, how many of them still live."""
    trusting = None if ca is None else ssl.create_default_context(cafile=ca)
    places = asyncio.Semaphore(AT_ONCE)

    async def one(source: str) -> Streams:
        async with places:
            return await opened(target, source, trusting)

    pairs = zip(range(count), cycle(sources), strict=False)
    held = await asyncio.gather(*(one(source) for _, source in pairs))
    print(len(held), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(sum([await lives(stream) for stream in held]), flush=True)


async def by_http2(
    target: str, count: int, sources: list[str], ca: str | None, together: int
) -> None:
    """Do the same, `together` of them on each connection of HTTP/2."""
    trusting = ssl.create_default_context(cafile=ca)
    held: list[Tunnels] = []
    for start, source in zip(range(0, count, together), cycle(sources), strict=False):
        some = min(together, count - start)
        held.append(await Tunnels.open(target, source, trusting, PATH, some))
    print(sum(map(len, held)), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(sum([await one.living(PING, PONG) for one in held]), flush=True)


async def venue(listen: str, certificate: str | None, key: str | None) -> None:
    """Listen, answer handshakes and pings; say so."""
    secure = None
    if certificate is not None:
        secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secure.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(accepted(head))
        try:
            # The gateway masks with a key of its own; an empty ping has nothing that is masked.
            while await reader.readexactly(len(PING)):
                writer.write(PONG)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    host, _, port = listen.rpartition(":")
    await asyncio.start_server(serve, host, int(port), backlog=BACKLOG, limit=1024, ssl=secure)
    print(listen, flush=True)
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Be one end until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("end", choices=("venue", "client"))
    parser.add_argument("--target")
    parser.add_argument("--listen")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--source", action="append", default=[])
    parser.add_argument("--ca")
    parser.add_argument("--together", type=int, help="so many on one connection of HTTP/2")
    said = parser.parse_args()
    if said.end == "venue":
        asyncio.run(venue(said.listen, said.certificate, said.key))
    elif said.together:
        asyncio.run(by_http2(said.target, said.count, said.source, said.ca, said.together))
    else:
        asyncio.run(client(said.target, said.count, said.source, said.ca))


if __name__ == "__main__":
    main()
