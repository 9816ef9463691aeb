"""A gateway in this process, and what it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ringfence import _core
from ringfence.engine.call import named
from ringfence.engine.policy import Answer, PolicySet

__all__ = ["Detail", "Engine", "RefusalCode", "StateChange", "check_snapshot", "refusal_codes"]

Detail = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class RefusalCode:
    """One stable refusal code: who refuses by it, and what the refused one can do."""

    code: str
    room: str
    hint: str
    status: int
    """Of its problem details (RFC 9457), and their type: a venue's own answer may have another."""
    type: str


@dataclass(frozen=True, slots=True)
class StateChange:
    """What came of a state's change: when it held, and whether the ledger took the event."""

    effective_us: int
    recorded: bool


class Engine:
    """A gateway in this process. `start` it once, `stop` it once; other calls may come between."""

    def __init__(self, snapshot: bytes) -> None:
        """Check `snapshot` (JSON, see `ringfence.config`).

        Raises:
            EngineError: the snapshot is refused; the message names the field.
        """
        with named():
            self._engine = _core.Engine(snapshot)

    def start(
        self,
        credentials: list[dict[str, Any]] | Iterable[bytes],
        venue_keys: Sequence[dict[str, Any]] = (),
        addresses: Mapping[str, list[dict[str, Any]]] | None = None,
        shards: Mapping[int, bytes] | None = None,
    ) -> list[str]:
        """Take `credentials`, open the ledger, listen, and return the bound `host:port` texts.

        In the listeners' order. Many credentials come in parts: such lists in JSON; each is taken
        while the next one is made. No client meets the gateway before it knows its credentials, the
        keys that it signs with for a venue, and the addresses that each account's withdrawals may
        go to. `shards` are the keys from which the secrets of those are derived that have a place.

        Raises:
            EngineError: a credential, port, certificate, key or the ledger cannot be used.
        """
        parts = [json.dumps(credentials).encode()] if isinstance(credentials, list) else credentials
        texts = {number: base64.b64encode(key).decode() for number, key in (shards or {}).items()}
        with named(), ThreadPoolExecutor(1) as taking:
            self._engine.begin(json.dumps(texts).encode())
            last: Future[int] | None = None
            for part in parts:
                if last is not None:
                    last.result()
                last = taking.submit(self._engine.load, part)
            if last is not None:
                last.result()
        with named():
            keys = json.dumps(list(venue_keys)).encode()
            return self._engine.start(keys, json.dumps(addresses or {}).encode())

    def stop(self, drain_ms: int) -> None:
        """Let open requests end for at most `drain_ms`, then close the ledger.

        Raises:
            EngineError: the ledger could not be closed.
        """
        with named():
            self._engine.stop(drain_ms)

    def hurry(self) -> None:
        """End the wait of a `stop` on another thread: what is still open is cut off."""
        self._engine.hurry()

    def put_credentials(self, credentials: list[dict[str, Any]]) -> int:
        """Add or replace credentials and return how many.

        Raises:
            EngineError: one is malformed; the message names its id, never its material.
        """
        with named():
            return self._engine.put_credentials(json.dumps(credentials).encode())

    def put_venue_keys(self, venue_keys: list[dict[str, Any]]) -> int:
        """Put venue keys in the place of all that there were; return how many accounts use.

        Raises:
            EngineError: one cannot be used, or nothing is signed for a venue; then all stay.
        """
        with named():
            return self._engine.put_venue_keys(json.dumps(venue_keys).encode())

    def put_addresses(self, addresses: Mapping[str, list[dict[str, Any]]]) -> None:
        """Put withdrawal addresses in the place of all that these accounts had.

        In force when it returns.
        Raises:
            EngineError: one cannot be read, or the engine is not started; then all stay.
        """
        with named():
            self._engine.put_addresses(json.dumps(addresses).encode())

    def put_policies(self, policies: PolicySet) -> None:
        """Put policies in the place of those in force, for every message not judged yet.

        Raises:
            EngineError: the configuration has no policies, or the engine is not started.
        """
        with named():
            self._engine.put_policies(policies.compiled)

    def put_issuers(self, issuers: list[dict[str, Any]]) -> None:
        """Put issuers in the place of those whose tokens are taken; who acts by a key gone, ends.

        Raises:
            EngineError: one cannot be used, or the engine is not started; then all stay.
        """
        with named():
            self._engine.put_issuers(json.dumps(issuers).encode())

    def ask_policies(self, question: dict[str, Any]) -> Answer | None:
        """Answer one request by the policies in force; None: there are none.

        Raises:
            EngineError: the request cannot be read, or the engine is not started.
        """
        with named():
            said = self._engine.ask_policies(json.dumps(question).encode())
        return None if said is None else Answer.read(said)

    def set_credential_state(self, key_id: str, state: str, detail: Detail) -> StateChange:
        """Set one credential's state, then record it with `detail`.

        Raises:
            EngineError: the engine does not know the credential, or it is in a final state.
        """
        with named():
            content = json.dumps(detail).encode()
            return StateChange(*self._engine.set_credential_state(key_id, state, content))

    def put_credential_state(self, key_id: str, state: str) -> int:
        """Set one credential's state, of which another tells the ledger.

        Return after how many microseconds that held.
        Raises:
            EngineError: the engine does not know the credential, or it is in a final state.
        """
        with named():
            return self._engine.put_credential_state(key_id, state)

    def add_ban(self, ban: Mapping[str, Any], detail: Detail) -> StateChange:
        """Put a ban in force, then record it with `detail`.

        Raises:
            EngineError: it cannot be read, or the engine is not started.
        """
        with named():
            told = json.dumps(detail).encode()
            return StateChange(*self._engine.add_ban(json.dumps(ban).encode(), told))

    def learn_ban(self, ban: Mapping[str, Any], detail: Detail) -> StateChange:
        """Take another node's ban, then record it with `detail`. What is stricter here stays.

        Raises:
            EngineError: it cannot be read, or the engine is not started.
        """
        with named():
            told = json.dumps(detail).encode()
            return StateChange(*self._engine.learn_ban(json.dumps(ban).encode(), told))

    def bans_changed(self) -> int:
        """Return a number that is another one once a ban is in force or gone.

        Raises:
            EngineError: the engine is not started.
        """
        with named():
            return self._engine.bans_changed()

    def lift_ban(self, target: str, detail: Detail) -> StateChange | None:
        """Lift a ban, then record it with `detail`; None: there was none.

        Raises:
            EngineError: it is no target, or the engine is not started.
        """
        with named():
            change = self._engine.lift_ban(target, json.dumps(detail).encode())
        return None if change is None else StateChange(*change)

    def bans(self) -> list[dict[str, Any]]:
        """Return the bans in force.

        Raises:
            EngineError: the engine is not started.
        """
        with named():
            found: list[dict[str, Any]] = json.loads(self._engine.bans())
        return found

    def hold_accounts(self, accounts: Sequence[str], held: bool) -> int:
        """Take all credentials of accounts out of use, or let each stand where it stands by itself.

        Return after how many microseconds that held.
        Raises:
            EngineError: the engine is not started.
        """
        with named():
            return self._engine.hold_accounts(list(accounts), held)

    def place(self, accounts: Mapping[str, int | None]) -> int:
        """Put accounts into shards, or into none; return after how many microseconds that held.

        Raises:
            EngineError: there is no such shard, or the engine is not started.
        """
        with named():
            return self._engine.place(json.dumps(accounts).encode())

    def set_shard(self, shard: int, state: str) -> int:
        """Have a shard be serving, draining or isolated; return the µs until that held.

        Raises:
            EngineError: there is no such shard or state, or the engine is not started.
        """
        with named():
            return self._engine.set_shard(shard, state)

    def shards(self) -> list[dict[str, Any]]:
        """Return each shard: how it stands, who stands there, what it has used.

        Raises:
            EngineError: the engine is not started.
        """
        with named():
            found: list[dict[str, Any]] = json.loads(self._engine.shards())
        return found

    def renew(self, age_ms: int, lasts_ms: int | None) -> None:
        """Have what is known of credentials acted by for `lasts_ms`, counted from `age_ms` ago.

        To be said when the store was found as the engine knows it. After that nothing that changes
        state goes to the venue (`store_stale`), until it is said again. None: for ever.

        Raises:
            EngineError: the engine is not started.
        """
        with named():
            self._engine.renew(age_ms, lasts_ms)

    def step_up(self, account: str, at_us: int, proof: str) -> None:
        """Let policies see that somebody stepped up for an account, in µs since the epoch.

        `proof` is what was proved: `totp` or `passkey`.

        Raises:
            EngineError: the engine is not started, or policies know no such proof.
        """
        with named():
            self._engine.step_up(account, at_us, proof)

    def used_since(self, since_us: int) -> list[tuple[str, int]]:
        """Return the credentials that were used at `since_us` or later, and when, to the second.

        In microseconds since the epoch.
        Raises:
            EngineError: the engine is not started.
        """
        with named():
            return self._engine.used_since(since_us)

    def event(self, name: str, detail: Detail, *, durable: bool = False) -> None:
        """Record an event in the ledger; `durable`: return when it is.

        Raises:
            EngineError: the ledger does not take entries.
        """
        with named():
            self._engine.event(name, json.dumps(detail).encode(), durable)

    def erase(self, commitments: list[str]) -> int:
        """Remove for good what commitments stand for in the newest volume; return how many.

        Raises:
            EngineError: the ledger cannot be written; the engine tries to bring it back.
        """
        with named():
            return self._engine.erase(commitments)

    def event_alone(self, name: str, detail: Detail) -> None:
        """Record one event while no engine has the ledger; it is durable on return.

        Raises:
            EngineError: the ledger cannot be opened or written.
        """
        with named():
            self._engine.event_alone(name, json.dumps(detail).encode())

    def status(self) -> dict[str, Any]:
        """Return the gateway's counters.

        Raises:
            EngineError: the engine is not started.
        """
        with named():
            status: dict[str, Any] = json.loads(self._engine.status())
        return status

    def top(self, limits: int) -> dict[str, Any]:
        """Return what is going on: traffic, as many limits near their edge, the newest bans.

        Raises:
            EngineError: the engine is not started.
        """
        with named():
            top: dict[str, Any] = json.loads(self._engine.top(limits))
        return top


def check_snapshot(snapshot: bytes) -> None:
    """Refuse what `Engine` would refuse, without side effects.

    Raises:
        EngineError: the message names the field.
    """
    with named():
        _core.check_snapshot(snapshot)


def refusal_codes() -> list[RefusalCode]:
    """Return every refusal code, in the engine's order."""
    return [RefusalCode(*row) for row in _core.codes()]
