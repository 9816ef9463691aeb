"""A credential as the store keeps it: who it speaks for, what it may do, and from where.

Reads no clock. Times are microseconds since the Unix epoch (UTC).
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from ringfence.errors import KeyTextError
from ringfence.identity.secret import MasterKey

__all__ = [
    "ALGORITHMS",
    "REACHES",
    "SCOPES",
    "Credential",
    "read_account",
    "read_allow",
    "read_key_id",
    "read_public_key",
    "read_scopes",
]

SCOPES = ("read", "trade", "withdraw", "transfer", "keys")
ALGORITHMS = ("hmac-sha256", "ed25519", "rsa-pkcs1-sha256")
RSA_BITS = range(2048, 8193)

REACHES = {
    "active": ("pre-active", "suspended", "active"),
    "suspended": ("active", "suspended"),
    "revoked": ("pre-active", "active", "suspended", "revoked"),
}
"""Each state, and those it can be reached from. Again is fine: a retry must reach the engine."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One API key. `public_key` is None for HMAC, whose secret is derived when it is needed."""

    key_id: str
    account: str
    algorithm: str
    scopes: tuple[str, ...]
    allow: tuple[str, ...]
    state: str
    created_us: int
    changed_us: int
    expires_us: int | None = None
    public_key: bytes | None = None
    why: str = ""

    def shown(self) -> dict[str, Any]:
        """Return what people and `--json` see: no material."""
        content = asdict(self)
        del content["public_key"]
        return content

    def for_engine(self, master: MasterKey) -> dict[str, Any]:
        """Return what the engine takes, with the material that verifies signatures."""
        material = self.public_key
        if material is None:
            material = master.secret(self.key_id).encode()
        return {
            "key_id": self.key_id,
            "algorithm": self.algorithm,
            "material": base64.b64encode(material).decode(),
            "account": self.account,
            "scopes": list(self.scopes),
            "allow": list(self.allow),
            "expires_us": self.expires_us,
            "state": self.state,
        }


def read_account(text: str) -> str:
    """Check an account's name.

    Raises:
        KeyTextError: it is not 1 to 64 letters, digits, '.', '_', '-' or '@'.
    """
    if not re.fullmatch(r"[A-Za-z0-9._@-]{1,64}", text):
        hint = "use 1 to 64 letters, digits, '.', '_', '-' and '@'"
        raise KeyTextError(f"{text!r} is not an account name", hint=hint)
    return text


def read_key_id(text: str) -> str:
    """Check a credential's id.

    Raises:
        KeyTextError: it is not 8 to 64 letters, digits, '_' or '-'.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{8,64}", text):
        hint = "use 8 to 64 letters, digits, '_' and '-', or leave it out"
        raise KeyTextError(f"{text!r} is not a credential id", hint=hint)
    return text


def read_scopes(words: Sequence[str]) -> tuple[str, ...]:
    """Return scopes in our order, each once.

    Raises:
        KeyTextError: there is none, or one is unknown.
    """
    hint = "scopes: " + ", ".join(SCOPES)
    if not words:
        raise KeyTextError("a credential without a scope could do nothing", hint=hint)
    for word in words:
        if word not in SCOPES:
            raise KeyTextError(f"{word!r} is not a scope", hint=hint)
    return tuple(scope for scope in SCOPES if scope in words)


def read_allow(words: Sequence[str]) -> tuple[str, ...]:
    """Return networks in canonical form, each once, in the order given.

    Raises:
        KeyTextError: there is none, or one is no network; nobody is allowed by silence.
    """
    hint = "write --allow 203.0.113.7/32 or --allow 2001:db8::/48; 0.0.0.0/0 is everybody"
    if not words:
        raise KeyTextError("a credential that no address may use is of no use", hint=hint)
    try:
        return tuple(dict.fromkeys(str(ipaddress.ip_network(word)) for word in words))
    except ValueError as e:
        raise KeyTextError(f"not a network: {e}", hint=hint) from e


def read_public_key(pem: bytes) -> tuple[str, bytes]:
    """Return (algorithm, material as the engine takes it) of a public key in PEM.

    Raises:
        KeyTextError: it is neither Ed25519 nor RSA of 2048 to 8192 bits.
    """
    hint = "give a PEM file that starts with -----BEGIN PUBLIC KEY-----"
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as e:
        raise KeyTextError("the public key cannot be read", hint=hint) from e
    if isinstance(key, Ed25519PublicKey):
        return "ed25519", key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    if isinstance(key, RSAPublicKey) and key.key_size in RSA_BITS:
        return "rsa-pkcs1-sha256", key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    raise KeyTextError("the public key is neither Ed25519 nor RSA of 2048 to 8192 bits", hint=hint)
