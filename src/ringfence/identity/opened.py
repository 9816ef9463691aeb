"""The state folder's secrets, as the commands and the gateway use them."""

from __future__ import annotations

from pathlib import Path

from ringfence.config.folder import Folder
from ringfence.identity.derivation import Places
from ringfence.identity.secret import MasterKey

__all__ = ["open_master"]


def open_master(folder: Folder, store: Path | str | None = None) -> MasterKey:
    """Return the master key of a state folder, which knows where its credentials stand.

    `store` is a file or a URL; without it, the folder's own.

    Raises:
        StoreError: the master key or the store cannot be read.
    """
    return MasterKey.read(folder.master_key, Places(store or folder.store))
