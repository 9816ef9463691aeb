"""What can be done with credentials: the store first, then the engine, then the answer.

In that order a crash leaves a change that the next start applies, never one that it forgets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ringfence.api.clock import now_us
from ringfence.api.newkey import NewKey, bounded, make
from ringfence.api.own import Own
from ringfence.api.telling import (
    patiently,
    read_why,
    told,
    told_credential,
    told_principal,
)
from ringfence.engine import Engine
from ringfence.errors import EngineError, KeyStateError, KeyTextError
from ringfence.identity import lifecycle
from ringfence.identity.address import Addresses
from ringfence.identity.approval import Approvals
from ringfence.identity.credential import (
    ADMIN,
    HMAC,
    X509,
    Change,
    Credential,
    iso,
    read_allow,
    read_scopes,
)
from ringfence.identity.factor import Factors
from ringfence.identity.principal import PrincipalChange
from ringfence.identity.records import engine_records_of
from ringfence.identity.secret import RootKey
from ringfence.identity.stepup import May, refused
from ringfence.identity.store import Store

__all__ = ["KeyRules", "KeyService", "Successor"]

DAY_US = 86_400_000_000
MAX_OVERLAP_US = 90 * DAY_US


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What becomes of credentials by themselves. None: nothing.

    Days that one lives whose addresses are not bound, and days without use after which one is
    suspended.
    """

    unbound_days: int | None = None
    unused_days: int | None = None

    @property
    def unbound_us(self) -> int | None:
        """The first in µs."""
        return None if self.unbound_days is None else self.unbound_days * DAY_US


@dataclass(frozen=True, slots=True)
class Successor:
    """What takes over from a credential: PEM texts, or nothing for HMAC; and how long both last."""

    overlap_us: int
    public_key: str | None = None
    certificate: str | None = None
    key_id: str | None = None
    why: str = ""


