"""Where in the tree of keys an HMAC secret stands, and which credentials stand there.

`m/83'/1'/SHARD'` is a shard's subtree: with it all of that shard's secrets can be derived, and no
other's. Below it stand account, key and generation. A credential that was made before there was a
tree has no place in it, and keeps the secret that HKDF gave it.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, insert, select

from ringfence.errors import DerivationError, ShardError, StoreError
from ringfence.identity.migrations import open_database
from ringfence.identity.schema import CREDENTIAL, DERIVATION
from ringfence.identity.slip10 import HARDENED, Node

__all__ = ["DEFAULT_SHARD", "Place", "Places", "ShardKey", "characters", "places"]

CURVE = "ed25519"
"""Whose derivation is HMAC-SHA512 and nothing else: every key is as good as another."""
TREE = (83, 1)
"""Ringfence's own number, and the version of what is below it."""
DEFAULT_SHARD = 0
SECRET_PURPOSE, VAULT_PURPOSE, STATE_PURPOSE, STREAM_PURPOSE = 1, 4, 5, 9
NAME_LEVELS = 5
"""Indices that a name becomes: 155 bits of its SHA-256, so that no two names meet."""

SECRET_CHARACTERS = 64
"""As many as Binance's own secrets have; 381 bits."""
ALPHABET = string.ascii_letters + string.digits
FAIR = 256 - 256 % len(ALPHABET)
"""Bytes from here on are skipped, so that each character is equally likely."""
SHARD_BYTES = 64


def characters(stream: bytes) -> str | None:
    """Return SECRET_CHARACTERS letters and digits of `stream`; None: too few bytes were fair."""
    fair = [ALPHABET[byte % len(ALPHABET)] for byte in stream if byte < FAIR]
    return "".join(fair[:SECRET_CHARACTERS]) if len(fair) >= SECRET_CHARACTERS else None


def indices(name: str) -> list[int]:
    """Return the NAME_LEVELS indices that a name becomes."""
    digest = hashlib.sha256(name.encode()).digest()
    words = (digest[4 * i : 4 * i + 4] for i in range(NAME_LEVELS))
    return [int.from_bytes(word, "big") % HARDENED for word in words]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a credential's secrets stand: they belong to this account, in this shard."""

    account: str
    shard: int = DEFAULT_SHARD


@dataclass(frozen=True, slots=True)
class ShardKey:
    """One shard's subtree. Nothing above it or beside it can be derived from it."""

    shard: int
    _node: Node = field(repr=False)

    @classmethod
    def derive(cls, master: bytes, shard: int) -> ShardKey:
        """Return a shard's subtree of the master key.

        Raises:
            DerivationError: `shard` is not 0 to 2^31 - 1.
        """
        return cls(shard, Node.root(CURVE, master).below((*TREE, shard)))

    @classmethod
    def parse(cls, shard: int, material: bytes) -> ShardKey:
        """Return the subtree that `material` wrote down.

        Raises:
            DerivationError: it has not SHARD_BYTES bytes.
        """
        if len(material) != SHARD_BYTES:
            raise DerivationError(f"a shard's key has {SHARD_BYTES} bytes, not {len(material)}")
        return cls(shard, Node(CURVE, material[:32], material[32:]))

    def material(self) -> bytes:
        """Return what `parse` takes: SHARD_BYTES, as secret as all secrets of the shard."""
        return self._node.key + self._node.chain

    def secret(self, account: str, key_id: str, generation: int) -> str:
        """Return the secret of a credential in this generation: 64 letters and digits.

        Raises:
            DerivationError: the generation is not 0 to 2^31 - 1.
        """
        path = (SECRET_PURPOSE, *indices(account), *indices(key_id), generation)
        node, stream, text = self._node.below(path), b"", None
        while text is None:
            # 128 bytes are enough but for one in 2^200; the tree has no end.
            stream += (node := node.child(HARDENED + STREAM_PURPOSE)).key
            text = characters(stream)
        return text

    def vault_key(self) -> bytes:
        """Return the key that seals this shard's venue keys: 32 bytes."""
        return self._node.below((VAULT_PURPOSE,)).key

    def state_key(self) -> bytes:
        """Return what authenticates the state of a gateway that has this shard alone: 32 bytes."""
        return self._node.below((STATE_PURPOSE,)).key


class Places:
    """Which credentials of a store stand in the tree. A row is never changed or removed."""

    def __init__(self, store: Path | str) -> None:
        """Open the store's table of them.

        Raises:
            StoreError: the store cannot be used.
        """
        self._database = open_database(store)

    def find(self, key_id: str) -> Place | None:
        """Return where a credential stands; None: it is from before there was a tree."""
        with self._database.transaction() as db:
            return places(db, [key_id]).get(key_id)

    def shards(self) -> list[int]:
        """Return the shards in which a credential stands."""
        with self._database.transaction() as db:
            return list(db.execute(select(DERIVATION.c.shard).distinct()).scalars())

    def shard_of(self, account: str, wanted: int | None, home: int) -> int:
        """Return where an account's next secret stands: where its others do, else `wanted`, `home`.

        Raises:
            ShardError: its others stand elsewhere than `wanted`.
        """
        # By the credentials, whose accounts have an index.
        held = select(DERIVATION.c.shard).join(
            CREDENTIAL, CREDENTIAL.c.key_id == DERIVATION.c.key_id
        )
        with self._database.transaction() as db:
            there: int | None = db.execute(
                held.where(CREDENTIAL.c.account == account).limit(1)
            ).scalar()
        if there is not None and wanted not in (None, there):
            hint = "one account, one shard: leave --shard out, or create another account"
            raise ShardError(f"the keys of {account} stand in shard {there}", hint=hint)
        if there is not None:
            return there
        return home if wanted is None else wanted

    def take(self, key_id: str, place: Place) -> None:
        """Keep where a new credential stands; durable on return. Comes before the credential.

        So a crash in between leaves a place that nobody has, never a credential whose secret
        nobody can tell.

        Raises:
            StoreError: the store cannot be written, or the id stands elsewhere.
        """
        row = {"key_id": key_id, "account": place.account, "shard": place.shard}
        with self._database.transaction(writes=True) as db:
            asked = select(DERIVATION).where(DERIVATION.c.key_id == key_id)
            kept = db.execute(asked).one_or_none()
            if kept is None:
                db.execute(insert(DERIVATION).values(row))
                kept = db.execute(asked).one()
        if Place(kept.account, kept.shard) != place:
            said = f"the secrets of {key_id} belong to {kept.account} in shard {kept.shard}"
            raise StoreError(said, hint="give the credential another id")


def places(db: Connection, key_ids: Sequence[str]) -> dict[str, Place]:
    """Return where those credentials stand that have a place in the tree."""
    asked = select(DERIVATION).where(DERIVATION.c.key_id.in_(key_ids))
    return {row.key_id: Place(row.account, row.shard) for row in db.execute(asked)}
