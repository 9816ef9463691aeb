"""Where a gateway's admin API is: at a socket on this machine, or behind a listener elsewhere."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ringfence.api.reach import reach
from ringfence.errors import FileError, RequestError

__all__ = ["TIMEOUT_SECONDS", "Beside", "Elsewhere", "runs"]

TIMEOUT_SECONDS = 10


class Connection(http.client.HTTPConnection):
    """HTTP/1.1 over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_SECONDS) -> None:
        """Keep the socket's path; `Host` is of no meaning here."""
        super().__init__("ringfence", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with reach(self._path) as name:
            self.sock.connect(name)


def runs(path: Path) -> bool:
    """Tell whether a gateway answers on the socket `path`."""
    connection = Connection(path)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


class Elsewhere:
    """A gateway on another machine: where it is, whom to trust, and how to sign.

    `sign` returns the header fields of a request by its method, URL and body.
    """

    def __init__(
        self, url: str, ca: Path | None, sign: Callable[[str, str, bytes], Mapping[str, str]]
    ) -> None:
        """Keep them.

        Raises:
            RequestError: `url` is not `https://HOST:PORT`.
            FileError: there are no roots in the file `ca`.
        """
        parts = urlsplit(url)
        beside = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username
        if parts.scheme != "https" or not parts.hostname or beside:
            hint = "write https://HOST:PORT, as the listener of ringfence-admin has it"
            raise RequestError(f"{url!r} is not a gateway's address", hint=hint)
        self._address, self._url, self._sign = parts.netloc, url.rstrip("/"), sign
        try:
            self._trusting = ssl.create_default_context(cafile=ca)
        except OSError as e:
            raise FileError(f"cannot read roots from {ca}: {e}") from e

    def __str__(self) -> str:
        """Return its address."""
        return self._url

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """Return a connection that is not open yet."""
        return http.client.HTTPSConnection(self._address, timeout=timeout_s, context=self._trusting)

    def written(
        self, method: str, target: str, body: dict[str, Any] | None
    ) -> tuple[bytes, dict[str, str]]:
        """Return a request's body and header fields: PEM texts in one line, and signed."""
        lines = None if body is None else {name: in_a_line(value) for name, value in body.items()}
        content, fields = as_json(lines)
        return content, {**fields, **self._sign(method, self._url + target, content)}


class Beside:
    """The gateway whose admin socket is here; the kernel tells it who asks."""

    def __init__(self, path: Path) -> None:
        """Keep the socket's path."""
        self._path = path

    def __str__(self) -> str:
        """Return the socket's path."""
        return str(self._path)

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """Return a connection that is not open yet."""
        return Connection(self._path, timeout_s)

    def written(
        self, _method: str, _target: str, body: dict[str, Any] | None
    ) -> tuple[bytes, dict[str, str]]:
        """Return a request's body and header fields."""
        return as_json(body)


def as_json(body: dict[str, Any] | None) -> tuple[bytes, dict[str, str]]:
    """Return a body as JSON, and the header fields that say so."""
    if body is None:
        return b"", {}
    return json.dumps(body).encode(), {"Content-Type": "application/json"}


def in_a_line(value: Any) -> Any:
    """Return PEM text with spaces for its line ends, and anything else as it is."""
    if isinstance(value, list):
        return [in_a_line(one) for one in value]
    if isinstance(value, str) and value.startswith("-----BEGIN "):
        return " ".join(value.split("\n")).strip()
    return value
