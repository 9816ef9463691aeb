"""A client's key, and the header fields that sign one request with it."""

from __future__ import annotations

import base64
import re
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ringfence.client.message import digest, signature_base
from ringfence.errors import KeyTextError

__all__ = ["WINDOW_SECONDS", "RingfenceKey"]

WINDOW_SECONDS = 5
"""How long a signature is good, unless the caller says otherwise; the gateway takes up to 60."""
WINDOW_MOST = 60
NONCE_BYTES = 12
LABEL = "ringfence"


class RingfenceKey:
    """An Ed25519 key and the id that the gateway knows it by. `repr` shows the id only.

    Safe to share between threads and tasks: signing changes nothing in it.
    """

    __slots__ = ("_clock", "_key", "_window", "key_id")

    def __init__(
        self,
        key_id: str,
        key: Ed25519PrivateKey,
        *,
        window_seconds: int = WINDOW_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep the key. `clock` returns seconds since the Unix epoch.

        Raises:
            KeyTextError: the id is none, or the window is longer than the gateway takes.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key_id):
            raise KeyTextError(f"{key_id!r} is not a credential id", hint="copy it as it was shown")
        if not 1 <= window_seconds <= WINDOW_MOST:
            hint = f"say 1 to {WINDOW_MOST} seconds"
            raise KeyTextError(f"{window_seconds} is no window", hint=hint)
        self.key_id = key_id
        self._key = key
        self._window = window_seconds
        self._clock = clock

    @classmethod
    def from_pem(
        cls,
        key_id: str,
        pem: bytes | str,
        password: bytes | None = None,
        *,
        window_seconds: int = WINDOW_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> RingfenceKey:
        """Read a private key in PKCS#8 PEM, as `ringfence key create --generate-key` writes it.

        Raises:
            KeyTextError: it cannot be read, or is no Ed25519 key.
        """
        text = pem.encode() if isinstance(pem, str) else pem
        try:
            key = load_pem_private_key(text, password)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # Not "from": what was tried with the key's text is nobody's business.
            hint = "give PKCS#8 PEM, and the password if it has one"
            raise KeyTextError("the private key cannot be read", hint=hint) from None
        if not isinstance(key, Ed25519PrivateKey):
            hint = "make one with `ringfence key create --generate-key FILE`"
            raise KeyTextError("the private key is no Ed25519 key", hint=hint)
        return cls(key_id, key, window_seconds=window_seconds, clock=clock)

    @classmethod
    def read(
        cls,
        key_id: str,
        path: str | Path,
        password: bytes | None = None,
        *,
        window_seconds: int = WINDOW_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> RingfenceKey:
        """Read a private key from a file that only its owner can read.

        Raises:
            KeyTextError: others may read it, or as `from_pem`.
            OSError: it cannot be read.
        """
        path = Path(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            hint = f"chmod 600 {path}"
            raise KeyTextError(f"others than its owner may use the key {path}", hint=hint)
        pem = path.read_bytes()
        return cls.from_pem(key_id, pem, password, window_seconds=window_seconds, clock=clock)

    def __repr__(self) -> str:
        """Tell the id only."""
        return f"RingfenceKey({self.key_id!r})"

    def sign(self, method: str, url: str, body: bytes = b"") -> dict[str, str]:
        """Return the header fields that sign this request; every call makes another signature.

        `url` is absolute and as it is sent, with its query. `body` is as it is sent, too.
        Raises:
            ValueError: `url` is not absolute.
        """
        created = int(self._clock())
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        parameters = (
            f";created={created};expires={created + self._window}"
            f';nonce="{nonce}";keyid="{self.key_id}";alg="ed25519"'
        )
        fields = {"Content-Digest": digest(body)} if body else {}
        signed, base = signature_base(method, url, parameters, fields.get("Content-Digest"))
        signature = base64.b64encode(self._key.sign(base.encode("ascii"))).decode()
        fields["Signature-Input"] = f"{LABEL}={signed}"
        fields["Signature"] = f"{LABEL}=:{signature}:"
        return fields
