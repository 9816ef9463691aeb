"""Sealing a state folder, opening it, and moving it from one key encryption key to another.

Each step is one file put in the place of another. After each of them the folder opens: with the
key from before, with the new one, or with both.
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ringfence.config.folder import Folder, replace_private
from ringfence.errors import FileError, SealError
from ringfence.identity.seal.book import Book, DataKeys
from ringfence.identity.seal.floor import Floor
from ringfence.identity.seal.item import is_sealed, opened, sealed
from ringfence.identity.seal.kek import KEY_BYTES, Kek, reach_kek
from ringfence.identity.seal.unlock import Unlock, wiped

__all__ = ["SEAL", "Opening", "open_folder", "rewrap", "root_name", "seal_path", "sealing"]

SEAL = "keys/seal.json"
ROOTS = ("keys/master.key", "keys/shard.key")
"""What a folder's secrets are derived from: one of them."""


@dataclass(slots=True)
class Opening:
    """An open seal: the seal, the key that opened it, and the data keys. `close` wipes them."""

    folder: Folder
    book: Book
    kek: Kek
    keys: DataKeys

    def content(self, name: str) -> bytearray:
        """Return what an item's file holds; whoever takes it wipes it.

        Raises:
            SealError: the file is not the one that belongs to the seal.
        """
        path = self.folder.path / name
        try:
            raw = path.read_bytes()
        except OSError as e:
            said = f"cannot read {path}: {e.strerror}"
            raise SealError(said, code="seal_damaged") from e
        if name in self.book.pending and not is_sealed(raw):
            return bytearray(raw)
        return opened(path, raw, self.book.item(name), self.keys[name])

    def close(self) -> None:
        """Wipe the data keys, and forget the key that opened them."""
        for key in self.keys.values():
            key[:] = bytes(len(key))
        self.kek.close()


def root_name(folder: Folder) -> str | None:
    """Return the file that a folder's secrets are derived from; None: it has none yet.

    Raises:
        SealError: it has two.
    """
    found = [name for name in ROOTS if (folder.path / name).exists()]
    if len(found) > 1:
        hint = "remove the one that does not belong there"
        raise SealError(f"{folder.path} has both {' and '.join(found)}", hint=hint)
    return found[0] if found else None


def seal_path(folder: Folder) -> Path:
    """Return where a folder's seal lies."""
    return folder.path / SEAL


def floor_of(folder: Folder) -> Floor:
    """Return which versions of a folder's seal are still good."""
    return Floor(folder.path / "seal.db")


