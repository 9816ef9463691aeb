"""Key encryption keys: what wraps the data keys, and where it is kept.

A provider knows how to wrap and unwrap 32 bytes under a key that it holds or can reach, bound to
words that say what they are. `describe` is what the state folder keeps of it: no secret.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from ringfence.errors import SealError
from ringfence.identity.seal.unlock import Unlock

__all__ = ["KEY_BYTES", "Kek", "LocalKek", "make_kek", "reach_kek"]

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


class Kek(Protocol):
    """One key encryption key, within reach."""

    def describe(self) -> dict[str, Any]:
        """Return how to reach it again; in no part secret."""
        ...

    def wrap(self, key: bytearray, about: bytes) -> bytes:
        """Return `key` wrapped, bound to `about`."""
        ...

    def unwrap(self, wrapped: bytes, about: bytes) -> bytearray:
        """Return what was wrapped; whoever takes it wipes it.

        Raises:
            SealError: `seal_wrong_key` where it is not this key, or `about` is not the same.
        """
        ...

    def close(self) -> None:
        """Forget the key."""
        ...


class LocalKek:
    """A key encryption key in this process's memory. Source: RFC 8452, AES-256-GCM-SIV."""

    def __init__(self, key: bytearray, described: dict[str, Any]) -> None:
        """Take KEY_BYTES of `key`, which is wiped."""
        self._cipher: AESGCMSIV | None = AESGCMSIV(key)
        self._described = described
        key[:] = bytes(len(key))

    def describe(self) -> dict[str, Any]:
        """As `Kek.describe`."""
        return self._described

    def wrap(self, key: bytearray, about: bytes) -> bytes:
        """As `Kek.wrap`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._open().encrypt(nonce, key, about)

    def unwrap(self, wrapped: bytes, about: bytes) -> bytearray:
        """As `Kek.unwrap`."""
        key = bytearray(max(0, len(wrapped) - NONCE_BYTES - TAG_BYTES))
        try:
            self._open().decrypt_into(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], about, key)
        except (InvalidTag, ValueError):
            raise wrong_key(self._described["kind"]) from None
        return key

    def close(self) -> None:
        """As `Kek.close`: OpenSSL wipes its copy when the cipher goes."""
        self._cipher = None

    def _open(self) -> AESGCMSIV:
        """Return the cipher.

        Raises:
            SealError: it is closed.
        """
        if self._cipher is None:
            raise SealError("the key encryption key is closed")
        return self._cipher


def wrong_key(kind: str) -> SealError:
    """Return what to say when a key does not open."""
    said = f"this {kind} does not open the seal: it is another one, or the seal is damaged"
    return SealError(said, code="seal_wrong_key")


def make_kek(word: str, unlock: Unlock) -> Kek:
    """Return the key encryption key that `--seal` names; made where it can be and is not there.

    Raises:
        SealError: there is no such kind, or it cannot be made or reached.
    """
    from ringfence.identity.seal import file, passphrase, pkcs11, transit

    kind, _, rest = word.partition(":")
    makers: dict[str, Callable[[], Kek]] = {
        "passphrase": lambda: passphrase.make(rest, unlock),
        "file": lambda: file.make(Path(rest)),
        "pkcs11": lambda: pkcs11.reach(word, unlock, make=True),
        "transit": lambda: transit.reach(rest, unlock),
    }
    if kind not in makers:
        hint = "passphrase, file:PATH, pkcs11:URI or transit:URL; `vault rewrap`: passkey"
        raise SealError(f"{kind[:40]!r} is nothing that seals", hint=hint)
    return makers[kind]()


def reach_kek(described: dict[str, Any], unlock: Unlock) -> Kek:
    """Return the key encryption key that a seal describes.

    Raises:
        SealError: it cannot be reached, or the description is none.
    """
    from ringfence.identity.seal import file, passkey, passphrase, pkcs11, transit

    readers: dict[str, Callable[[], Kek]] = {
        "passphrase": lambda: passphrase.open_again(described, unlock),
        "passkey": lambda: passkey.open_again(described, unlock),
        "file": lambda: file.open_again(Path(described["path"]), described),
        "pkcs11": lambda: pkcs11.reach(described["uri"], unlock),
        "transit": lambda: transit.reach(described["url"], unlock),
    }
    try:
        return readers[described["kind"]]()
    except (KeyError, TypeError):
        said = "the seal does not say what opens it"
        raise SealError(said, code="seal_damaged") from None
