"""The paper venue as a server: uvicorn in front of the exchange, with faults for tests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import signal
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from starlette.applications import Starlette

from ringfence.venue.exchange import Exchange
from ringfence.venue.identity import Authenticator, Caller
from ringfence.venue.instruments import load_instruments, load_start
from ringfence.venue.keys import KeyBook, VenueKey
from ringfence.venue.rest import routes
from ringfence.venue.shapes import SHAPES
from ringfence.venue.stream import Streams

__all__ = ["Faults", "PaperVenue", "Received", "VenueConfig", "read_attestation_key", "serve"]

RECEIVED_KEPT = 10_000
START_SECONDS = 10.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class VenueConfig:
    """How to run a venue. Port 0 takes a free one. `key` is what the gateway attests with.

    With `own_keys` it verifies signatures by them itself, and takes nobody's word for who acts.
    `venue` is whose API it speaks: a name in `ringfence.venue.shapes.SHAPES`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    key: bytes | Ed25519PublicKey | None = None
    direct_keys: Mapping[str, str] = field(default_factory=dict)
    own_keys: Mapping[str, VenueKey] | None = None
    seed: int = 7
    venue: str = "binance"


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived, for tests."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Faults:
    """What goes wrong: `delay_ms` before the answer, or a connection that is dropped."""

    delay_ms: int = 0
    drop_after: bool = False
    """Do what is asked, then hang up without an answer."""


def read_attestation_key(path: Path) -> bytes | Ed25519PublicKey:
    """Read what verifies attestations: base64 text (HS256) or a public key in PEM (EdDSA).

    Raises:
        ValueError: it is neither.
    """
    text = path.read_text()
    if text.startswith("-----BEGIN PUBLIC KEY"):
        key = load_pem_public_key(text.encode())
        if isinstance(key, Ed25519PublicKey):
            return key
        raise ValueError(f"{path} is not an Ed25519 public key")
    return base64.b64decode(text.strip(), validate=True)


class PaperVenue:
    """A venue that runs in a thread of its own: `start`, use `url`, `stop`."""

    def __init__(self, config: VenueConfig) -> None:
        self.faults = Faults()
        self.received: deque[Received] = deque(maxlen=RECEIVED_KEPT)
        shape = SHAPES[config.venue]
        self.exchange = Exchange(
            load_instruments(shape.name), config.seed, start=load_start(shape.name)
        )
        self._caller = Caller(config.key, config.direct_keys)
        asked: Authenticator = self._caller
        if config.own_keys is not None:
            asked = KeyBook(config.own_keys, config.venue)
        self._streams = Streams(shape.feed(self.exchange), asked, config.own_keys or {})
        self.exchange.on_trade = self._streams.on_trade
        self.exchange.on_change = self._streams.on_change
        app = Starlette(
            routes=[*routes(shape, self.exchange, asked), *self._streams.routes()],
            lifespan=self._lifespan,
        )
        self._socket = socket.create_server((config.host, config.port), backlog=1024)
        self.exchange.address = self.url
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._watched(app), log_level="error", access_log=False, server_header=False
            )
        )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens, as `http://host:port`."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    def trust(self, key: bytes | Ed25519PublicKey) -> None:
        """Believe whom the holder of `key` attests from now on."""
        self._caller.key = key

    def start(self) -> None:
        """Serve in a thread. The socket listens already, so that clients may connect at once."""
        self._thread = threading.Thread(target=self.run, name="paper-venue", daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Serve in this thread until stopped."""
        self._server.run(sockets=[self._socket])

    def end(self) -> None:
        """End soon, also if it has not begun to serve."""
        self._server.should_exit = True

    def stop(self) -> None:
        """End, and wait for the thread."""
        self.end()
        if self._thread is not None:
            self._thread.join(START_SECONDS)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        telling = asyncio.create_task(self._streams.run())
        yield
        telling.cancel()

    def _watched(self, app: Starlette) -> Any:
        """Return `app` with every request kept, and the faults applied."""

        async def watched(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            query = scope["query_string"].decode()
            target = scope["path"] + (f"?{query}" if query else "")
            headers = tuple((k.decode(), v.decode("latin-1")) for k, v in scope["headers"])
            self.received.append(Received(scope["method"], target, headers))
            if self.faults.delay_ms:
                await asyncio.sleep(self.faults.delay_ms / 1000)
            if self.faults.drop_after:
                await app(scope, receive, _swallow)
                raise ConnectionAbortedError("dropped, as the test wants")
            await app(scope, receive, send)

        return watched


async def _swallow(_message: Message) -> None:
    """Send nothing."""


def serve(config: VenueConfig, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told the URL once connections are taken.

    Raises:
        OSError: the address cannot be had.
    """
    venue = PaperVenue(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Until uvicorn has handlers of its own, and after: it ends on them and raises them again,
        # which would look like a crash.
        signal.signal(number, lambda *_: venue.end())
    ready(venue.url)
    venue.run()
