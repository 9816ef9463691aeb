"""HMAC secrets, derived from one key of the state folder, so that no store or backup holds them.

That is the master key, or one shard's subtree of it (`subtree`). Who has it and a credential's id
has its secret: guard it as the secrets' sum. A credential that has a place in the tree of keys has
the secret of that place (`derivation`); one from before there was a tree keeps that of HKDF, which
only the master key gives.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ringfence.errors import ShardError, StoreError
from ringfence.identity.derivation import (
    ALPHABET,
    DEFAULT_SHARD,
    SECRET_CHARACTERS,
    Place,
    Places,
    ShardKey,
    characters,
)

__all__ = ["MASTER_BYTES", "MasterKey", "RootKey", "fresh_key_id", "hkdf"]

MASTER_BYTES = 32
KEY_ID_CHARACTERS = 32
STREAM_BYTES = 2 * SECRET_CHARACTERS


class RootKey(ABC):
    """What a state folder's secrets are derived from. Shown nowhere, not even by `repr`."""

    __slots__ = ("_places",)

    def __init__(self, places: Places | None) -> None:
        """Keep where credentials stand; without `places`, none stands in the tree."""
        self._places = places

    def __repr__(self) -> str:
        """Tell nothing."""
        return f"{type(self).__name__}(...)"

    @property
    @abstractmethod
    def home(self) -> int:
        """The shard of an account that has no secret yet, unless somebody names one."""

    @abstractmethod
    def shard(self, shard: int) -> ShardKey:
        """Return one shard's subtree, which tells nothing of another's.

        Raises:
            DerivationError: `shard` is not 0 to 2^31 - 1.
            ShardError: it cannot be derived from this.
        """

    @abstractmethod
    def vault_key(self) -> bytes:
        """Return the key that seals the venue keys: 32 bytes. No credential's `info` starts so."""

    @abstractmethod
    def derived(self, info: bytes, size: int) -> bytes:
        """Return `size` bytes for the use that `info` names; no two uses may share one."""

    def reaches(self, place: Place | None) -> bool:
        """Tell whether a secret that stands there can be derived from this: by default, at home."""
        return place is not None and place.shard == self.home

    def place(self, key_id: str) -> Place | None:
        """Return where a credential's secrets stand; None: not in the tree."""
        return None if self._places is None else self._places.find(key_id)

    def settle(self, key_id: str, account: str, shard: int | None = None) -> None:
        """Give a new credential its place: in `shard`, or where its account's secrets stand.

        Raises:
            ShardError: the account stands elsewhere, or that shard is not within reach.
            StoreError: the store cannot be written, or the id stands elsewhere.
        """
        if self._places is not None:
            found = self._places.shard_of(account, shard, self.home)
            self.shard(found)
            self._places.take(key_id, Place(account, found))

    def secret(self, key_id: str, generation: int, place: Place | None = None) -> str:
        """Return the secret of `key_id` in this generation: 64 letters and digits.

        `place`: where it stands; None: where the store says.
        Raises:
            ShardError: it stands in another shard than this has.
            StoreError: the id has none; one in 2^200 ids.
        """
        place = place or self.place(key_id)
        if place is None:
            return self.older_secret(key_id, generation)
        return self.shard(place.shard).secret(place.account, key_id, generation)

    def older_secret(self, key_id: str, generation: int) -> str:
        """Return the secret of a credential from before there was a tree.

        Raises:
            ShardError: only the master key gives it.
            StoreError: the id has none; one in 2^200 ids.
        """
        del generation
        said = f"credential {key_id} stands in no shard, and there is no master key here"
        raise ShardError(said)

    def shards(self) -> dict[int, bytes]:
        """Return the keys of all shards in use here, each as secret as all secrets of its shard."""
        there = () if self._places is None else self._places.shards()
        reached = {number for number in there if self.reaches(Place("", number))}
        return {number: self.shard(number).material() for number in {self.home, *reached}}


class MasterKey(RootKey):
    """The master key, from which every shard's subtree can be derived."""

    __slots__ = ("_material", "_shards")

    def __init__(self, material: bytes, places: Places | None = None) -> None:
        """Keep `material`, exactly MASTER_BYTES long; without `places`, HKDF gives all secrets.

        Raises:
            StoreError: it has another length.
        """
        if len(material) != MASTER_BYTES:
            raise StoreError(f"a master key has {MASTER_BYTES} bytes, not {len(material)}")
        super().__init__(places)
        self._material = material
        self._shards: dict[int, ShardKey] = {}

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

    @property
    def home(self) -> int:
        """As `RootKey.home`."""
        return DEFAULT_SHARD

    def shard(self, shard: int) -> ShardKey:
        """As `RootKey.shard`."""
        if shard not in self._shards:
            self._shards[shard] = ShardKey.derive(self._material, shard)
        return self._shards[shard]

    def reaches(self, place: Place | None) -> bool:
        """As `RootKey.reaches`: every one."""
        return place is None or place.shard >= 0

    def older_secret(self, key_id: str, generation: int) -> str:
        """As `RootKey.older_secret`.

        Source: RFC 5869, HKDF with SHA-256, no salt; `info` names use, id and generation.
        """
        # An id holds no '/', so no two (id, generation) share an info.
        info = f"ringfence/hmac/v1/{key_id}/{generation}".encode()
        stream = hkdf(self._material, info, STREAM_BYTES)
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
        """As `RootKey.vault_key`."""
        return self.derived(b"ringfence/vault/v1", MASTER_BYTES)

    def derived(self, info: bytes, size: int) -> bytes:
        """As `RootKey.derived`."""
        return hkdf(self._material, info, size)


def fresh_key_id() -> str:
    """Return a new credential id: KEY_ID_CHARACTERS random letters and digits, 190 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(KEY_ID_CHARACTERS))


def hkdf(material: bytes, info: bytes, size: int) -> bytes:
    """Return `size` bytes for what `info` names. Source: RFC 5869, SHA-256, no salt."""
    return HKDF(SHA256(), size, salt=None, info=info).derive(material)
