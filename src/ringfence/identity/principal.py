"""A principal as the store keeps it: who acts, under whom it stands, and in what state.

Reads no clock. Times are microseconds since the Unix epoch (UTC).
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from ringfence.errors import KeyTextError
from ringfence.identity.lifecycle import KINDS, ROLES

__all__ = ["Principal", "PrincipalChange", "read_name"]


@dataclass(frozen=True, slots=True)
class Principal:
    """An organisation, account, sub-account, service or operator.

    `parent` is the name of the principal above it, None at the top. `role` and `uid` are an
    operator's: what it may do, and the Unix user that the admin socket knows it by.
    """

    name: str
    kind: str
    created_us: int
    parent: str | None = None
    state: str = "active"
    role: str | None = None
    uid: int | None = None

    def shown(self) -> dict[str, Any]:
        """Return what people and `--json` see."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PrincipalChange:
    """One step of a principal's life: who brought it from `before` into `state`, why and when."""

    serial: int
    principal: str
    before: str | None
    state: str
    who: str
    why: str
    time_us: int
    approvals: tuple[str, ...] = ()
    what: str = ""
    """What else than the state changed, in words."""

    def shown(self) -> dict[str, Any]:
        """Return what people and `--json` see."""
        names = ("before", "state", "who", "why", "time_us", "what")
        return {**{name: getattr(self, name) for name in names}, "approvals": list(self.approvals)}


def read_name(text: str) -> str:
    """Check a principal's name.

    Raises:
        KeyTextError: it is not 1 to 64 letters, digits, '.', '_', '-' or '@'.
    """
    if not re.fullmatch(r"[A-Za-z0-9._@-]{1,64}", text):
        hint = "use 1 to 64 letters, digits, '.', '_', '-' and '@'"
        raise KeyTextError(f"{text!r} is not a principal's name", hint=hint)
    return text


def read_principal(wanted: Principal) -> Principal:
    """Check what does not depend on other principals.

    Raises:
        KeyTextError: the name, kind, role or user cannot be.
    """
    read_name(wanted.name)
    if wanted.kind not in KINDS:
        hint = "kinds: " + ", ".join(KINDS)
        raise KeyTextError(f"{wanted.kind!r} is not a kind of principal", hint=hint)
    if wanted.kind != "operator":
        if wanted.role is not None or wanted.uid is not None:
            raise KeyTextError(f"{wanted.kind}s have no role and no user", hint="leave them out")
        return wanted
    if wanted.role not in ROLES:
        said = "an operator needs a role" if wanted.role is None else f"{wanted.role!r} is no role"
        raise KeyTextError(said, hint="roles: " + ", ".join(ROLES))
    # Without a user, it comes with a key of its own, through the pipeline.
    if wanted.uid is not None and not 0 <= wanted.uid < 2**32:
        raise KeyTextError(f"{wanted.uid} is no user", hint="name the Unix user that it is")
    return wanted
