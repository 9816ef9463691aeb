"""Native signatures for aiohttp: `aiohttp.ClientSession(middlewares=[RingfenceAuth(key)])`."""

from __future__ import annotations

import aiohttp
from aiohttp import hdrs

from ringfence.client.key import RingfenceKey

__all__ = ["RingfenceAuth"]


class RingfenceAuth:
    """Sign every request, the handshakes of WebSockets too, as a client middleware.

    A streamed body is read whole first, since its digest goes before it.
    """

    def __init__(self, key: RingfenceKey) -> None:
        """Keep the key."""
        self._key = key

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Add the fields to one request and send it."""
        payload = request.body
        body = await payload.as_bytes() if isinstance(payload, aiohttp.Payload) else payload
        if body and not isinstance(payload, aiohttp.BytesPayload):
            # Once read, a stream is empty; and what is signed is what must be sent.
            request.chunked = None
            request.headers.popall(hdrs.TRANSFER_ENCODING, None)
            await request.update_body(body)
        for name in ("Content-Digest", "Signature-Input", "Signature"):
            request.headers.popall(name, None)
        host = request.headers[hdrs.HOST]
        url = f"{request.url.scheme}://{host}{request.url.raw_path_qs}"
        request.headers.update(self._key.sign(request.method, url, body or b""))
        return await handler(request)
