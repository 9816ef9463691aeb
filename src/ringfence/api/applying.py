"""How an engine is brought to what the store says now.

Nothing here says what changed: what stands in the store is read and given to the engine as it is.
So it does not matter how often, in which order or by whom one is told of a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ringfence.api.addresses import for_engine
from ringfence.engine import Engine
from ringfence.errors import EngineError, GatewayError
from ringfence.identity.address import Addresses
from ringfence.identity.records import engine_records_of
from ringfence.identity.secret import RootKey
from ringfence.identity.shards import SERVING
from ringfence.identity.store import Store
from ringfence.identity.tree import Tree

__all__ = ["Applying", "Touched", "hold"]

AT_ONCE = 500
"""Credentials that the engine takes at once."""


@dataclass(frozen=True, slots=True)
class Touched:
    """Names of what has changed: credentials, principals, accounts whose addresses have.

    `moved` are principals that stand elsewhere, and all below them; `placed` those that were moved
    to another shard, and `shards` are shards that stand otherwise.
    """

    credentials: Sequence[str] = ()
    principals: Sequence[str] = ()
    moved: Sequence[str] = ()
    accounts: Sequence[str] = ()
    placed: Sequence[str] = ()
    shards: Sequence[int] = ()


class Applying:
    """Has one engine take what stands in one store. Whoever calls holds the order of changes."""

    def __init__(self, store: Store, master: RootKey, engine: Engine) -> None:
        """Keep what is needed."""
        self._store = store
        self._master = master
        self._engine = engine
        self._addresses = Addresses(store.database, master)

    def apply(self, touched: Touched) -> list[str]:
        """Have the engine take these as they stand now; return what it did not take, in words.

        What cannot be taken keeps nothing else from being taken.

        Raises:
            StoreError: the store cannot be read; ask again.
        """
        tree = self._store.principals
        for name in once(touched.principals):
            hold(self._engine, tree, name)
        below = [one for name in once(touched.moved) for one in tree.below(name)]
        problems = self._put(once([*touched.credentials, *self._store.ids_of(below)]))
        for account in once(touched.accounts):
            try:
                self._engine.put_addresses(for_engine(self._addresses, account))
            except GatewayError as e:
                problems.append(f"the addresses of {account}: {e}")
        return problems + self._put_shards(touched)

    def _put_shards(self, touched: Touched) -> list[str]:
        """Have the engine know where principals stand, and how shards do, that it has."""
        shards, problems = self._store.shards, []
        if not shards.rules.on:
            return []
        states = shards.states() if touched.shards else {}
        try:
            for name in once(touched.placed):
                self._engine.place(shards.below(name))
            for shard in set(touched.shards):
                if shard < shards.rules.count:
                    self._engine.set_shard(shard, states.get(shard, SERVING))
        except EngineError as e:
            problems.append(f"the shards: {e}")
        return problems

    def _put(self, key_ids: Sequence[str]) -> list[str]:
        problems = []
        for start in range(0, len(key_ids), AT_ONCE):
            some = key_ids[start : start + AT_ONCE]
            records = engine_records_of(self._store, self._master, some)
            problems += self._put_all(records)
            there = {one["key_id"] for one in records}
            # What nothing verifies any more.
            problems += [said for one in some if one not in there for said in self._destroy(one)]
        return problems

    def _put_all(self, records: list[dict[str, Any]]) -> list[str]:
        try:
            self._engine.put_credentials(records)
        except EngineError as e:
            if len(records) == 1:
                return [f"the credential {records[0]['key_id']}: {e}"]
            return [said for one in records for said in self._put_all([one])]
        return []

    def _destroy(self, key_id: str) -> list[str]:
        try:
            self._engine.put_credential_state(key_id, "destroyed")
        except EngineError as e:
            # Destroyed before this engine started, so that it never knew it.
            return [] if e.code == "credential_unknown" else [f"the credential {key_id}: {e}"]
        return []


def hold(engine: Engine, tree: Tree, name: str) -> int:
    """Let the engine hold what is held below `name`, and nothing else; return its µs."""
    held = tree.held()
    below = tree.below(name)
    took_us = 0
    for held_now in (True, False):
        if names := [one for one in below if (one in held) == held_now]:
            took_us += engine.hold_accounts(names, held_now)
    return took_us


def once(names: Iterable[str]) -> list[str]:
    """Return names, each once, in the order in which they came first."""
    return list(dict.fromkeys(names))
