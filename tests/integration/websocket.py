"""The synchronous WebSocket client, over TLS one thread at a time.

websockets reads in a thread of its own. Before Python 3.13 nothing keeps two threads from using
one TLS connection of OpenSSL at once (CPython gh-124984): now and then a handshake ended in an EOF
that nobody had sent.
"""

from __future__ import annotations

import select
import ssl
import threading
from typing import Any

from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_any

__all__ = ["ClientConnection", "connect"]

LOOK_S = 0.1
"""How often a reader looks whether the socket was closed under it."""


class InTurn(ssl.SSLSocket):
    """A TLS socket that one thread uses at a time."""

    @property
    def turn(self) -> threading.Lock:
        lock: threading.Lock = self.__dict__.setdefault("_turn", threading.Lock())
        return lock

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        while self.fileno() >= 0:
            if not self.pending() and not select.select([self], [], [], LOOK_S)[0]:
                continue
            with self.turn:
                patience = self.gettimeout()
                self.settimeout(0)
                try:
                    return super().recv(buflen, flags)
                except ssl.SSLWantReadError:
                    pass  # a record that is no data, or part of one
                finally:
                    self.settimeout(patience)
        return b""

    def sendall(self, data: Any, flags: int = 0) -> None:
        with self.turn:
            super().sendall(data, flags)


def connect(uri: str, **options: Any) -> ClientConnection:
    """Connect as `websockets.sync.client.connect` does."""
    if isinstance(context := options.get("ssl"), ssl.SSLContext):
        context.sslsocket_class = InTurn
    connection: ClientConnection = connect_any(uri, **options)
    return connection
