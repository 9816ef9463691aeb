"""HMAC secrets, derived from one master key, so that no store or backup holds them.

Who has the master key and a credential's id has its secret: guard it as the secrets' sum. A
credential that has a place in the tree of keys has the secret of that place (`derivation`); one
from before there was a tree keeps that of HKDF.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ringfence.errors import StoreError
from ringfence.identity.derivation import (
    ALPHABET,
    SECRET_CHARACTERS,
    Place,
    Places,
    ShardKey,
    characters,
)

__all__ = ["MASTER_BYTES", "MasterKey", "fresh_key_id"]

MASTER_BYTES = 32
KEY_ID_CHARACTERS = 32
STREAM_BYTES = 2 * SECRET_CHARACTERS


class MasterKey:
    """The state folder's master key. Shown nowhere, not even by `repr`."""

    __slots__ = ("_material", "_places", "_shards")

    def __init__(self, material: bytes, places: Places | None = None) -> None:
        """Keep `material`, exactly MASTER_BYTES long; without `places`, HKDF gives all secrets.

        Raises:
            StoreError: it has another length.
        """
        if len(material) != MASTER_BYTES:
            raise StoreError(f"a master key has {MASTER_BYTES} bytes, not {len(material)}")
        self._material = material
        self._places = places
        self._shards: dict[int, ShardKey] = {}

    def __repr__(self) -> str:
        """Tell nothing."""
        return "MasterKey(...)"

    @classmethod
    def read(cls, path: Path, places: Places | None = None) -> MasterKey:
        """Read the key from its file: MASTER_BYTES as one line of hexadecimal digits.

        Raises:
            StoreError: the file is not there, not readable, not such a line, or open to others.
        """
        try:
            if path.stat().st_mode & 0o077:
                hint = f"chmod 600 {path}"
                raise StoreError(f"others than its owner may use the master key {path}", hint=hint)
            return cls(bytes.fromhex(path.read_text("ascii")), places)
        except OSError as e:
            raise StoreError(f"cannot read the master key {path}: {e.strerror}") from e
        except ValueError as e:
            raise StoreError(f"the master key {path} is not a line of hexadecimal digits") from e

    def settle(self, key_id: str, account: str) -> None:
        """Give a new credential its place in the tree, in the default shard.

        Raises:
            StoreError: the store cannot be written, or the id stands elsewhere.
        """
        if self._places is not None:
            self._places.take(key_id, Place(account))

    def shard(self, shard: int) -> ShardKey:
        """Return one shard's subtree, which tells nothing of another's.

        Raises:
            DerivationError: `shard` is not 0 to 2^31 - 1.
        """
        if shard not in self._shards:
            self._shards[shard] = ShardKey.derive(self._material, shard)
        return self._shards[shard]

    def secret(self, key_id: str, generation: int, place: Place | None = None) -> str:
        """Return the secret of `key_id` in this generation: 64 letters and digits.

        `place`: where it stands; None: where the store says.
        Raises:
            StoreError: the id has none; one in 2^200 ids.
        """
        if place is None and self._places is not None:
            place = self._places.find(key_id)
        if place is not None:
            return self.shard(place.shard).secret(place.account, key_id, generation)
        return self._hkdf_secret(key_id, generation)

    def _hkdf_secret(self, key_id: str, generation: int) -> str:
        """Return the secret of a credential from before there was a tree.

        Source: RFC 5869, HKDF with SHA-256, no salt; `info` names use, id and generation.
        """
        # An id holds no '/', so no two (id, generation) share an info.
        info = f"ringfence/hmac/v1/{key_id}/{generation}".encode()
        stream = HKDF(SHA256(), STREAM_BYTES, salt=None, info=info).derive(self._material)
        text = characters(stream)
        if text is None:
            raise StoreError(f"no secret can be derived for {key_id}", hint="create another")
        return text

    def split(self, threshold: int, count: int) -> list[str]:
        """Return `count` shares of the key, any `threshold` of which give it back.

        Raises:
            SealError: so many cannot be made.
        """
        from ringfence.identity.seal.shares import split

        return split(self._material, threshold, count)

    def vault_key(self) -> bytes:
        """Return the key that seals the venue keys: 32 bytes. No credential's `info` starts so."""
        return self.derived(b"ringfence/vault/v1", MASTER_BYTES)

    def derived(self, info: bytes, size: int) -> bytes:
        """Return `size` bytes for the use that `info` names; no two uses may share one.

        Source: RFC 5869, HKDF with SHA-256, no salt.
        """
        return HKDF(SHA256(), size, salt=None, info=info).derive(self._material)


def fresh_key_id() -> str:
    """Return a new credential id: KEY_ID_CHARACTERS random letters and digits, 190 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(KEY_ID_CHARACTERS))
