"""Who may act: credentials, their states, and the secrets derived for them."""

from __future__ import annotations

from ringfence.identity.credential import SCOPES, Credential
from ringfence.identity.secret import MasterKey
from ringfence.identity.store import Store

__all__ = ["SCOPES", "Credential", "MasterKey", "Store"]
