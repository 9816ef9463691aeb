"""Hardened key derivation: a tree of private keys in which no child tells anything of its parent.

Only hardened children exist here. A child that is not hardened, together with its parent's public
key and chain code, gives the parent's private key away; tests/unit/test_slip10.py does it.

Source: SLIP-0010 (satoshilabs/slips, read 2026-11).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ringfence.errors import DerivationError

__all__ = ["CURVES", "HARDENED", "Node", "read_path"]

HARDENED = 1 << 31
"""Indices from here on are hardened; below it there is nothing to be had here."""
KEY_BYTES = 32
SEED_BYTES = range(16, 65)
MAX_DEPTH = 255


@dataclass(frozen=True, slots=True)
class Curve:
    """What the standard says of one curve. `order` is None where a key is any 32 bytes."""

    salt: bytes
    order: int | None


CURVES = {
    "ed25519": Curve(b"ed25519 seed", None),
    # SEC 2 2.4.1 and 2.4.2.
    "secp256k1": Curve(
        b"Bitcoin seed", 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
    ),
    "p256": Curve(
        b"Nist256p1 seed", 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
    ),
}


@dataclass(frozen=True, slots=True)
class Node:
    """One key of the tree, and the chain code without which it has no children. Both secret."""

    curve: str
    key: bytes = field(repr=False)
    chain: bytes = field(repr=False)

    @classmethod
    def root(cls, curve: str, seed: bytes) -> Node:
        """Return the top of the tree that `seed` (16 to 64 bytes) stands for.

        Raises:
            DerivationError: no such curve, or a seed of another length.
        """
        if curve not in CURVES:
            raise DerivationError(f"no curve {curve!r}: there are {', '.join(CURVES)}")
        if len(seed) not in SEED_BYTES:
            raise DerivationError(f"a seed has 16 to 64 bytes, not {len(seed)}")
        salt, order = CURVES[curve].salt, CURVES[curve].order
        mixed = hmac.digest(salt, seed, hashlib.sha512)
        while order is not None and not 0 < number(mixed[:KEY_BYTES]) < order:
            mixed = hmac.digest(salt, mixed, hashlib.sha512)
        return cls(curve, mixed[:KEY_BYTES], mixed[KEY_BYTES:])

    def child(self, index: int) -> Node:
        """Return the hardened child of `index`, HARDENED to 2^32 - 1.

        Raises:
            DerivationError: the index is not hardened. There is no way around it.
        """
        if not HARDENED <= index < 2 * HARDENED:
            raise DerivationError(f"index {index} is not hardened")
        last, order = index.to_bytes(4, "big"), CURVES[self.curve].order
        mixed = hmac.digest(self.chain, b"\0" + self.key + last, hashlib.sha512)
        if order is None:
            return Node(self.curve, mixed[:KEY_BYTES], mixed[KEY_BYTES:])
        while True:
            left, right = number(mixed[:KEY_BYTES]), mixed[KEY_BYTES:]
            key = (left + number(self.key)) % order
            if left < order and key != 0:
                return Node(self.curve, key.to_bytes(KEY_BYTES, "big"), right)
            mixed = hmac.digest(self.chain, b"\1" + right + last, hashlib.sha512)

    def below(self, indices: Iterable[int]) -> Node:
        """Return the node at the end of `indices`, which count from 0' as 0.

        Raises:
            DerivationError: one is not 0 to 2^31 - 1.
        """
        node = self
        for index in indices:
            node = node.child(HARDENED + index)
        return node


def read_path(text: str) -> tuple[int, ...]:
    """Return the indices of `m/83'/0'`, without the mark that each of them must have.

    Raises:
        DerivationError: it is no path, or an index is not hardened.
    """
    parts = text.split("/")
    if parts[0] != "m" or len(parts) > MAX_DEPTH:
        raise DerivationError(f"{text[:80]!r} is not a path such as m/83'/0'")
    for part in parts[1:]:
        if re.fullmatch(r"[0-9]{1,10}['hH]", part) is None or int(part[:-1]) >= HARDENED:
            hint = "mark every index with ': m/83'/0'"
            raise DerivationError(f"{part[:80]!r} is not a hardened index", hint=hint)
    return tuple(int(part[:-1]) for part in parts[1:])


def number(content: bytes) -> int:
    """Return what 32 bytes are as a number, the highest first."""
    return int.from_bytes(content, "big")
