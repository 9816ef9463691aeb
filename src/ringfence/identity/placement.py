"""Which shard a principal stands in. Reads no store.

Whoever is moved or pinned stands where that says: by itself, or by the nearest above it. All others
stand where their secrets do, if somebody chose that; else where the name at their top is hashed to,
so that what stands under one organisation stands together. When the count grows by one, the
hash moves one in so many of them, all to the new shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ringfence.config import Loaded
from ringfence.errors import ShardError

__all__ = ["ShardChange", "ShardRules", "hashed", "jump"]

SEED = b"ringfence-shard"
WORD = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class ShardRules:
    """How many shards there are, and who is pinned to one. A `count` of 1: there are none."""

    count: int = 1
    pins: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, loaded: Loaded) -> ShardRules:
        """Return those of a configuration."""
        section = loaded.config.shards
        return cls(section.count, section.pins)

    @property
    def on(self) -> bool:
        """Whether anybody stands in a shard."""
        return self.count > 1

    def check(self, shard: int | None = None) -> None:
        """Make sure that there are shards, and this one.

        Raises:
            ShardError: `shards_off`, `shard_unknown`.
        """
        if not self.on:
            hint = "say `shards: {count: 4}` in ringfence.yaml, and restart the gateway"
            raise ShardError("this gateway has no shards", hint=hint, code="shards_off")
        if shard is not None and not 0 <= shard < self.count:
            hint = f"name one from 0 to {self.count - 1}"
            raise ShardError(f"there is no shard {shard}", hint=hint, code="shard_unknown")

    def place(self, chain: Sequence[str], moved: Mapping[str, int], secrets: int) -> int:
        """Return the shard of who stands at the beginning of `chain`, which goes up to the top.

        `moved`: whom operators moved. `secrets`: the shard that the account's secrets stand in.
        What names a shard that is not there says nothing.
        """
        for name in chain:
            for said in (moved.get(name), self.pins.get(name)):
                if said is not None and said < self.count:
                    return said
        if 0 < secrets < self.count:
            return secrets
        return hashed(chain[-1], self.count)


def hashed(name: str, count: int) -> int:
    """Return one of `count` shards for a name, the same for ever."""
    digest = hashlib.blake2b(name.encode(), digest_size=8, person=SEED).digest()
    return jump(int.from_bytes(digest, "big"), count)


def jump(key: int, count: int) -> int:
    """Return one of `count` for a key of 64 bits.

    Source: Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014, figure 1.
    """
    found, following = -1, 0
    while following < count:
        found = following
        key = (key * 2862933555777941757 + 1) & WORD
        following = int((found + 1) * (float(1 << 31) / float((key >> 33) + 1)))
    return found


@dataclass(frozen=True, slots=True)
class ShardChange:
    """One change: a principal that was moved, or a shard that stands otherwise.

    Of a move `principal` is who, and `shard` where to: None, if back to where hash and pins say. Of
    a shard `state` is how it stands: serving, draining or isolated.
    """

    serial: int
    principal: str | None
    shard: int | None
    state: str | None
    who: str
    why: str
    time_us: int
