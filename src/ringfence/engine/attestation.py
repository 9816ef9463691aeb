"""Verifies `X-Ringfence-Attestation`, by which the engine says who is behind a request.

The format is in docs/attestation.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ringfence.errors import AttestationError

__all__ = ["verify"]


def verify(
    attestation: str,
    key: bytes | Ed25519PublicKey,
    method: str,
    target: str,
    body: bytes,
    now_s: float,
) -> dict[str, Any]:
    """Return the claims of an attestation for this very request.

    `key` is the shared secret (HS256) or the gateway's public key (EdDSA); the header must name
    that algorithm. Spending `jti` once is up to the caller.

    Raises:
        AttestationError: it is malformed, forged, expired, or made for another request.
    """
    try:
        header, payload, signature = attestation.split(".")
        algorithm = json.loads(_unb64(header))["alg"]
        signed, raw = f"{header}.{payload}".encode(), _unb64(signature)
        claims: dict[str, Any] = json.loads(_unb64(payload))
        made_for = (claims["htm"], claims["htu"], _unb64(claims["bsha"]))
        expires_s = float(claims["exp"])
    except (ValueError, KeyError, TypeError) as e:
        raise AttestationError("malformed") from e
    if isinstance(key, bytes):
        if algorithm != "HS256" or not hmac.compare_digest(
            hmac.digest(key, signed, hashlib.sha256), raw
        ):
            raise AttestationError("wrong signature")
    else:
        try:
            key.verify(raw if algorithm == "EdDSA" else b"", signed)
        except InvalidSignature as e:
            raise AttestationError("wrong signature") from e
    if expires_s <= now_s:
        raise AttestationError("expired")
    if made_for != (method, target, hashlib.sha256(body).digest()):
        raise AttestationError("made for another request")
    return claims


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
