"""What gateways of one cluster tell each other, so that nobody else can say or read it.

The server between them is no party: what it keeps is sealed under a key that follows from their
common root key. Whoever writes there can withhold, and put back what was said; never say anything.
"""

from __future__ import annotations

import hmac
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from ringfence.errors import ClusterError
from ringfence.identity.secret import RootKey

__all__ = ["Sealed"]

KEY_BYTES = 32
NONCE_BYTES = 12
NAME_BYTES = 16


class Sealed:
    """Seals and opens what is told under one prefix. Shown nowhere, not even by `repr`."""

    __slots__ = ("_cipher", "_names", "prefix")

    def __init__(self, root: RootKey, prefix: str) -> None:
        """Derive the keys. Gateways with another root key are another cluster."""
        material = root.derived(b"ringfence/cluster/sealed/v1", 2 * KEY_BYTES)
        self._cipher = AESGCMSIV(material[:KEY_BYTES])
        self._names = material[KEY_BYTES:]
        # In braces: all of it is on one node of a server that has several.
        self.prefix = f"{{{prefix}}}:{self.name('cluster', prefix)[:NAME_BYTES]}"

    def __repr__(self) -> str:
        """Tell nothing."""
        return f"{type(self).__name__}(...)"

    def name(self, sort: str, text: str) -> str:
        """Return what stands for a name on the server: always the same, and nobody can undo it."""
        mac = hmac.digest(self._names, f"{sort}\0{text}".encode(), "sha256")
        return mac[:NAME_BYTES].hex()

    def close(self, sort: str, content: dict[str, Any]) -> bytes:
        """Seal content of one sort; as another sort it does not open."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        text = json.dumps(content, ensure_ascii=False).encode()
        return nonce + self._cipher.encrypt(nonce, text, self._about(sort))

    def open(self, sort: str, sealed: bytes) -> dict[str, Any]:
        """Return what one of the cluster sealed as this sort.

        Raises:
            ClusterError: it is not of this cluster.
        """
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            content: dict[str, Any] = json.loads(
                self._cipher.decrypt(nonce, rest, self._about(sort))
            )
        except (InvalidTag, ValueError) as e:
            said = f"something of sort {sort} is there that no gateway of this cluster has said"
            raise ClusterError(said, code="cluster_forged") from e
        return content

    def _about(self, sort: str) -> bytes:
        return f"{self.prefix}/{sort}".encode()
