"""HMAC secrets, derived from one master key, so that no store or backup holds them.

Who has the master key and a credential's id has its secret: guard the file as the secrets' sum.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ringfence.errors import StoreError

__all__ = ["MASTER_BYTES", "MasterKey", "fresh_key_id"]

MASTER_BYTES = 32
SECRET_BYTES = 32
LABEL = b"ringfence hmac secret v1\x00"
"""Binds what is derived here to this use; a later way of deriving takes another label."""


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

    def secret(self, key_id: str) -> str:
        """Return the secret of `key_id`: 64 hexadecimal digits, used as text by clients.

        Source: RFC 5869, HKDF with SHA-256, no salt; `info` is the label and the id.
        """
        hkdf = HKDF(SHA256(), SECRET_BYTES, salt=None, info=LABEL + key_id.encode())
        return hkdf.derive(self._material).hex()


def fresh_key_id() -> str:
    """Return a new credential id: 128 random bits as hexadecimal digits."""
    return secrets.token_hex(16)
