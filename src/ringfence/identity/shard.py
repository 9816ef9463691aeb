"""A shard as it goes from one gateway to another: its subtree, and what credentials stand in it.

Credentials that are out of use for ever go along: in the same place, under the same id, a new one
would have their secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from sqlalchemy import insert, select

from ringfence.config.folder import Folder, write_private
from ringfence.errors import DerivationError, ExportError, KeyExistsError
from ringfence.identity.credential import Credential
from ringfence.identity.derivation import Places, ShardKey
from ringfence.identity.rows import credential, place_all
from ringfence.identity.schema import CREDENTIAL, DERIVATION
from ringfence.identity.seal.folder import root_name
from ringfence.identity.secret import RootKey
from ringfence.identity.store import Store
from ringfence.identity.subtree import SubtreeKey

__all__ = ["Shard"]

LISTS = ("scopes", "allow", "certificates")


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard: `key` derives all of its secrets and nothing else."""

    key: ShardKey = field(repr=False)
    credentials: tuple[Credential, ...]

    @classmethod
    def gather(cls, store: Store, root: RootKey, shard: int) -> Shard:
        """Return a shard as it stands now. What a principal holds, is suspended by itself there.

        Raises:
            DerivationError: `shard` is not 0 to 2^31 - 1.
            ShardError: it cannot be derived here.
        """
        key, held = root.shard(shard), store.principals.held()
        placed = CREDENTIAL.join(DERIVATION, DERIVATION.c.key_id == CREDENTIAL.c.key_id)
        asked = select(CREDENTIAL).select_from(placed).where(DERIVATION.c.shard == shard)
        with store.database.transaction() as db:
            rows = db.execute(asked.order_by(CREDENTIAL.c.serial)).mappings()
            found = [credential(row) for row in rows]
        stopped = [one.account in held and one.state == "active" for one in found]
        return cls(
            key,
            tuple(
                replace(one, state="suspended") if stop else one
                for one, stop in zip(found, stopped, strict=True)
            ),
        )

    def accounts(self) -> list[str]:
        """Return whose credentials they are."""
        return sorted({one.account for one in self.credentials})

    def encode(self) -> bytes:
        """Return what `decode` takes: as secret as all secrets of the shard."""
        rows = [{n: v for n, v in asdict(o).items() if n != "public_key"} for o in self.credentials]
        said = {"shard": self.key.shard, "key": self.key.material().hex(), "credentials": rows}
        return json.dumps(said).encode()

    @classmethod
    def decode(cls, content: bytes) -> Shard:
        """Return the shard that `content` wrote down.

        Raises:
            ExportError: `export_damaged`: it is none, or not of this version.
        """
        try:
            said = json.loads(content)
            key = ShardKey.parse(said["shard"], bytes.fromhex(said["key"]))
            return cls(key, tuple(read(row) for row in said["credentials"]))
        except (DerivationError, ValueError, KeyError, TypeError):
            # What was read is in none of these words.
            raise ExportError("the export holds no shard", code="export_damaged") from None

    def subtree(self, places: Places | None = None) -> SubtreeKey:
        """Return what a folder that has this shard alone derives from."""
        return SubtreeKey(self.key, places)

    def needs_key(self, folder: Folder, store: Store) -> bool:
        """Tell whether the folder has nothing yet; not, where the power failed while it took it in.

        Raises:
            ExportError: `export_there`: it has a key already.
        """
        name = root_name(folder)
        if name is None:
            return True
        begun = folder.shard_key.is_file() and folder.shard_key.read_bytes() == self.line()
        if begun and self.credentials and not self._known(store):
            return False
        hint = "take it into a folder of its own: `ringfence init DIR --for-shard …`"
        raise ExportError(f"{folder.path / name} is there already", hint=hint, code="export_there")

    def install(self, folder: Folder, store: Store, who: str, why: str) -> None:
        """Put the shard into a folder and its store: all of it, or nothing.

        Raises:
            ExportError: as `needs_key`; the store has one of the credentials.
            FileError: the folder cannot be written.
        """
        fresh = self.needs_key(folder, store)
        rows = [
            {"key_id": one.key_id, "account": one.account, "shard": self.key.shard}
            for one in self.credentials
        ]
        try:
            with undone(folder, fresh), store.database.transaction(writes=True) as db:
                place_all(db, self.credentials, who, why, ())
                if rows:
                    db.execute(insert(DERIVATION), rows)
                if fresh:
                    write_private(folder.shard_key, self.line())
        except KeyExistsError as e:
            hint = "a gateway that has one shard has a store of its own"
            raise ExportError(str(e), hint=hint, code="export_there") from e

    def line(self) -> bytes:
        """Return the content of the folder's key file."""
        return self.subtree().line()

    def _known(self, store: Store) -> bool:
        ids = {one.key_id for one in self.credentials}
        with store.database.transaction() as db:
            return any(
                key_id in ids for key_id in db.execute(select(CREDENTIAL.c.key_id)).scalars()
            )


@contextmanager
def undone(folder: Folder, fresh: bool) -> Iterator[None]:
    """Take the key away again where the store did not take what belongs to it."""
    there = folder.shard_key.exists()
    try:
        yield
    except BaseException:
        if fresh and not there:
            folder.shard_key.unlink(missing_ok=True)
        raise


def read(row: dict[str, Any]) -> Credential:
    """Return a credential as it was written down, or fail with what dict and it fail with."""
    if set(row) != {one.name for one in fields(Credential)} - {"public_key"}:
        raise ValueError
    return Credential(**row | {name: tuple(row[name]) for name in LISTS})