@contextmanager
def sealing(folder: Folder) -> Iterator[None]:
    """Hold the seal: nobody else changes it meanwhile. A gateway may run.

    Raises:
        SealError: somebody else does.
    """
    try:
        lock = os.open(folder.path / "seal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise FileError(f"cannot lock {folder.path}: {e.strerror}") from e
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as e:
        raise SealError(f"another process changes the seal of {folder.path}") from e
    finally:
        os.close(lock)


@contextmanager
def open_folder(folder: Folder, unlock: Unlock) -> Iterator[Opening | None]:
    """Open a folder's seal; None: it has none, and its keys lie in the clear.

    Raises:
        SealError: it cannot be opened, is older than one that has been there, or is gone.
    """
    floor, book = floor_of(folder), Book.read(seal_path(folder))
    if book is None:
        if floor.of(SEAL):
            said = f"{seal_path(folder)} is gone, and this folder was sealed"
            raise SealError(said, code="seal_rolled_back")
        yield None
        return
    try:
        opening = reached(folder, book, unlock)
    finally:
        unlock.forget()
    try:
        # Only what is authentic may raise the floor.
        floor.check(SEAL, book.version)
        yield opening
    finally:
        opening.close()


def reached(folder: Folder, book: Book, unlock: Unlock) -> Opening:
    """Open the seal with the first slot that opens.

    Raises:
        SealError: what the last slot said.
    """
    failures: list[SealError] = []
    for slot in book.slots:
        try:
            kek = reach_kek(slot.kek, unlock)
        except SealError as e:
            failures.append(e)
            continue
        try:
            return Opening(folder, book, kek, book.open(slot, kek))
        except SealError as e:
            kek.close()
            failures.append(e)
    raise failures[0]


def rewrap(
    folder: Folder,
    opening: Opening | None,
    kek: Kek | None,
    names: Sequence[str],
    adopted: Sequence[str] = (),
) -> Book:
    """Bring a folder under `kek` alone, with the files `names` sealed; return the seal then.

    `opening` is the seal as it is open now; None: there is none yet. `kek` is None for the one it
    is under. Of what is sealed already, only `adopted` may lie in the clear again: it is new. The
    caller holds `sealing`.

    Raises:
        SealError: a file is not what it should be. The folder still opens as before.
        FileError: a file cannot be written. The folder still opens.
    """
    floor = floor_of(folder)
    before = [] if opening is None or kek is None else [opening.kek]
    if kek is None:
        if opening is None:
            raise SealError("the folder is not sealed", hint="--to names what shall open it")
        kek = opening.kek
    floor.lay()
    keys: DataKeys = {} if opening is None else dict(opening.keys)
    book = grown(folder, opening, names, adopted, keys)
    fresh = [name for name in keys if opening is None or keys[name] is not opening.keys.get(name)]
    try:
        # 1. Both open it.
        book = step(folder, floor, book, [kek, *before], keys)
        proved(folder, book, kek)
        # 2. What lies in the clear is sealed, file by file.
        for name in book.pending:
            seal_file(folder, book, name, keys[name])
        # 3. Only the new one does.
        done = replace(book, version=book.version + 1, pending=())
        return step(folder, floor, done, [kek], keys)
    finally:
        for name in fresh:
            keys[name][:] = bytes(KEY_BYTES)


def raised(folder: Folder, opening: Opening, version: int, names: Sequence[str]) -> int:
    """Write a folder's seal anew, under the same key, newer than `version`; return what it is then.

    The caller holds `sealing`.

    Raises:
        FileError: as `rewrap`.
    """
    newer = replace(opening, book=replace(opening.book, version=version))
    return rewrap(folder, newer, None, names).version


def grown(
    folder: Folder,
    opening: Opening | None,
    names: Sequence[str],
    adopted: Sequence[str],
    keys: DataKeys,
) -> Book:
    """Return the next seal, with `keys` for what is new in it.

    Raises:
        SealError: something lies in the clear that was sealed, and was not adopted.
    """
    if opening is None:
        book = Book(secrets.token_hex(16), floor_of(folder).of(SEAL), {}, ())
    else:
        book = opening.book
    items, pending = dict(book.items), list(book.pending)
    for name in names:
        lies = not is_sealed((folder.path / name).read_bytes())
        if name in items and (not lies or name in pending):
            continue
        if name in items and name not in adopted:
            hint = f"if it was put there on purpose: `ringfence vault rewrap --adopt {name}`"
            raise SealError(f"{name} was sealed and lies in the clear now", hint=hint)
        items[name] = items.get(name, 0) + 1
        keys[name] = bytearray(secrets.token_bytes(KEY_BYTES))
        pending.append(name)
    return replace(book, version=book.version + 1, items=items, pending=tuple(pending), slots=())


def step(folder: Folder, floor: Floor, book: Book, keks: list[Kek], keys: DataKeys) -> Book:
    """Write a seal under `keks`, then raise the floor to it."""
    made = book.under(keks, keys)
    made.write(seal_path(folder))
    floor.lift(SEAL, made.version)
    return made


def proved(folder: Folder, written: Book, kek: Kek) -> None:
    """Open what was written, as a later start would, before the old key is let go.

    Raises:
        SealError: it does not open.
    """
    read = Book.read(seal_path(folder))
    if read != written:
        raise SealError(f"{seal_path(folder)} is not what was written", code="seal_damaged")
    for key in written.open(written.slots[0], kek).values():
        key[:] = bytes(len(key))


def seal_file(folder: Folder, book: Book, name: str, key: bytearray) -> None:
    """Put the sealed file in the place of the one in the clear, if that is still there."""
    path = folder.path / name
    raw = path.read_bytes()
    if is_sealed(raw):
        return
    with wiped(bytearray(raw)) as content:
        replace_private(path, sealed(book.item(name), content, key, public_part(name, content)))


def public_part(name: str, content: bytearray) -> str | None:
    """Return the public key of an Ed25519 key in PEM, so that verifying needs no opening."""
    if name in ROOTS or not content.startswith(b"-----BEGIN"):
        return None
    try:
        key = load_pem_private_key(bytes(content), password=None)
    except (ValueError, TypeError):
        return None
    if not isinstance(key, Ed25519PrivateKey):
        return None
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()
