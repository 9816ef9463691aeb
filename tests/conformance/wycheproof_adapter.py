"""The product's own verification as the crypto suite's runner calls it: raises, or returns True."""

from __future__ import annotations

import base64
from typing import Any

from ringfence.engine import Secret, read_jwk, verify_signature
from ringfence.engine import verify_jws as verify_token
from ringfence.identity.keypair import read_public_key


def public(der: bytes) -> Secret:
    """Return a public key as `key create --public-key` reads it."""
    text = base64.encodebytes(der).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{text}-----END PUBLIC KEY-----\n"
    return Secret(*read_public_key(pem.encode()))


def verify_mac(algorithm: str, key: bytes, message: bytes, tag: bytes) -> bool:
    if algorithm != "HMACSHA256":
        raise NotImplementedError(algorithm)
    verify_signature(message, tag, Secret("hmac-sha256", key))
    return True


def verify_ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    verify_signature(message, signature, Secret("ed25519", key))
    return True


def verify_ecdsa(der: bytes, digest: str, message: bytes, signature: bytes, fixed: bool) -> bool:
    if digest != "SHA-256":
        raise NotImplementedError(digest)
    verify_signature(message, signature, public(der), der=not fixed)
    return True


def verify_rsa_pkcs1(der: bytes, digest: str, message: bytes, signature: bytes) -> bool:
    if digest != "SHA-256":
        raise NotImplementedError(digest)
    verify_signature(message, signature, public(der))
    return True


def verify_jws(jwk: dict[str, Any], token: str) -> bool:
    if jwk["kty"] == "oct":
        secret = base64.urlsafe_b64decode(jwk["k"] + "=" * (-len(jwk["k"]) % 4))
        verify_token(token, Secret("hmac-sha256", secret))
    else:
        verify_token(token, read_jwk(jwk).key)
    return True
