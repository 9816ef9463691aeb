"""A passkey in software, by the standard and, on demand, not: each switch breaks one thing.

Source: W3C Web Authentication Level 3, section 6.1 (authenticator data) and 5.8.1 (client data).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

__all__ = ["RP", "SITE", "Authenticator", "b64"]

RP = "localhost"
SITE = "http://localhost:9443"

UP, UV, BE, BS, AT = 1, 4, 8, 16, 64
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def b64(content: bytes) -> str:
    """Return base64url text without padding."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def cose(key: Key, alg: int | None) -> bytes:
    """Return a public key as COSE has it, under the algorithm's own number or `alg`."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes_raw()
        return cbor2.dumps({1: 1, 3: alg or -8, -1: 6, -2: raw})
    if isinstance(key, rsa.RSAPrivateKey):
        n = key.public_key().public_numbers()
        modulus = n.n.to_bytes(key.key_size // 8, "big")
        return cbor2.dumps({1: 3, 3: alg or -257, -1: modulus, -2: n.e.to_bytes(3, "big")})
    point = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    curve = {256: 1, 384: 2, 521: 3}[key.curve.key_size]
    x, y = point.x.to_bytes(size, "big"), point.y.to_bytes(size, "big")
    return cbor2.dumps({1: 2, 3: alg or -7, -1: curve, -2: x, -3: y})


@dataclass
class Authenticator:
    """One passkey on one device."""

    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0
    step: int = 1
    flags: int = UP | UV
    rp: str = RP
    origin: str = SITE
    client: dict[str, Any] = field(default_factory=dict)
    """What client data has beside, or instead."""
    fmt: str = "none"
    alg: int | None = None
    handle: bytes | None = None
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    """What the PRF is keyed with; it never leaves the device."""

    def create(self, challenge: bytes, **extensions: Any) -> dict[str, Any]:
        """Answer as `navigator.credentials.create()` does."""
        at = len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self._data(self.flags | AT) + bytes(16) + at + cose(self.key, self.alg)
        statement = {"fmt": self.fmt, "attStmt": {}, "authData": data}
        client = self._client("webauthn.create", challenge)
        response = {"clientDataJSON": b64(client), "attestationObject": b64(cbor2.dumps(statement))}
        return self._answer(response, extensions)

    def get(self, challenge: bytes, **extensions: Any) -> dict[str, Any]:
        """Answer as `navigator.credentials.get()` does."""
        self.count += self.step
        client, data = self._client("webauthn.get", challenge), self._data(self.flags)
        signature = self._sign(data + hashlib.sha256(client).digest())
        response = {
            "clientDataJSON": b64(client),
            "authenticatorData": b64(data),
            "signature": b64(signature),
        }
        if self.handle is not None:
            response["userHandle"] = b64(self.handle)
        return self._answer(response, extensions)

    def prf(self, given: bytes) -> bytes:
        """Return what the PRF evaluates to (section 10.1.4, over CTAP2's hmac-secret)."""
        salt = hashlib.sha256(b"WebAuthn PRF\0" + given).digest()
        return hmac.digest(self.secret, salt, "sha256")

    def _answer(self, response: dict[str, str], extensions: dict[str, Any]) -> dict[str, Any]:
        named = b64(self.credential_id)
        answer = {"id": named, "rawId": named, "type": "public-key", "response": response}
        return {**answer, "clientExtensionResults": extensions}

    def _client(self, kind: str, challenge: bytes) -> bytes:
        said = {"type": kind, "challenge": b64(challenge), "origin": self.origin}
        return json.dumps({**said, "crossOrigin": False, **self.client}).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)

    def _sign(self, content: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(content)
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(content, padding.PKCS1v15(), SHA256())
        return self.key.sign(content, ec.ECDSA(SHA256()))
