"""HMAC secrets, derived from one master key, so that no store or backup holds them.

Who has the master key and a credential's id has its secret: guard the file as the secrets' sum.
"""

from __future__ import annotations

import secrets
import string
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ringfence.errors import StoreError

__all__ = ["MASTER_BYTES", "MasterKey", "fresh_key_id"]

MASTER_BYTES = 32
KEY_ID_CHARACTERS = 32
SECRET_CHARACTERS = 64
"""As many as Binance's own secrets have; 381 bits."""
ALPHABET = string.ascii_letters + string.digits
FAIR = 256 - 256 % len(ALPHABET)
"""Bytes from here on are skipped, so that each character is equally likely."""
STREAM_BYTES = 2 * SECRET_CHARACTERS


class MasterKey:
    """The state folder's master key. Shown nowhere, not even by `repr`."""

    __slots__ = ("_material",)

    def __init__(self, material: bytes) -> None:
        """Keep `material`, exactly MASTER_BYTES long.

        Raises:
            StoreError: it has another length.
        """
        if len(material) != MASTER_BYTES:
            raise StoreError(f"a master key has {MASTER_BYTES} bytes, not {len(material)}")
        self._material = material

    def __repr__(self) -> str:
        """Tell nothing."""
        return "MasterKey(...)"

    @classmethod
    def read(cls, path: Path) -> MasterKey:
        """Read the key from its file: MASTER_BYTES as one line of hexadecimal digits.

        Raises:
            StoreError: the file is not there, not readable, not such a line, or open to others.
        """
        try:
            if path.stat().st_mode & 0o077:
                hint = f"chmod 600 {path}"
                raise StoreError(f"others than its owner may use the master key {path}", hint=hint)
            return cls(bytes.fromhex(path.read_text("ascii")))
        except OSError as e:
            raise StoreError(f"cannot read the master key {path}: {e.strerror}") from e
        except ValueError as e:
            raise StoreError(f"the master key {path} is not a line of hexadecimal digits") from e

    def secret(self, key_id: str, generation: int) -> str:
        """Return the secret of `key_id` in this generation: SECRET_CHARACTERS letters and digits.

        Source: RFC 5869, HKDF with SHA-256, no salt; `info` names use, id and generation.
        Raises:
            StoreError: the id has none; one in 2^200 ids.
        """
        # An id holds no '/', so no two (id, generation) share an info.
        info = f"ringfence/hmac/v1/{key_id}/{generation}".encode()
        stream = HKDF(SHA256(), STREAM_BYTES, salt=None, info=info).derive(self._material)
        fair = [ALPHABET[byte % len(ALPHABET)] for byte in stream if byte < FAIR]
        if len(fair) < SECRET_CHARACTERS:
            raise StoreError(f"no secret can be derived for {key_id}", hint="create another")
        return "".join(fair[:SECRET_CHARACTERS])

    def vault_key(self) -> bytes:
        """Return the key that seals the venue keys: 32 bytes.

        Source: RFC 5869, HKDF with SHA-256, no salt; no credential's `info` starts so.
        """
        return HKDF(SHA256(), MASTER_BYTES, salt=None, info=b"ringfence/vault/v1").derive(
            self._material
        )


def fresh_key_id() -> str:
    """Return a new credential id: KEY_ID_CHARACTERS random letters and digits, 190 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(KEY_ID_CHARACTERS))
