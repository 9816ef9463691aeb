"""Doors of a venue: hosts that serve only the API or only WebSockets, and remember who came."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from websockets.frames import Frame
from websockets.streams import StreamReader

from ringfence.config.certificate import issue

__all__ = ["Door", "doors"]

GONE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
READ_BYTES = 65_536
OPEN_S = 10


@dataclass(slots=True)
class Visit:
    """One connection: how it began, and what followed from the client."""

    head: str
    rest: bytearray = field(default_factory=bytearray)

    def field(self, name: str) -> str:
        """Return a header field."""
        lines = (line.partition(": ") for line in self.head.split("\r\n"))
        return next((value for known, _, value in lines if known.lower() == name), "")

    def said(self) -> list[Any]:
        """Return the JSON that the client said on a WebSocket."""
        reader = StreamReader()
        reader.feed_data(bytes(self.rest))
        reader.feed_eof()
        texts = []
        with suppress(EOFError):
            while not ended(reader.at_eof()):
                frame: Frame = ended(Frame.parse(reader.read_exact, mask=True))
                texts += [bytes(frame.data)] if frame.opcode == 1 else []
        return [json.loads(text) for text in texts]


def ended(running: Generator[Any, None, Any]) -> Any:
    """Return what a parser returns to which everything has been fed."""
    try:
        next(running)
    except StopIteration as e:
        return e.value
    raise EOFError


@dataclass(slots=True)
class Door:
    """One host of the venue. What it does not serve is answered with 404."""

    websockets: bool
    venue: tuple[str, int]
    address: str = ""
    visits: list[Visit] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)

    @property
    def paths(self) -> set[str]:
        """The paths that were asked for first on a connection."""
        return {visit.head.split(" ")[1].partition("?")[0] for visit in self.visits}

    def said(self) -> list[Any]:
        """Return all that was said on its WebSockets."""
        return [one for visit in self.visits for one in visit.said()]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            visit = Visit(head)
            if (visit.field("upgrade") == "websocket") != self.websockets:
                self.strays.append(head)
                writer.write(GONE)
            else:
                self.visits.append(visit)
                far_reader, far = await asyncio.open_connection(*self.venue)
                far.write(head.encode())
                there = carry(reader, far, visit.rest)
                await asyncio.gather(there, carry(far_reader, writer, bytearray()))
        writer.close()


async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter, kept: bytearray) -> None:
    with suppress(OSError):
        while some := await source.read(READ_BYTES):
            kept += some
            sink.write(some)
            await sink.drain()
    sink.close()


@contextmanager
def doors(folder: Path, venue: str, names: Iterable[str]) -> Iterator[dict[str, Door]]:
    """Yield open doors to the venue at a URL: `api`, plain, and over TLS one of each name.

    What verifies those is in `doors.pem`.
    """
    host, _, port = venue.removeprefix("http://").rpartition(":")
    made = {name: Door(name != "api", (host, int(port))) for name in ("api", *names)}
    issued = issue("127.0.0.1:0")
    (folder / "doors.pem").write_bytes(issued.ca)
    (folder / "door.pem").write_bytes(issued.certificate + issued.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "door.pem")
    opened: Future[Callable[[], Any]] = Future()

    async def stand() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            for door in made.values():
                tls = context if door.websockets else None
                server = await asyncio.start_server(door.serve, "127.0.0.1", 0, ssl=tls)
                await stack.enter_async_context(server)
                door.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            opened.set_result(partial(loop.call_soon_threadsafe, ended.set))
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(stand()), daemon=True)
    thread.start()
    end = opened.result(OPEN_S)
    try:
        yield made
    finally:
        end()
        thread.join()
