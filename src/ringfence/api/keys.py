"""What can be done with credentials: the store first, then the engine, then the answer.

In that order a crash leaves a change that the next start applies, never one that it forgets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ringfence.engine import Engine
from ringfence.errors import EngineError, KeyTextError
from ringfence.identity.certificate import ClientCertificate, read_certificate
from ringfence.identity.credential import (
    NATIVE,
    REACHES,
    X509,
    Change,
    Credential,
    read_account,
    read_allow,
    read_key_id,
    read_scopes,
)
from ringfence.identity.keypair import public_pem, read_public_key
from ringfence.identity.secret import MasterKey, fresh_key_id
from ringfence.identity.store import Store

__all__ = ["Asked", "KeyService", "Keys", "NewKey"]

MAX_WHY = 256
"""Characters of a reason that are kept; it goes into the ledger."""
PATIENCE_SECONDS = 5.0
POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a person asks for. `public_key` is PEM text; without it the key is HMAC.

    With `certificate` (PEM text), the credential is that certificate. `requires` may hold
    "native"; `require_certificates` are PEM texts, one of which must be on the connection.
    """

    account: str
    scopes: Sequence[str]
    allow: Sequence[str]
    key_id: str | None = None
    expires_us: int | None = None
    public_key: str | None = None
    pre_active: bool = False
    why: str = ""
    certificate: str | None = None
    requires: Sequence[str] = ()
    require_certificates: Sequence[str] = ()


class Keys(Protocol):
    """What the service in this process and a client of a running gateway both do."""

    def create(self, wanted: NewKey) -> dict[str, Any]:
        """Create a credential; the answer holds its secret, this once."""
        ...

    def all(self) -> list[dict[str, Any]]:
        """Return all credentials without secrets."""
        ...

    def one(self, key_id: str) -> dict[str, Any]:
        """Return one credential without its secret, and its history."""
        ...

    def set_state(self, key_id: str, state: str, why: str) -> dict[str, Any]:
        """Change a state; `effective_us` is how long the engine took, None without one."""
        ...


