"""Native signatures for httpx, sync and async: `httpx.Client(auth=RingfenceAuth(key))`."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from ringfence.client.key import RingfenceKey

__all__ = ["RingfenceAuth"]


class RingfenceAuth(httpx.Auth):
    """Sign every request. A streamed body is read whole first, since its digest goes before it."""

    requires_request_body = True

    def __init__(self, key: RingfenceKey) -> None:
        """Keep the key."""
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the fields to one request."""
        host = request.headers["Host"]
        target = request.url.raw_path.decode("ascii")
        url = f"{request.url.scheme}://{host}{target}"
        for name in ("Content-Digest", "Signature-Input", "Signature"):
            request.headers.pop(name, None)
        request.headers.update(self._key.sign(request.method, url, request.content))
        yield request
