"""Native signatures for requests: `session.auth = RingfenceAuth(key)`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from ringfence.client.key import RingfenceKey

__all__ = ["RingfenceAuth"]


class RingfenceAuth(AuthBase):
    """Sign every request. A streamed body is read whole first, since its digest goes before it."""

    def __init__(self, key: RingfenceKey) -> None:
        """Keep the key."""
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the fields to one request."""
        body = whole(request.body)
        if body and request.body is not body:
            request.body = body
            request.headers.pop("Transfer-Encoding", None)
            request.headers["Content-Length"] = str(len(body))
        for name in ("Content-Digest", "Signature-Input", "Signature"):
            request.headers.pop(name, None)
        parts = urlsplit(request.url or "")
        host = request.headers.get("Host", parts.netloc.rpartition("@")[2])
        host = host.decode("ascii") if isinstance(host, bytes) else host
        url = f"{parts.scheme}://{host}{request.path_url}"
        request.headers.update(self._key.sign(request.method or "GET", url, body))
        return request


def whole(body: Any) -> bytes:
    """Return all of a body, whatever requests was given.

    Raises:
        TypeError: it yields something else than bytes and text.
    """
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        return whole(body.read())
    if isinstance(body, Iterable):
        return b"".join(whole(part) for part in body)
    raise TypeError(f"a body of {type(body).__name__} cannot be signed")
