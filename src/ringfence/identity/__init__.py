"""Who may act: accounts, their credentials and states, and the secrets derived for them."""

from __future__ import annotations

from ringfence.identity.credential import SCOPES, Change, Credential
from ringfence.identity.opened import open_master
from ringfence.identity.secret import MasterKey, RootKey
from ringfence.identity.store import Store
from ringfence.identity.vault import Vault, VenueKey

__all__ = [
    "SCOPES",
    "Change",
    "Credential",
    "MasterKey",
    "RootKey",
    "Store",
    "Vault",
    "VenueKey",
    "open_master",
]
