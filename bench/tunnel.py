"""Many WebSockets on one connection of HTTP/2 (RFC 8441), held and asked for a sign of life."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes

__all__ = ["Tunnels"]

PATIENCE_S = 30
PIECE = 65_536


class Tunnels:
    """One connection and its streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin on a connection that speaks HTTP/2."""
        self._reader, self._writer = reader, writer
        self._http = H2Connection(H2Configuration(client_side=True))
        self._heard: dict[int, bytes] = {}
        """Of each stream that was opened, what has come since it was asked."""

    @classmethod
    async def open(
        cls, target: str, source: str, trusting: ssl.SSLContext, path: str, count: int
    ) -> Tunnels:
        """Open `count` WebSockets at `path` from `source`."""
        trusting.set_alpn_protocols(["h2"])
        host, _, port = target.rpartition(":")
        own = cls(
            *await asyncio.open_connection(host, int(port), local_addr=(source, 0), ssl=trusting)
        )
        own._http.initiate_connection()
        await own._until(lambda: SettingCodes.ENABLE_CONNECT_PROTOCOL in own._http.remote_settings)
        fields = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":authority", target),
            (":path", path),
            ("sec-websocket-version", "13"),
        ]
        for _ in range(count):
            own._http.send_headers(own._http.get_next_available_stream_id(), fields)
        await own._until(lambda: len(own._heard) == count)
        return own

    def __len__(self) -> int:
        return len(self._heard)

    async def living(self, ping: bytes, pong: bytes) -> int:
        """Return how many answer a ping from behind."""
        for stream in self._heard:
            self._heard[stream] = b""
            self._http.send_data(stream, ping)
        with suppress(TimeoutError):
            await self._until(lambda: all(heard == pong for heard in self._heard.values()))
        return sum(heard == pong for heard in self._heard.values())

    async def _until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self._writer.write(self._http.data_to_send())
                await self._writer.drain()
                if done():
                    return
                await self._hear()

    async def _hear(self) -> None:
        data = await self._reader.read(PIECE)
        if not data:
            raise SystemExit("the gateway has ended a connection of HTTP/2")
        for event in self._http.receive_data(data):
            match event:
                case ResponseReceived():
                    status = dict(event.headers)[b":status"]
                    if status != b"200":
                        raise SystemExit(f"no stream is opened by HTTP/2: {status.decode()}")
                    self._heard[event.stream_id] = b""
                case DataReceived():
                    self._heard[event.stream_id] += event.data
                    length = event.flow_controlled_length
                    self._http.acknowledge_received_data(length, event.stream_id)
                case StreamEnded() | StreamReset():
                    raise SystemExit("a stream of HTTP/2 has ended")
                case _:
                    pass
