"""Who is behind a private request: whom the gateway attests, or (for tests) who signs directly.

A venue that holds its own keys asks a `ringfence.venue.keys.KeyBook` instead.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from ringfence.engine.attestation import verify
from ringfence.errors import AttestationError
from ringfence.venue.exchange import VenueRefusal

__all__ = ["Authenticator", "Caller"]

SPENT_KEPT = 100_000
"""Message ids remembered; an attestation lives 30 s."""


class Authenticator(Protocol):
    """Tells who is behind a private request."""

    def account(self, request: Request, body: bytes) -> str:
        """Return the account that acts.

        Raises:
            VenueRefusal: nobody is.
        """
        ...

    def listener(self, socket: WebSocket) -> str:
        """Return the account that listens; nobody's, if the handshake says none.

        Raises:
            VenueRefusal: what it says does not hold.
        """
        ...


class Caller:
    """Knows the attestation key, and optionally secrets of clients that come without a gateway."""

    def __init__(
        self, key: bytes | Ed25519PublicKey | None, direct: Mapping[str, str] | None = None
    ) -> None:
        self.key = key
        self._direct = direct or {}
        self._spent: OrderedDict[str, None] = OrderedDict()

    def account(self, request: Request, body: bytes) -> str:
        """Return the account that acts.

        Raises:
            VenueRefusal: -2015 when nobody vouches for the request.
        """
        attestation = request.headers.get("x-ringfence-attestation")
        if attestation is None or self.key is None:
            return self._direct_account(request, body)
        return self._attested(request, request.method, (attestation, self.key), body)

    def listener(self, socket: WebSocket) -> str:
        """Return the account that listens; nobody's, if none is attested.

        Raises:
            VenueRefusal: -2015 when the attestation does not hold.
        """
        attestation = socket.headers.get("x-ringfence-attestation")
        if attestation is None or self.key is None:
            return ""
        return self._attested(socket, "GET", (attestation, self.key), b"")

    def _attested(
        self,
        request: HTTPConnection,
        method: str,
        by: tuple[str, bytes | Ed25519PublicKey],
        body: bytes,
    ) -> str:
        attestation, key = by
        query = request.url.query
        target = request.url.path + (f"?{query}" if query else "")
        try:
            claims = verify(attestation, key, method, target, body, time.time())
        except AttestationError as e:
            raise VenueRefusal(-2015, f"Attestation refused: {e}.", 401) from e
        message = str(claims["jti"])
        if message in self._spent:
            raise VenueRefusal(-2015, "Attestation refused: used before.", 401)
        self._spent[message] = None
        if len(self._spent) > SPENT_KEPT:
            self._spent.popitem(last=False)
        return str(claims.get("sub", ""))

    def _direct_account(self, request: Request, body: bytes) -> str:
        key_id = request.headers.get("x-mbx-apikey", "")
        secret = self._direct.get(key_id)
        text = request.url.query + body.decode()
        payload, _, signature = text.rpartition("signature=")
        expected = hmac.new(
            (secret or "").encode(), payload.removesuffix("&").encode(), hashlib.sha256
        ).hexdigest()
        if secret is None or not hmac.compare_digest(expected, signature):
            message = "Invalid API-key, IP, or permissions for action."
            raise VenueRefusal(-2015, message, 401)
        return key_id
