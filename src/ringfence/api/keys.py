"""What can be done with credentials: the store first, then the engine, then the answer.

In that order a crash leaves a change that the next start applies, never one that it forgets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ringfence.engine import Engine
from ringfence.errors import KeyTextError
from ringfence.identity.credential import (
    REACHES,
    Credential,
    read_account,
    read_allow,
    read_key_id,
    read_public_key,
    read_scopes,
)
from ringfence.identity.secret import MasterKey, fresh_key_id
from ringfence.identity.store import Store

__all__ = ["KeyService", "Keys", "NewKey"]

MAX_WHY = 256
"""Characters of a reason that are kept; it goes into the ledger."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a person asks for. `public_key` is PEM text; without it the key is HMAC."""

    account: str
    scopes: Sequence[str]
    allow: Sequence[str]
    key_id: str | None = None
    expires_us: int | None = None
    public_key: str | None = None


class Keys(Protocol):
    """What the service in this process and a client of a running gateway both do."""

    def create(self, wanted: NewKey) -> dict[str, Any]:
        """Create a credential; the answer holds its secret, this once."""
        ...

    def all(self) -> list[dict[str, Any]]:
        """Return all credentials without secrets."""
        ...

    def one(self, key_id: str) -> dict[str, Any]:
        """Return one credential without its secret."""
        ...

    def set_state(self, key_id: str, state: str, why: str) -> dict[str, Any]:
        """Change a state; `effective_us` is how long the engine took, None without one."""
        ...


class KeyService:
    """`Keys` on the store itself, and on the engine when one runs in this process."""

    def __init__(self, store: Store, master: MasterKey, engine: Engine | None = None) -> None:
        """Keep what is needed; `engine` is started already."""
        self._store = store
        self._master = master
        self._engine = engine
        # Held over store and engine, so that both see changes in one order: a resume that
        # overtook a revoke on its way to the engine would leave the engine open.
        self._order = threading.Lock()

    def create(self, wanted: NewKey) -> dict[str, Any]:
        """Create a credential and return it with its secret (HMAC), which is shown this once.

        Raises:
            KeyTextError: something about it cannot be read.
            KeyExistsError: its id has been used before.
            EngineError: the running engine does not take it.
        """
        now_us = time.time_ns() // 1_000
        made = make(wanted, now_us)
        with self._order:
            self._store.add(made)
            if self._engine is not None:
                self._engine.put_credentials([made.for_engine(self._master)])
                detail = {"credential": made.key_id, "account": made.account, "state": made.state}
                self._engine.event("credential.state", detail)
        secret = self._master.secret(made.key_id) if made.public_key is None else None
        return {**made.shown(), "secret": secret}

    def all(self) -> list[dict[str, Any]]:
        """Return all credentials, oldest first."""
        return [credential.shown() for credential in self._store.all()]

    def one(self, key_id: str) -> dict[str, Any]:
        """Return one credential.

        Raises:
            KeyMissingError: there is none of this id.
        """
        return self._store.one(key_id).shown()

    def set_state(self, key_id: str, state: str, why: str) -> dict[str, Any]:
        """Bring a credential into `state`, in the engine too.

        Raises:
            KeyTextError: there is no such state, or the reason cannot be kept.
            KeyMissingError: there is none of this id.
            KeyStateError: it cannot get there.
            EngineError: the running engine does not follow; the store has the change.
        """
        why = why.strip()
        if not why.isprintable() or len(why) > MAX_WHY:
            hint = f"write at most {MAX_WHY} printable characters"
            raise KeyTextError("the reason cannot be kept", hint=hint)
        if state not in REACHES:
            raise KeyTextError(f"{state!r} is not a state", hint="states: " + ", ".join(REACHES))
        now_us = time.time_ns() // 1_000
        effective_us = None
        with self._order:
            changed = self._store.set_state(key_id, state, why, now_us)
            if self._engine is not None:
                effective_us = self._engine.set_credential_state(
                    key_id, state, {"why": why} if why else {}
                )
        return {**changed.shown(), "effective_us": effective_us}


def make(wanted: NewKey, now_us: int) -> Credential:
    """Check what was asked for and return it as a credential.

    Raises:
        KeyTextError: something about it cannot be read.
    """
    algorithm, material = "hmac-sha256", None
    if wanted.public_key is not None:
        algorithm, material = read_public_key(wanted.public_key.encode())
    if wanted.expires_us is not None and wanted.expires_us <= now_us:
        raise KeyTextError("the credential would have expired", hint="name a time to come")
    return Credential(
        key_id=fresh_key_id() if wanted.key_id is None else read_key_id(wanted.key_id),
        account=read_account(wanted.account),
        algorithm=algorithm,
        scopes=read_scopes(wanted.scopes),
        allow=read_allow(wanted.allow),
        state="active",
        created_us=now_us,
        changed_us=now_us,
        expires_us=wanted.expires_us,
        public_key=material,
    )