class KeyService:
    """Changes credentials in the store, and in the engine when one runs in this process."""

    def __init__(
        self,
        store: Store,
        master: RootKey,
        engine: Engine | None = None,
        rules: KeyRules | None = None,
    ) -> None:
        """Keep what is needed; `engine` is started already."""
        self.store = store
        self.engine = engine
        self.rules = rules or KeyRules()
        self.factors = Factors(store.database, master)
        self.approvals = Approvals(store.database, master)
        self.addresses = Addresses(store.database, master)
        # Held over store and engine, so that both see changes in one order: a resume that
        # overtook a revoke on its way to the engine would leave the engine open.
        self.order = threading.Lock()
        self.own = Own()
        self.master = master

    def create(self, wanted: NewKey, who: str, approvals: Sequence[str] = ()) -> dict[str, Any]:
        """Create a credential and return it with its secret (HMAC), which is shown this once.

        `engine_error` says why the engine did not take it; the store has it all the same.

        Raises:
            KeyTextError: something about it cannot be read.
            KeyExistsError: its id has been used before.
            PrincipalStateError: its principal is not in use.
            ShardError: its secret would stand in a shard that its account is not in, or that
                cannot be derived here.
        """
        made = make(wanted, now_us(), self.rules.unbound_us)
        why = read_why(wanted.why)
        with self.order:
            self._settle(made, wanted.shard)
            change = self.store.add(made, who, why, approvals)
            return self._shown_once(made, [(change, made)])

    def all(self) -> list[dict[str, Any]]:
        """Return all credentials, oldest first."""
        return [credential.shown() for credential in self.store.all()]

    def one(self, key_id: str) -> dict[str, Any]:
        """Return one credential and its history.

        Raises:
            KeyMissingError: there is none of this id.
        """
        found = self.store.one(key_id).shown()
        return {**found, "history": [change.shown() for change in self.store.history(key_id)]}

    def step(self, key_id: str, asked: str, why: str, who: str) -> dict[str, Any]:
        """Let a credential take a step of its life (`lifecycle.yaml`), in the engine too.

        Raises:
            KeyTextError: the reason cannot be kept.
            KeyMissingError: there is none of this id.
            KeyStateError: there is no such step from where it is.
            EngineError: the running engine does not follow; the store has the change.
        """
        why = read_why(why)
        effective_us = None
        with self.order:
            changed, change = self.store.step(key_id, asked, who, why, now_us())
            if self.engine is not None:
                effective_us = self._follow(self.engine, changed, change)
        return {**changed.shown(), "effective_us": effective_us}

    def rotate(self, key_id: str, wanted: Successor, who: str) -> dict[str, Any]:
        """Give a credential a successor and return that, with its secret (HMAC), shown this once.

        Both are good for the overlap; then the old one has expired.

        Raises:
            KeyTextError: the successor cannot be read, or is of another sort.
            KeyMissingError: there is none of this id.
            KeyStateError: it is not active, or has a successor already.
        """
        if not 0 <= wanted.overlap_us <= MAX_OVERLAP_US:
            raise KeyTextError("the overlap is too long", hint="both may last for 90 days at most")
        why, time_us = read_why(wanted.why), now_us()
        with self.order:
            old = self.store.one(key_id)
            successor = take_over(old, wanted, time_us, self.rules.unbound_us)
            self._settle(successor)
            end_us = min(time_us + wanted.overlap_us, old.expires_us or 2**62)
            ended, begun = self.store.rotate(old, successor, end_us, who, why)
            ending = replace(old, expires_us=end_us)
            made = replace(successor, predecessor=key_id)
            answer = self._shown_once(made, [(begun, made), (ended, ending)])
        return {**answer, "predecessor_expires_us": end_us}

    def rescope(
        self,
        key_id: str,
        scopes: Sequence[str],
        why: str,
        who: str,
        may: May = refused,
        approvals: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Put other scopes in the place of a credential's. Fewer at once, more by step-up.

        `may` judges the step-up of who asks.

        Raises:
            KeyTextError: one is none, or would be wrong for its addresses.
            KeyStateError: it is out of use for ever.
            StepUpError: one would be new.
        """
        wanted = read_scopes(scopes)
        with self.order:
            old = self._open(key_id)
            read_allow(old.allow, wanted)
            new = [scope for scope in wanted if scope not in old.scopes]
            if ADMIN in (*old.scopes, *new) and new:
                hint = "`ringfence key create` makes another key"
                raise KeyTextError(f"the scope {ADMIN} is for good, or never", hint=hint)
            if new:
                what = f"adding {', '.join(new)} to credential {key_id}"
                may("key.scope", what)
            what = f"scopes {' '.join(old.scopes)} -> {' '.join(wanted)}"
            return self._describe(replace(old, scopes=wanted), old, what, why, who, approvals)

    def expire(
        self,
        key_id: str,
        expires_us: int,
        why: str,
        who: str,
        may: May = refused,
        approvals: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Let a credential end at another time. Sooner at once, later by step-up.

        `may` judges the step-up of who asks.

        Raises:
            KeyTextError: it would have ended.
            KeyStateError: it is out of use for ever.
            StepUpError: it would end later.
        """
        if expires_us <= now_us():
            hint = "name a time to come; `ringfence key revoke` ends it now"
            raise KeyTextError("the credential would have expired", hint=hint)
        with self.order:
            old = self._open(key_id)
            if old.expires_us is not None and expires_us > old.expires_us:
                may("key.expire", f"letting credential {key_id} last longer")
            end_us = bounded(expires_us, old.allow, now_us(), self.rules.unbound_us)
            what = f"ends at {iso(end_us)}"
            return self._describe(replace(old, expires_us=end_us), old, what, why, who, approvals)

    def suspend_unused(self) -> list[str]:
        """Keep when credentials were last used, and suspend those unused for too long.

        Raises:
            EngineError: the engine is not there any more.
        """
        if self.engine is not None:
            self.store.keep_uses(dict(self.engine.used_since(now_us() - DAY_US)))
        days = self.rules.unused_days
        if days is None:
            return []
        found = self.store.unused(now_us() - days * DAY_US)
        for key_id in found:
            try:
                self.step(key_id, "suspend", f"unused for {days} days", "ringfence")
            except KeyStateError:
                continue  # Somebody was faster.
        return found

    def follow_all(self, accounts: Sequence[str]) -> None:
        """Let the engine have all credentials of accounts again, as they stand now.

        The order is held.
        Raises:
            EngineError: it does not follow.
        """
        try:
            self._put(self.store.ids_of(accounts))
        except EngineError as e:
            raise unfollowed(e) from e

    def record_earlier(self) -> None:
        """Record in the ledger what was changed while no gateway ran.

        Raises:
            EngineError: the ledger does not take entries; the next start tries again.
        """
        with self.order:
            recorded: list[int] = []
            try:
                for change in self.store.unrecorded():
                    credential = self.store.one(change.key_id)
                    patiently(partial(self._event, change, credential))
                    recorded.append(change.serial)
            finally:
                self.store.mark_recorded(recorded)

    def record_principals(self, changes: Sequence[PrincipalChange]) -> None:
        """Put changes of principals into the ledger of a running engine. The order is held.

        Raises:
            EngineError: the ledger does not take entries; the next start tries again.
        """
        if self.engine is None:
            return
        recorded: list[int] = []
        try:
            for change in changes:
                principal = self.store.principals.one(change.principal)
                patiently(partial(self.engine.event, *told_principal(change, principal)))
                recorded.append(change.serial)
                if change.before is None:
                    # The engine has nothing to do for a new one.
                    named = {change.serial: change.principal}
                    self.own.add("principals", named, takes_away=False)
        finally:
            self.store.principals.mark_recorded(recorded)

    def _settle(self, made: Credential, shard: int | None = None) -> None:
        """Give a new HMAC credential its place in the tree of keys.

        Raises:
            KeyExistsError: its id is in use: another place would give that one another secret.
            ShardError: as `RootKey.settle`.
        """
        if made.derived:
            self.store.fresh(made.key_id)
            self.master.settle(made.key_id, made.account, shard)

    def _open(self, key_id: str) -> Credential:
        """Return a credential that is not out of use for ever."""
        found = self.store.one(key_id)
        if found.state in lifecycle.CREDENTIAL.final:
            said = f"credential {key_id} is {found.state}"
            raise KeyStateError(said, hint="what is out of use for ever does not change")
        return found

    def _describe(
        self,
        new: Credential,
        old: Credential,
        what: str,
        why: str,
        who: str,
        approvals: Sequence[str],
    ) -> dict[str, Any]:
        """Put a new description in the old one's place, in the engine too. The order is held."""
        why = read_why(why)
        if new == old:
            return {**old.shown(), "effective_us": None}
        change = self.store.describe(new, what, who, why, now_us(), approvals)
        effective_us = None
        if self.engine is not None:
            start = time.perf_counter_ns()
            try:
                self._put([new.key_id])
                effective_us = (time.perf_counter_ns() - start) // 1_000
                self.own.add("credentials", {change.serial: new.key_id})
                self._event(change, new)
            except EngineError as e:
                raise unfollowed(e) from e
            self.store.mark_recorded([change.serial])
        return {**new.shown(), "effective_us": effective_us}

    def _shown_once(
        self, made: Credential, changes: Sequence[tuple[Change, Credential]]
    ) -> dict[str, Any]:
        """Let the engine follow, and return a new credential with its secret."""
        secret = self.master.secret(made.key_id, made.generation) if made.derived else None
        failure = None
        if self.engine is not None:
            # Its secret is known to nobody yet: a failure must not swallow it.
            try:
                # An account that is new came with it.
                self.record_principals(self.store.principals.laid(made.account))
                self._put([credential.key_id for _, credential in changes])
                for one, _ in changes:
                    is_new = one.before is None
                    named = {one.serial: one.key_id}
                    self.own.add("credentials", named, takes_away=not is_new)
                for change, credential in changes:
                    self._event(change, credential)
                    self.store.mark_recorded([change.serial])
            except EngineError as e:
                failure = str(e)
        return {**made.shown(), "secret": secret, "engine_error": failure}

    def _put(self, key_ids: Sequence[str]) -> None:
        """Let the engine have credentials as they and their principals stand now.

        Those of another shard it cannot have: there is nothing here that verifies them.
        """
        if self.engine is not None:
            self.engine.put_credentials(engine_records_of(self.store, self.master, key_ids))

    def _follow(self, engine: Engine, changed: Credential, change: Change | None) -> int:
        """Let the engine follow a change that the store has, and return its µs."""
        detail = {"again": "yes"} if change is None else told(change)
        try:
            done = engine.set_credential_state(changed.key_id, changed.state, detail)
        except EngineError as e:
            if e.code != "credential_unknown" or changed.verifiable:
                raise unfollowed(e) from e
            # Destroyed before this engine started, so that it never knew it.
            if change is not None:
                self.own.add("credentials", {change.serial: changed.key_id})
                self._event(change, changed)
                self.store.mark_recorded([change.serial])
            return 0
        if change is not None:
            self.own.add("credentials", {change.serial: changed.key_id})
            if done.recorded:
                self.store.mark_recorded([change.serial])
        return done.effective_us

    def _event(self, change: Change, credential: Credential) -> None:
        """Put a change into the ledger. Its serial tells one that comes twice."""
        if self.engine is not None:
            self.engine.event(*told_credential(change, credential))


def unfollowed(error: EngineError) -> EngineError:
    """Return what is said when the store has a change and the running engine does not."""
    hint = "ask again; or restart the gateway, which starts from the store"
    said = f"the store has the change, the running engine does not: {error}"
    return EngineError(said, code=error.code, hint=hint)


def take_over(
    old: Credential, wanted: Successor, time_us: int, unbound_us: int | None
) -> Credential:
    """Return a credential's successor: who, what and from where as before, the key another.

    It lasts as long as the old one was to. HMAC: the next generation.
    Raises:
        KeyTextError: it cannot be read, or is of another sort.
    """
    same = {HMAC: "nothing", X509: "certificate"}.get(old.algorithm, "public key")
    given = {"public key": wanted.public_key, "certificate": wanted.certificate}
    if [name for name, pem in given.items() if pem is not None] != [same][: same != "nothing"]:
        hint = f"the successor of an {old.algorithm} credential needs: {same}"
        raise KeyTextError("the successor is of another sort", hint=hint)
    lasts = None if old.expires_us is None else time_us + old.expires_us - old.created_us
    asked = NewKey(
        old.account,
        old.scopes,
        old.allow,
        wanted.key_id,
        lasts,
        wanted.public_key,
        certificate=wanted.certificate,
        requires=["native"] if old.native else [],
    )
    made = make(asked, time_us, unbound_us)
    generation = old.generation + 1 if made.derived else 1
    return replace(made, generation=generation, certificates=old.certificates)
