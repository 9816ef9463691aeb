"""One sealed file: a head that says what it is, and the content sealed under its own data key.

Source: RFC 8452 (AES-256-GCM-SIV); the head is the associated data.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from ringfence.errors import SealError

__all__ = ["Item", "is_sealed", "opened", "sealed"]

FORMAT = "ringfence-sealed/1"
OPENING = b'{"format":"ringfence-sealed/'
NONCE_BYTES = 12
TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Item:
    """What a sealed file is: of which seal, under which name, in which version."""

    seal: str
    name: str
    version: int

    def head(self, public: str | None = None) -> bytes:
        """Return the first line. `public`: what may be known without opening it."""
        said: dict[str, Any] = {"format": FORMAT, "seal": self.seal}
        said |= {"item": self.name, "version": self.version}
        if public is not None:
            said["public"] = public
        return json.dumps(said, separators=(",", ":")).encode()


def is_sealed(content: bytes | bytearray) -> bool:
    """Tell whether a file's content is a sealed one's."""
    return content.startswith(OPENING)


def sealed(item: Item, content: bytearray, key: bytearray, public: str | None = None) -> bytes:
    """Return the sealed file of `content`."""
    head, nonce = item.head(public), secrets.token_bytes(NONCE_BYTES)
    body = nonce + AESGCMSIV(key).encrypt(nonce, content, head)
    return head + b"\n" + base64.b64encode(body) + b"\n"


def opened(path: Path, content: bytes, item: Item, key: bytearray) -> bytearray:
    """Return what a sealed file holds; whoever takes it wipes it.

    Raises:
        SealError: `seal_damaged`; it is another file, another version, or changed.
    """
    head, _, body = content.partition(b"\n")
    said = f"{path} cannot be opened: it is damaged, or not the one that belongs to the seal"
    try:
        found = json.loads(head)
        if head != item.head(found.get("public")):
            raise SealError(said, code="seal_damaged")
        raw = base64.b64decode(body.strip(), validate=True)
        room = bytearray(max(0, len(raw) - NONCE_BYTES - TAG_BYTES))
        AESGCMSIV(key).decrypt_into(raw[:NONCE_BYTES], raw[NONCE_BYTES:], head, room)
    except (InvalidTag, binascii.Error, ValueError, AttributeError):
        raise SealError(said, code="seal_damaged") from None
    return room
