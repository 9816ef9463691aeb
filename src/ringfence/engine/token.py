"""JSON Web Keys read and JSON Web Signatures verified, strictly."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from ringfence import _core
from ringfence.engine.call import named
from ringfence.engine.dialect import Secret

__all__ = ["Jwk", "read_jwk", "verify_jws", "verify_signature"]


@dataclass(frozen=True, slots=True)
class Jwk:
    """A public key: its name if it has one, what verifies, and its RFC 7638 thumbprint."""

    kid: str | None
    key: Secret
    thumbprint: str


def read_jwk(jwk: dict[str, Any]) -> Jwk:
    """Read a public key (RFC 7517): P-256, Ed25519 or RSA, and for nothing but signatures.

    Raises:
        EngineError: it is no such key, or not a public one.
    """
    with named():
        seen = json.loads(_core.read_jwk(json.dumps(jwk)))
    padded = seen["material"] + "=" * (-len(seen["material"]) % 4)
    material = base64.urlsafe_b64decode(padded)
    return Jwk(seen["kid"], Secret(seen["algorithm"], material), seen["thumbprint"])


def verify_jws(token: str, key: Secret) -> bytes:
    """Verify a compact JWS (RFC 7515) by `key`, for its own algorithm only; return the payload.

    Raises:
        EngineError: `signature_malformed`, `signature_algorithm`, `signature_invalid`, or
            `key_invalid`.
    """
    with named():
        payload: bytes = _core.verify_jws(token, key.algorithm, key.material)
    return payload


def verify_signature(message: bytes, signature: bytes, key: Secret, *, der: bool = False) -> None:
    """Verify a bare signature; `der` says that an ECDSA signature is written in DER.

    Raises:
        EngineError: `signature_malformed`, `signature_invalid`; `key_invalid`.
    """
    text = base64.b64encode(signature).decode()
    with named():
        _core.verify_signature(message, text, der, key.algorithm, key.material)
