"""The state folder's secrets, as the commands and the gateway use them."""

from __future__ import annotations

from ringfence.config.folder import Folder
from ringfence.identity.derivation import Places
from ringfence.identity.secret import MasterKey

__all__ = ["open_master"]


def open_master(folder: Folder) -> MasterKey:
    """Return the master key of a state folder, which knows where its credentials stand.

    Raises:
        StoreError: the master key or the store cannot be read.
    """
    return MasterKey.read(folder.master_key, Places(folder.store))