class KeyService:
    """Changes credentials in the store, and in the engine when one runs in this process."""

    def __init__(self, store: Store, master: MasterKey, engine: Engine | None = None) -> None:
        """Keep what is needed; `engine` is started already."""
        self._store = store
        self._master = master
        self._engine = engine
        # Held over store and engine, so that both see changes in one order: a resume that
        # overtook a revoke on its way to the engine would leave the engine open.
        self._order = threading.Lock()

    def create(self, wanted: NewKey, who: str) -> dict[str, Any]:
        """Create a credential and return it with its secret (HMAC), which is shown this once.

        `engine_error` says why the engine did not take it; the store has it all the same.

        Raises:
            KeyTextError: something about it cannot be read.
            KeyExistsError: its id has been used before.
        """
        made = make(wanted, time.time_ns() // 1_000)
        secret = None
        if made.public_key is None:
            self._master.settle(made.key_id, made.account)
            secret = self._master.secret(made.key_id, made.generation)
        failure = None
        with self._order:
            change = self._store.add(made, who, read_why(wanted.why))
            if self._engine is not None:
                # Its secret is known to nobody yet: a failure must not swallow it.
                try:
                    self._engine.put_credentials([made.for_engine(self._master)])
                    self._event(change, made)
                    self._store.mark_recorded([change.serial])
                except EngineError as e:
                    failure = str(e)
        return {**made.shown(), "secret": secret, "engine_error": failure}

    def all(self) -> list[dict[str, Any]]:
        """Return all credentials, oldest first."""
        return [credential.shown() for credential in self._store.all()]

    def one(self, key_id: str) -> dict[str, Any]:
        """Return one credential and its history.

        Raises:
            KeyMissingError: there is none of this id.
        """
        found = self._store.one(key_id).shown()
        return {**found, "history": [change.shown() for change in self._store.history(key_id)]}

    def set_state(self, key_id: str, state: str, why: str, who: str) -> dict[str, Any]:
        """Bring a credential into `state`, in the engine too.

        Raises:
            KeyTextError: there is no such state, or the reason cannot be kept.
            KeyMissingError: there is none of this id.
            KeyStateError: it cannot get there.
            EngineError: the running engine does not follow; the store has the change.
        """
        why = read_why(why)
        if state not in REACHES:
            raise KeyTextError(f"{state!r} is not a state", hint="states: " + ", ".join(REACHES))
        effective_us = None
        with self._order:
            now_us = time.time_ns() // 1_000
            changed, change = self._store.set_state(key_id, state, who, why, now_us)
            if self._engine is not None:
                effective_us = self._follow(self._engine, key_id, state, change)
        return {**changed.shown(), "effective_us": effective_us}

    def record_earlier(self) -> None:
        """Record in the ledger what was changed while no gateway ran.

        Raises:
            EngineError: the ledger does not take entries; the next start tries again.
        """
        with self._order:
            if not (changes := self._store.unrecorded()):
                return
            credentials = {one.key_id: one for one in self._store.all()}
            recorded: list[int] = []
            try:
                for change in changes:
                    patiently(partial(self._event, change, credentials[change.key_id]))
                    recorded.append(change.serial)
            finally:
                self._store.mark_recorded(recorded)

    def _follow(self, engine: Engine, key_id: str, state: str, change: Change | None) -> int:
        """Let the engine follow a change that the store has, and return its µs."""
        detail = {"again": "yes"} if change is None else told(change)
        try:
            done = engine.set_credential_state(key_id, state, detail)
        except EngineError as e:
            hint = "ask again; or restart the gateway, which starts from the store"
            said = f"the store has the change, the running engine does not: {e}"
            raise EngineError(said, code=e.code, hint=hint) from e
        if change is not None and done.recorded:
            self._store.mark_recorded([change.serial])
        return done.effective_us

    def _event(self, change: Change, credential: Credential) -> None:
        """Put a change into the ledger. Its serial tells one that comes twice."""
        if self._engine is None:
            return
        about: dict[str, str | int] = {"credential": change.key_id, "state": change.state}
        if change.before is not None:
            self._engine.event("credential.state", about | told(change))
            return
        about |= {"account": credential.account, "algorithm": credential.algorithm}
        about |= {"scopes": " ".join(credential.scopes), "allow": " ".join(credential.allow)}
        if requires := credential.requires():
            about["requires"] = " ".join(requires)
        self._engine.event("credential.created", about | told(change))


@dataclass(frozen=True, slots=True)
class Asked:
    """`Keys` of a service, on behalf of one person."""

    service: KeyService
    who: str

    def create(self, wanted: NewKey) -> dict[str, Any]:
        """As `KeyService.create`."""
        return self.service.create(wanted, self.who)

    def all(self) -> list[dict[str, Any]]:
        """As `KeyService.all`."""
        return self.service.all()

    def one(self, key_id: str) -> dict[str, Any]:
        """As `KeyService.one`."""
        return self.service.one(key_id)

    def set_state(self, key_id: str, state: str, why: str) -> dict[str, Any]:
        """As `KeyService.set_state`."""
        return self.service.set_state(key_id, state, why, self.who)


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


def told(change: Change) -> dict[str, str | int]:
    """Return what the ledger says about a change beside credential and state."""
    detail: dict[str, str | int] = {
        "change": change.serial,
        "changed_us": change.time_us,
        "who": change.who,
    }
    if change.before is not None:
        detail["before"] = change.before
    if change.why:
        detail["why"] = change.why
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


def make(wanted: NewKey, now_us: int) -> Credential:
    """Check what was asked for and return it as a credential.

    Raises:
        KeyTextError: something about it cannot be read.
    """
    named = None if wanted.key_id is None else read_key_id(wanted.key_id)
    expires_us = wanted.expires_us
    if wanted.certificate is not None:
        certificate = own_certificate(wanted, now_us)
        named, algorithm, material = certificate.thumbprint, X509, certificate.der
        expires_us = min(certificate.expires_us, expires_us or certificate.expires_us)
    elif wanted.public_key is not None:
        algorithm, material = read_public_key(wanted.public_key.encode())
        if algorithm == "secp256k1-eip712":
            named = own_address(public_pem(algorithm, material), named)
    else:
        algorithm, material = "hmac-sha256", None
    if expires_us is not None and expires_us <= now_us:
        raise KeyTextError("the credential would have expired", hint="name a time to come")
    scopes = read_scopes(wanted.scopes)
    pems = [pem.encode() for pem in wanted.require_certificates]
    found = dict.fromkeys(read_certificate(pem, now_us).thumbprint for pem in pems)
    return Credential(
        key_id=named or fresh_key_id(),
        account=read_account(wanted.account),
        algorithm=algorithm,
        scopes=scopes,
        allow=read_allow(wanted.allow, scopes),
        state="pre-active" if wanted.pre_active else "active",
        created_us=now_us,
        expires_us=expires_us,
        public_key=material,
        native=read_requires(wanted.requires, algorithm),
        certificates=tuple(found),
    )


def own_address(address: str, named: str | None) -> str:
    """Return the id of a wallet's credential: its address, which each signature recovers to.

    Raises:
        KeyTextError: it is to be called otherwise.
    """
    if named not in (None, address):
        raise KeyTextError("a wallet's id is its address", hint="leave the id out")
    return address


def own_certificate(wanted: NewKey, now_us: int) -> ClientCertificate:
    """Return the certificate that the credential is.

    Raises:
        KeyTextError: it cannot be, or something is asked for that only a key has.
    """
    if wanted.public_key is not None or wanted.key_id is not None:
        hint = "leave the key and the id out: its id is the certificate's SHA-256"
        raise KeyTextError("a certificate brings its own key and id", hint=hint)
    if wanted.requires or wanted.require_certificates:
        hint = "to have both, create a key and add --require-certificate"
        raise KeyTextError("a certificate is all the proof of itself", hint=hint)
    return read_certificate((wanted.certificate or "").encode(), now_us)


def read_requires(words: Sequence[str], algorithm: str) -> bool:
    """Tell whether the native signature is demanded.

    Raises:
        KeyTextError: something else is, or the key could not sign so.
    """
    for word in words:
        if word != NATIVE:
            raise KeyTextError(f"{word!r} cannot be required", hint=f"only {NATIVE} can")
    if words and algorithm != "ed25519":
        hint = "add --generate-key FILE, or --public-key with an Ed25519 key"
        raise KeyTextError(f"an {algorithm} key does not sign natively", hint=hint)
    return bool(words)
