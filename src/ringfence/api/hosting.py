"""Serves an application from a thread of its own, on a socket that is open already."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ringfence.errors import FileError

__all__ = ["hosted"]

START_SECONDS = 10
STOP_SECONDS = 5


class Settings(uvicorn.Config):
    """Settings with TLS that was made ready by us: its key may be in memory alone."""

    def __init__(
        self, application: Callable[..., Any], tls: ssl.SSLContext | None, **more: Any
    ) -> None:
        """Keep the TLS context; None: plain."""
        super().__init__(application, **more)
        self._tls = tls

    def load(self) -> None:
        """Load, then put the TLS context in its place."""
        super().load()
        self.ssl = self._tls


@contextmanager
def hosted(
    application: Callable[..., Any],
    listener: socket.socket,
    what: str,
    protocol: type[H11Protocol] = H11Protocol,
    tls: ssl.SSLContext | None = None,
    most: int | None = None,
) -> Iterator[None]:
    """Serve `application` on `listener` as long as the context lasts; `what` names it to people.

    `most`: connections at once; what comes beyond is turned away.

    Raises:
        FileError: it did not start.
    """
    config = Settings(
        application,
        tls,
        http=protocol,
        ws="none",
        lifespan="off",
        # Or a header could say who asks.
        proxy_headers=False,
        server_header=False,
        log_config=None,
        access_log=False,
        limit_concurrency=most,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = uvicorn.Server(config)
    name = f"ringfence-{what.rpartition(' ')[2].lower()}"
    thread = threading.Thread(target=server.run, args=([listener],), name=name, daemon=True)
    thread.start()
    try:
        wait_until_started(server, thread, what)
        yield
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS * 2)


def wait_until_started(server: uvicorn.Server, thread: threading.Thread, what: str) -> None:
    """Return when the server answers.

    Raises:
        FileError: it ended, or did not start in START_SECONDS.
    """
    tick = threading.Event()
    for _ in range(START_SECONDS * 200):
        if server.started:
            return
        if not thread.is_alive():
            break
        tick.wait(0.005)
    raise FileError(f"{what} did not start")
