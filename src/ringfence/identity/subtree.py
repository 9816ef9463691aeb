"""One shard's subtree as all that a state folder derives from: its own secrets, and no other's."""

from __future__ import annotations

import re
from pathlib import Path

from ringfence.errors import DerivationError, ShardError, StoreError
from ringfence.identity.derivation import Places, ShardKey
from ringfence.identity.secret import RootKey, hkdf

__all__ = ["SubtreeKey"]

LINE = re.compile(r"([0-9]{1,10}) ([0-9a-f]{128})")


class SubtreeKey(RootKey):
    """A shard's subtree. What is above it or beside it cannot be derived from it."""

    __slots__ = ("_key",)

    def __init__(self, key: ShardKey, places: Places | None = None) -> None:
        """Keep the subtree, and where credentials stand."""
        super().__init__(places)
        self._key = key

    @classmethod
    def parse(cls, text: str, places: Places | None = None) -> SubtreeKey:
        """Return the subtree that `line` wrote down.

        Raises:
            StoreError: it is no such line.
        """
        found = LINE.fullmatch(text.strip())
        try:
            if found is not None:
                return cls(ShardKey.parse(int(found[1]), bytes.fromhex(found[2])), places)
        except DerivationError:
            pass
        raise StoreError("the shard's key is not its number and 128 hexadecimal digits")

    @classmethod
    def read(cls, path: Path, places: Places | None = None) -> SubtreeKey:
        """Read the subtree from its file.

        Raises:
            StoreError: it is not there, not readable, no such line, or open to others.
        """
        try:
            if path.stat().st_mode & 0o077:
                hint = f"chmod 600 {path}"
                raise StoreError(f"others than its owner may use the shard's key {path}", hint=hint)
            return cls.parse(path.read_text("ascii"), places)
        except (OSError, ValueError):
            raise StoreError(f"cannot read the shard's key {path}") from None

    def line(self) -> bytes:
        """Return what `parse` takes: as secret as all secrets of the shard."""
        return f"{self._key.shard} {self._key.material().hex()}\n".encode()

    @property
    def home(self) -> int:
        """As `RootKey.home`: the only one."""
        return self._key.shard

    def shard(self, shard: int) -> ShardKey:
        """As `RootKey.shard`."""
        if shard != self._key.shard:
            raise ShardError(f"this gateway has shard {self._key.shard}, not shard {shard}")
        return self._key

    def vault_key(self) -> bytes:
        """As `RootKey.vault_key`."""
        return self._key.vault_key()

    def derived(self, info: bytes, size: int) -> bytes:
        """As `RootKey.derived`."""
        return hkdf(self._key.state_key(), info, size)
