"""What a passkey signs: a text that says what for, which the page shows.

An authenticator signs the challenge that it is given, and a challenge is the digest of such a
text. A page that shows one text and asks for the digest of another gets a signature that is good
for nothing: what is done is what the text says that was issued here.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

import rfc8785

__all__ = ["challenge_for", "read_statement", "statement"]

PREFIX = b"ringfence/statement/v1\x00"
"""So that no signature over anything else is one over a statement."""
NONCE_BYTES = 32


def statement(act: str, operator: str, gateway: str, **about: Any) -> bytes:
    """Return a new statement: canonical JSON (RFC 8785) that nobody can foretell."""
    nonce = secrets.token_urlsafe(NONCE_BYTES)
    return rfc8785.dumps(
        {"act": act, "operator": operator, "gateway": gateway, "nonce": nonce, **about}
    )


def challenge_for(text: bytes) -> bytes:
    """Return the challenge whose signature is one over this statement."""
    return hashlib.sha256(PREFIX + text).digest()


def read_statement(text: bytes) -> dict[str, Any]:
    """Return what a statement says."""
    said: dict[str, Any] = json.loads(text)
    return said
