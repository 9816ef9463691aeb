"""The state folder's secrets, as the commands and the gateway use them.

Keys that the engine reads from a file are given to it as files that are in memory alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ringfence import config as configuration
from ringfence.config import Loaded
from ringfence.config.folder import Folder
from ringfence.errors import SealError, StoreError
from ringfence.identity.derivation import Places
from ringfence.identity.seal.folder import ROOTS, Opening, open_folder, root_name
from ringfence.identity.seal.item import is_sealed
from ringfence.identity.seal.unlock import Unlock, wiped
from ringfence.identity.secret import MasterKey, RootKey
from ringfence.identity.subtree import SubtreeKey

__all__ = ["Opened", "key_files", "laid", "open_master", "opened_state"]


@dataclass(slots=True)
class Opened:
    """A state folder whose keys can be used. `files`: where the engine finds each sealed key."""

    loaded: Loaded
    master: RootKey
    files: dict[str, str] = field(default_factory=dict)
    seal_version: int = 0
    """0: it is not sealed."""
    _handles: list[int] = field(default_factory=list)

    def snapshot(self, admin: Mapping[str, Any] | None = None) -> bytes:
        """Return what the engine takes, as `Loaded.snapshot`."""
        return configuration.encoded(self.content(admin))

    def content(self, admin: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the same before it is encoded."""
        return self.loaded.content(self.files, admin)

    def lies(self, text: str) -> str:
        """Return where a file of the configuration can be read: in memory, if it is sealed."""
        path = self.loaded.path(text)
        return self.files.get(os.path.normpath(path), path)

    def check(self) -> None:
        """Let the engine check the configuration, keys and all.

        Raises:
            ConfigError: what it refuses.
        """
        configuration.check(self.loaded, self.files)

    def take(self, opening: Opening, name: str) -> None:
        """Lay an item's content into memory for the engine."""
        with wiped(opening.content(name)) as content:
            self.files[str(self.loaded.folder / name)] = self.lay(content)

    def lay(self, content: bytes | bytearray) -> str:
        """Lay a secret into memory for the engine, until `close`; return where it reads it.

        Raises:
            SealError: this system has no files in memory.
        """
        if not hasattr(os, "memfd_create"):
            raise SealError("such keys need Linux, whose files can be in memory alone")
        handle = os.memfd_create("ringfence", os.MFD_CLOEXEC)
        self._handles.append(handle)
        os.fchmod(handle, 0o600)
        os.write(handle, content)
        return f"/proc/self/fd/{handle}"

    def close(self) -> None:
        """Let go of the files in memory. The engine has read them when it has started."""
        while self._handles:
            os.close(self._handles.pop())
        self.files.clear()


@contextmanager
def opened_state(loaded: Loaded, unlock: Unlock) -> Iterator[Opened]:
    """Open a state folder. The seal's own keys are wiped before this yields.

    Raises:
        SealError: its seal cannot be opened.
        StoreError: the master key or the store cannot be read.
    """
    folder = Folder(loaded.folder)
    with ExitStack() as stack:
        with open_folder(folder, unlock) as opening:
            if opening is not None:
                unsealed(loaded, opening)
            state = stack.enter_context(laid(loaded, opening))
        yield state


@contextmanager
def laid(
    loaded: Loaded,
    opening: Opening | None,
    clear: Sequence[str] = (),
    root: RootKey | None = None,
) -> Iterator[Opened]:
    """Yield a folder whose seal is open, without the items `clear`, which the engine can read.

    `root`: what its secrets are derived from, where the folder has nothing of that yet.

    Raises:
        SealError: a file is not the one that belongs to the seal.
    """
    state = Opened(loaded, root or root_of(Folder(loaded.folder), opening, loaded.store()))
    state.seal_version = 0 if opening is None else opening.book.version
    try:
        for name in () if opening is None else opening.book.items:
            if opening is not None and name not in (*ROOTS, *clear):
                state.take(opening, name)
        yield state
    finally:
        state.close()


def unsealed(loaded: Loaded, opening: Opening) -> None:
    """Refuse keys in the folder that the seal does not know.

    Raises:
        SealError: one lies in the clear.
    """
    for name in key_files(loaded):
        if name not in opening.book.items:
            hint = "`ringfence vault rewrap` seals it"
            raise SealError(f"{name} lies in the clear in a sealed folder", hint=hint)


def key_files(loaded: Loaded) -> list[str]:
    """Return the folder's files that hold keys, by their paths in it; no others."""
    config = loaded.config
    root = root_name(Folder(loaded.folder))
    named = [] if root is None else [root]
    named += [config.attestation.key, config.ledger.key]
    named += [one.tls.key for one in config.listeners if one.tls is not None]
    if config.admin.pages is not None and config.admin.pages.tls is not None:
        named.append(config.admin.pages.tls.key)
    found = []
    for text in named:
        path = Path(os.path.normpath(loaded.folder / text))
        if path.is_relative_to(loaded.folder):
            found.append(path.relative_to(loaded.folder).as_posix())
    return list(dict.fromkeys(found))


def open_master(
    folder: Folder, store: Path | str | None = None, unlock: Unlock | None = None
) -> RootKey:
    """Return what a state folder derives from, which knows where its credentials stand.

    `store` is a file or a URL; without it, the folder's own.

    Raises:
        SealError: the folder's seal cannot be opened.
        StoreError: the key or the store cannot be read.
    """
    with open_folder(folder, unlock or Unlock()) as opening:
        return root_of(folder, opening, store or folder.store)


def root_of(folder: Folder, opening: Opening | None, store: Path | str) -> RootKey:
    """Return what a folder derives from, out of the seal if there is one.

    Raises:
        SealError: it is sealed, and not the one that belongs to the seal.
        StoreError: there is none, or it cannot be read.
    """
    places, name = Places(store), root_name(folder)
    if name is None:
        said = f"{folder.path} has neither a master key nor a shard's subtree"
        raise StoreError(said, hint="put it back; or `ringfence vault import` brings a subtree")
    path = folder.path / name
    if opening is None or name not in opening.book.items:
        if is_sealed(path.read_bytes()):
            said = f"{path} is sealed, and its seal is gone"
            raise SealError(said, code="seal_rolled_back")
        read = MasterKey.read if path == folder.master_key else SubtreeKey.read
        return read(path, places)
    with wiped(opening.content(name)) as text:
        if path == folder.shard_key:
            return SubtreeKey.parse(text.decode("ascii", "replace"), places)
        try:
            return MasterKey(bytes.fromhex(text.decode("ascii")), places)
        except ValueError:
            raise StoreError("the master key is not a line of hexadecimal digits") from None
