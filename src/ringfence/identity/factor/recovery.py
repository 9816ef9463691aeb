"""Recovery codes: ten, each good once, for who has lost everything else.

Shown once. What is kept of one is an HMAC under the master key: 100 random bits need no slow hash,
and who steals the store alone has nothing to try codes against.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable

from ringfence.errors import FactorError
from ringfence.identity.secret import RootKey

__all__ = ["CODES", "fresh_codes", "matching", "recovery_digest"]

CODES = 10
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no letter looks like a digit."""
CHARACTERS = 20
GROUP = 5
DIGEST_BYTES = 32
READ_AS = str.maketrans("OIL", "011", "- ")


def fresh_codes() -> list[str]:
    """Return CODES new codes, as people copy them: XXXXX-XXXXX-XXXXX-XXXXX."""
    return [fresh() for _ in range(CODES)]


def fresh() -> str:
    """Return one new code."""
    text = "".join(secrets.choice(ALPHABET) for _ in range(CHARACTERS))
    return "-".join(text[at : at + GROUP] for at in range(0, CHARACTERS, GROUP))


def recovery_digest(master: RootKey, operator: str, code: str) -> bytes:
    """Return what is kept of a code.

    Raises:
        FactorError: `recovery_unreadable`: it is no such code.
    """
    text = code.upper().translate(READ_AS)
    if len(text) != CHARACTERS or any(one not in ALPHABET for one in text):
        hint = "give one of the ten as it was shown: XXXXX-XXXXX-XXXXX-XXXXX"
        raise FactorError("this is not a recovery code", code="recovery_unreadable", hint=hint)
    key = master.derived(b"ringfence/recovery/v1", DIGEST_BYTES)
    # A name holds no '/'.
    return hmac.digest(key, f"{operator}/{text}".encode(), "sha256")


def matching(digest: bytes, kept: Iterable[tuple[int, bytes]]) -> int | None:
    """Return the serial of the kept digest that this is; looks at all of them, whichever fits."""
    found = None
    for serial, other in kept:
        if hmac.compare_digest(digest, other):
            found = serial
    return found
