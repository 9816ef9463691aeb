"""A key encryption key that a passphrase becomes. Source: RFC 9106 (Argon2id)."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any, cast

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ringfence.errors import SealError
from ringfence.identity.seal.kek import KEY_BYTES, LocalKek
from ringfence.identity.seal.memory import scrub
from ringfence.identity.seal.unlock import Unlock, wiped

__all__ = ["make", "open_again"]

CHOSEN = {"memory_kib": 65_536, "passes": 3, "lanes": 4}
"""RFC 9106 section 4, the second recommended: 64 MiB; 0.1 s on one core of today."""
BOUNDS = {"memory_kib": (19_456, 1_048_576), "passes": (2, 16), "lanes": (1, 16)}
"""What a seal may ask for: not so little that guessing is cheap, nor so much that it stops us."""
SALT_BYTES = 16
SHORTEST = 12
"""Bytes of a new passphrase; four words of a dice list have more."""


def make(rest: str, unlock: Unlock, what: str = "passphrase") -> LocalKek:
    """Return the key of a new passphrase, with a salt of its own; `what` names it to people.

    Raises:
        SealError: it is too short, or was written where others can read it.
    """
    if rest:
        hint = "write `passphrase` alone; it is asked for, or comes by --unlock-file or --unlock-fd"
        raise SealError("a passphrase has no place on a command line", hint=hint)
    salt = base64.b64encode(secrets.token_bytes(SALT_BYTES)).decode()
    described = {"kind": "passphrase", "argon2id": {**CHOSEN, "salt": salt}}
    with wiped(unlock.read(what, twice=True)) as phrase:
        if len(phrase) < SHORTEST:
            raise SealError(f"a passphrase has at least {SHORTEST} bytes", hint="use five words")
        return stretched(phrase, described)


def open_again(described: dict[str, Any], unlock: Unlock, what: str = "passphrase") -> LocalKek:
    """Return the key of a passphrase that was given before.

    Raises:
        SealError: the seal asks for too little or too much, or there is no passphrase.
    """
    check(described)
    with wiped(unlock.read(what)) as phrase:
        return stretched(phrase, described)


def check(described: dict[str, Any]) -> None:
    """Refuse parameters out of bounds.

    Raises:
        SealError: the seal asks for too little or too much.
    """
    asked = described.get("argon2id")
    for name, (least, most) in BOUNDS.items():
        value = asked.get(name) if isinstance(asked, dict) else None
        if type(value) is not int or not least <= value <= most:
            said = f"the seal's Argon2id {name} is {value!r}, not {least} to {most}"
            raise SealError(said, code="seal_damaged")


def stretched(phrase: bytearray, described: dict[str, Any]) -> LocalKek:
    """Return the key that Argon2id makes of a passphrase."""
    asked = described["argon2id"]
    try:
        salt = base64.b64decode(asked["salt"], validate=True)
        kdf = Argon2id(
            salt=salt,
            length=KEY_BYTES,
            iterations=asked["passes"],
            lanes=asked["lanes"],
            memory_cost=asked["memory_kib"],
        )
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise SealError("the seal's Argon2id salt is none", code="seal_damaged") from None
    key = bytearray(KEY_BYTES)
    # Its stub says bytes; it takes any buffer, and so no copy is left that cannot be wiped.
    kdf.derive_into(cast("bytes", phrase), key)
    # OpenSSL leaves one, which it has freed.
    scrub()
    return LocalKek(key, described)
