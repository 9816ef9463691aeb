"""How changes are told to the ledger, and what of a reason can be kept."""

from __future__ import annotations

import time
from collections.abc import Callable

from ringfence.engine import Detail
from ringfence.errors import EngineError, KeyTextError
from ringfence.identity.credential import Change, Credential
from ringfence.identity.principal import Principal, PrincipalChange

__all__ = ["patiently", "read_why", "told", "told_credential", "told_principal"]

MAX_WHY = 256
"""Characters of a reason that are kept; it goes into the ledger."""
PATIENCE_SECONDS = 5.0
POLL_SECONDS = 0.01


def patiently(record: Callable[[], None]) -> None:
    """Call `record` until the ledger's queue has room; many changes may have to go through it.

    Raises:
        EngineError: it has none for PATIENCE_SECONDS.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return record()
        except EngineError:
            if time.monotonic() > until:
                raise
            time.sleep(POLL_SECONDS)


def told_credential(change: Change, credential: Credential) -> tuple[str, Detail]:
    """Return what the ledger says about a credential's change: the event's name and its detail."""
    about: dict[str, str | int] = {"credential": change.key_id, "state": change.state}
    if change.before is not None:
        name = "credential.changed" if change.what else "credential.state"
        return name, about | told(change)
    about |= {"account": credential.account, "algorithm": credential.algorithm}
    about |= {"scopes": " ".join(credential.scopes), "allow": " ".join(credential.allow)}
    if requires := credential.requires():
        about["requires"] = " ".join(requires)
    if credential.predecessor is not None:
        about["predecessor"] = credential.predecessor
    return "credential.created", about | told(change)


def told_principal(change: PrincipalChange, principal: Principal) -> tuple[str, Detail]:
    """Return what the ledger says about a principal's change: the event's name and its detail."""
    about: dict[str, str | int] = {"principal": change.principal, "state": change.state}
    if change.what:
        about["parent"] = principal.parent or ""
        return "principal.moved", about | told(change)
    if change.before is not None:
        return "principal.state", about | told(change)
    shown = {"kind": principal.kind, "parent": principal.parent, "role": principal.role}
    about |= {name: value for name, value in shown.items() if value is not None}
    if principal.uid is not None:
        about["uid"] = principal.uid
    return "principal.created", about | told(change)


def told(change: Change | PrincipalChange) -> dict[str, str | int]:
    """Return what the ledger says about a change beside who it is of and the state."""
    detail: dict[str, str | int] = {
        "change": change.serial,
        "changed_us": change.time_us,
        "who": change.who,
    }
    if change.before is not None:
        detail["before"] = change.before
    if change.why:
        detail["why"] = change.why
    if change.approvals:
        detail["approvals"] = " ".join(change.approvals)
    if change.what:
        detail["what"] = change.what
    return detail


def read_why(text: str) -> str:
    """Check a reason.

    Raises:
        KeyTextError: it cannot be kept.
    """
    text = text.strip()
    if not text.isprintable() or len(text) > MAX_WHY:
        hint = f"write at most {MAX_WHY} printable characters"
        raise KeyTextError("the reason cannot be kept", hint=hint)
    return text
