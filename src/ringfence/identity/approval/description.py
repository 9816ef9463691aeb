"""An act described so that all who read it read the same, and how its votes stand. Reads no clock.

The description is canonical JSON (RFC 8785) and its id is a digest of it: what was approved cannot
become another thing under the same id. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import rfc8785

from ringfence.errors import ApprovalError

__all__ = ["Description", "Vote", "standing"]

ID_CHARACTERS = 32
"""128 bits of SHA-256: two descriptions of one id would take 2^64 tries to find."""


@dataclass(frozen=True, slots=True)
class Description:
    """All of what is asked for, and by which rule it is decided.

    `need` of the `roles` must approve; it is done between `not_before_us` and `expires_us`.
    """

    act: str
    parameters: dict[str, Any]
    requester: str
    need: int
    roles: list[str]
    asked_us: int
    not_before_us: int
    expires_us: int

    @classmethod
    def read(cls, canonical: bytes) -> Description:
        """Return what canonical text describes."""
        return cls(**json.loads(canonical))

    def canonical(self) -> bytes:
        """Return the one text of it.

        Raises:
            ApprovalError: `approval_unwritable`: a number in it has no exact form there.
        """
        try:
            return rfc8785.dumps(asdict(self))
        except rfc8785.CanonicalizationError as e:
            hint = "numbers reach to 2^53"
            said = "what was asked for cannot be described exactly"
            raise ApprovalError(said, code="approval_unwritable", hint=hint) from e


@dataclass(frozen=True, slots=True)
class Vote:
    """What one operator said."""

    voter: str
    approves: bool
    time_us: int


def id_of(canonical: bytes) -> str:
    """Return the id of a description."""
    return hashlib.sha256(canonical).hexdigest()[:ID_CHARACTERS]


def standing(
    about: Description,
    ended: str | None,
    votes: Iterable[Vote],
    eligible: Collection[str],
    need: int,
    now_us: int,
) -> str:
    """Return where a request stands: open, locked, approved, rejected, executed or expired.

    Only votes of the `eligible` count, who may vote at this moment; `need` is at least the rule's.
    """
    if ended is not None:
        return ended
    if now_us >= about.expires_us:
        return "expired"
    counted = {one.voter for one in votes if one.approves and one.voter in eligible}
    if len(counted - {about.requester}) < max(need, about.need):
        return "open"
    return "locked" if now_us < about.not_before_us else "approved"
