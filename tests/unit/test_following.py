"""A gateway follows its store: what others change there reaches its engine, as it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import delete

from ringfence.api import (
    AddressService,
    KeyService,
    NewKey,
    NewPrincipal,
    PrincipalService,
    ShardService,
)
from ringfence.api.applying import Touched
from ringfence.api.following import Following, FollowRules
from ringfence.api.keys import Successor
from ringfence.api.newkey import make
from ringfence.engine import Engine, StateChange
from ringfence.errors import EngineError, StoreError
from ringfence.identity import MasterKey, Store
from ringfence.identity.address import NewAddress
from ringfence.identity.database import Database
from ringfence.identity.derivation import Places
from ringfence.identity.feed import Feed
from ringfence.identity.placement import ShardRules, hashed
from ringfence.identity.schema import CHANGE
from tests.lost import lost
from tests.unit.conftest import Place

MASTER = bytes(32)
SHARDS = ShardRules(8)
HOME = ["127.0.0.0/8"]


class Told:
    """What an engine would know after what it is told."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.puts: list[str] = []
        self.held: dict[str, bool] = {}
        self.addresses: dict[str, list[dict[str, Any]]] = {}
        self.places: dict[str, int | None] = {}
        self.shards: dict[int, str] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.renewed: list[tuple[int, int | None]] = []
        self.refuses = ""
        self.writable = True

    def put_credentials(self, records: list[dict[str, Any]]) -> int:
        if any(one["key_id"] == self.refuses for one in records):
            raise EngineError("it is over", code="credential_invalid")
        self.known |= {one["key_id"]: one for one in records}
        self.puts += [one["key_id"] for one in records]
        return len(records)

    def put_credential_state(self, key_id: str, state: str) -> int:
        if key_id not in self.known:
            raise EngineError("nobody knows it", code="credential_unknown")
        self.known[key_id]["state"] = state
        return 1

    def set_credential_state(self, key_id: str, state: str, detail: dict[str, Any]) -> StateChange:
        self.put_credential_state(key_id, state)
        self.event("credential.state", detail)
        return StateChange(1, recorded=True)

    def hold_accounts(self, accounts: list[str], held: bool) -> int:
        self.held |= dict.fromkeys(accounts, held)
        return 1

    def place(self, accounts: dict[str, int | None]) -> int:
        self.places |= accounts
        return 1

    def set_shard(self, shard: int, state: str) -> int:
        self.shards[shard] = state
        return 1

    def put_addresses(self, addresses: dict[str, list[dict[str, Any]]]) -> None:
        self.addresses |= addresses

    def event(self, name: str, detail: dict[str, Any]) -> None:
        if not self.writable:
            raise EngineError("the ledger is full", code="ledger_unavailable")
        self.events.append((name, detail))

    def bans(self) -> list[dict[str, Any]]:
        return []

    def bans_changed(self) -> int:
        return 0

    def renew(self, age_ms: int, lasts_ms: int | None) -> None:
        self.renewed.append((age_ms, lasts_ms))

    def names(self) -> list[str]:
        return [name for name, _ in self.events]


class Node:
    """One gateway's part of a store; without an engine it is a command beside the gateways."""

    def __init__(
        self, place: Place, *, engine: bool = True, rules: FollowRules | None = None
    ) -> None:
        self.engine = Told()
        known = cast("Engine", self.engine) if engine else None
        self.store = Store(place, SHARDS)
        self.keys = KeyService(self.store, MasterKey(MASTER, Places(place)), known)
        record = known.event if known else None
        self.addresses = AddressService(self.keys.addresses, record, known, 60, own=self.keys.own)
        self.principals = PrincipalService(self.keys)
        self.shards = ShardService(self.keys)
        self.now_s = 1000.0
        self.said: list[str] = []
        kept = Store(Database(place, 0.5), SHARDS)
        self.following = Following(
            Feed(kept),
            kept,
            self.keys,
            self.addresses,
            cast("Engine", self.engine),
            rules or FollowRules(),
            self.said.append,
            lambda: self.now_s,
        )
        self.close = kept.database.close

    def key(self, account: str = "desk", hmac: bool = True) -> str:
        made = self.keys.create(NewKey(account, ["read", "trade"], HOME), "ann")
        return str(made["key_id"])

    def states(self) -> dict[str, str]:
        return {key_id: one["state"] for key_id, one in self.engine.known.items()}

    def follow(self) -> list[str]:
        """Look once; return what the ledger was told by it."""
        before = len(self.engine.events)
        self.following.once()
        assert "problem" not in self.following.status(), self.following.status()
        return self.engine.names()[before:]


Nodes = Callable[..., Node]


@pytest.fixture
def place(empty: Place) -> Place:
    """Return a store of each kind, with the tables."""
    if isinstance(empty, Path):
        empty.unlink()
        Store.create(empty)
    return empty


@pytest.fixture
def node(place: Place) -> Iterator[Nodes]:
    """Return what makes gateways on one store."""
    made: list[Node] = []

    def make(**about: Any) -> Node:
        made.append(Node(place, **about))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_each_change_of_a_credential_reaches_the_other_gateway_as_it_stands(node: Nodes) -> None:
    a, b = node(), node()
    name = a.key()
    assert b.follow() == ["principal.created", "credential.created"]
    assert b.engine.known[name] == a.engine.known[name]
    for step, state in [("suspend", "suspended"), ("resume", "active")]:
        a.keys.step(name, step, "", "ann")
        assert b.follow() == ["credential.state"]
        assert b.states()[name] == state
    a.keys.rescope(name, ["read"], "", "ann")
    assert b.follow() == ["credential.changed"]
    assert b.engine.known[name]["scopes"] == ["read"]
    after = a.keys.rotate(name, Successor(60_000_000), "ann")["key_id"]
    assert sorted(b.follow()) == ["credential.changed", "credential.created"]
    assert b.engine.known[after] == a.engine.known[after]
    assert b.engine.known[name]["expires_us"] == a.store.one(name).expires_us is not None
    for step, state in [("deactivate", "deactivated"), ("destroy", "destroyed")]:
        a.keys.step(name, step, "", "ann")
        assert b.follow() == ["credential.state"]
        assert b.states()[name] == state
    assert {detail["through"] for _, detail in b.engine.events} == {"store"}


def test_a_principal_holds_what_is_below_it_on_both(node: Nodes) -> None:
    a, b = node(), node()
    a.principals.create(NewPrincipal("firm", "organisation"), "ann")
    a.principals.create(NewPrincipal("desk", "account", "firm"), "ann")
    a.principals.create(NewPrincipal("other", "organisation"), "ann")
    name = a.key()
    b.follow()
    a.principals.step("firm", "suspend", "", "ann")
    assert b.follow() == ["principal.state"]
    assert b.engine.held == {"firm": True, "desk": True}
    # What is made meanwhile is held from its first moment on.
    a.principals.step("firm", "resume", "", "ann")
    a.principals.move("desk", "other", "", "ann")
    assert b.follow() == ["principal.state", "principal.moved"]
    assert b.engine.held == {"firm": False, "desk": False}
    assert b.engine.known[name]["standing"]["above"] == [["organisation", "other"]]
    a.principals.step("other", "suspend", "", "ann")
    b.follow()
    assert b.engine.held["desk"]


def test_withdrawal_addresses_come_and_go_on_both(node: Nodes) -> None:
    a, b = node(), node()
    a.principals.create(NewPrincipal("desk"), "ann")
    wanted = NewAddress("desk", "BTC", "bc1qhome")
    name = a.addresses.add(wanted, "ann")["id"]
    assert b.follow() == ["principal.created", "address.added"]
    assert b.engine.addresses == a.engine.addresses != {"desk": []}
    a.addresses.remove(name, "", "ann")
    assert b.follow() == ["address.removed"]
    assert b.engine.addresses == {"desk": []}


def test_what_is_done_with_shards_at_one_is_in_force_at_the_other(node: Nodes) -> None:
    a, b, command = node(), node(), node(engine=False)
    a.principals.create(NewPrincipal("firm", "organisation"), "ann")
    a.principals.create(NewPrincipal("desk", "account", "firm"), "ann")
    name = a.key()
    b.follow()
    home = hashed("firm", 8)
    assert b.engine.known[name]["shard"] == home
    a.shards.move("firm", (home + 1) % 8, "", "ann")
    assert b.follow() == ["shard.moved"]
    assert b.engine.places == {"firm": (home + 1) % 8, "desk": (home + 1) % 8}
    assert b.engine.puts == [name]
    command.shards.step(5, "isolate", "stolen", "ann")
    a.shards.move("firm", None, "", "ann")
    assert b.follow() == ["shard.state", "shard.moved"]
    assert (b.engine.shards, b.engine.places["desk"]) == ({5: "isolated"}, home)
    assert a.follow() == ["shard.state"]
    a.shards.step(5, "resume", "", "ann")
    b.follow()
    assert b.engine.shards == {5: "serving"}


def test_a_shard_is_closed_until_the_store_tells_how_it_stands(node: Nodes) -> None:
    a, b = node(), node()
    assert b.following.close_until("shards", 1, Touched(shards=[5]))
    assert b.engine.shards == {5: "isolated"}
    a.shards.step(5, "drain", "", "ann")
    b.follow()
    assert b.engine.shards == {5: "draining"}
    assert not b.following.close_until("shards", 1, Touched(shards=[5]))


def test_a_command_beside_running_gateways_is_followed_too(node: Nodes) -> None:
    command, b = node(engine=False), node()
    name = command.key()
    command.keys.step(name, "suspend", "", "ann")
    assert b.follow() == ["principal.created", "credential.created", "credential.state"]
    assert b.states() == {name: "suspended"}


def test_what_a_gateway_changed_itself_is_not_taken_again(node: Nodes) -> None:
    a, b = node(), node()
    name = a.key()
    a.keys.step(name, "suspend", "", "ann")
    a.keys.rescope(name, ["read"], "", "ann")
    a.principals.create(NewPrincipal("firm", "organisation"), "ann")
    a.principals.step("firm", "suspend", "", "ann")
    a.addresses.add(NewAddress("desk", "BTC", "bc1qhome"), "ann")
    puts, events = list(a.engine.puts), a.engine.names()
    assert a.follow() == []
    assert (a.engine.puts, a.engine.names()) == (puts, events)
    # Each of both has each change once, also where they take turns.
    b.follow()
    b.keys.step(name, "resume", "", "bob")
    a.keys.step(name, "deactivate", "", "ann")
    assert (a.follow(), b.follow()) == (["credential.state"], ["credential.state"])
    assert a.states() == b.states() == {name: "deactivated"}
    numbers = [detail["change"] for name, detail in b.engine.events if "credential" in name]
    assert len(numbers) == len(set(numbers)) == 5
    assert not a.keys.own._known and not b.keys.own._known


def test_a_change_that_was_overtaken_does_not_come_back(node: Nodes) -> None:
    a, b = node(), node()
    name = a.key()
    a.keys.step(name, "suspend", "", "ann")
    a.keys.step(name, "resume", "", "ann")
    assert b.follow()[-2:] == ["credential.state", "credential.state"]
    # One put, of what stands now: the suspension in between is told, and done no more.
    assert (b.engine.puts, b.states()) == ([name], {name: "active"})


def test_what_the_engine_refuses_keeps_nothing_else_out(node: Nodes) -> None:
    a, b = node(), node()
    names = [a.key() for _ in range(3)]
    b.engine.refuses = names[1]
    told = b.follow()
    assert set(b.states()) == {names[0], names[2]}
    assert told.count("store.refused") == 1 and names[1] in b.following.status()["refused"]
    assert any(names[1] in line for line in b.said)


def test_what_the_ledger_did_not_take_is_told_later_in_order(node: Nodes) -> None:
    a, b = node(), node()
    b.engine.writable = False
    name = a.key()
    assert b.follow() == [] and b.states() == {name: "active"}
    b.engine.writable = True
    assert b.follow() == ["principal.created", "credential.created"]


def test_more_changes_than_are_read_at_once_all_arrive(
    node: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringfence.identity.feed.MOST", 4)
    a, b = node(engine=False), node()
    made = [make(NewKey(f"desk-{number}", ["read"], HOME), 1, None) for number in range(9)]
    a.store.add_all(made, "ann")
    b.follow()
    assert set(b.states()) == {one.key_id for one in made}
    assert b.following.status()["followed"] == 18


def test_a_lost_store_is_told_of_and_followed_again_by_itself(node: Nodes, place: Place) -> None:
    a, b = node(), node(rules=FollowRules(stale_s=5, refuses=True))
    name = a.key()
    b.follow()
    assert b.engine.renewed == [(0, 5000)]
    told = len(b.engine.events)
    with lost(place):
        for after_s in (1.0, 2.5, 3.0, 6.0, 7.0):
            b.now_s = 1000 + after_s
            b.following.once()
            b.following.watch()
        status = b.following.status()
        assert (status["lag_ms"], status["reachable"], status["stale"]) == (7000, False, True)
        assert status["problem"] and b.states() == {name: "active"}
    assert b.engine.names()[told:] == ["store.unreachable", "store.stale"]
    assert b.engine.events[-1][1]["refuses"] == "yes"
    assert len([line for line in b.said if line.startswith("ALARM")]) == 1
    assert len(b.engine.renewed) == 1
    a.keys.step(name, "suspend", "", "ann")
    b.now_s = 1008
    assert b.follow() == ["credential.state"]
    b.following.watch()
    assert (b.engine.names()[-1], b.states()[name]) == ("store.reachable", "suspended")
    assert b.engine.events[-1][1] == {"lost_ms": 8000}
    assert b.following.status() == {"lag_ms": 0, "reachable": True, "stale": False, "followed": 3}
    assert len(b.engine.renewed) == 2


def test_who_is_not_to_refuse_is_never_given_an_end(node: Nodes) -> None:
    b = node()
    b.follow()
    assert b.engine.renewed == []


def test_no_word_of_a_lost_store_has_its_password(
    node: Nodes, place: Place, server: Any, shown: Callable[[BaseException], str]
) -> None:
    b = node()
    with lost(place):
        b.following.once()
        b.now_s += 3
        b.following.watch()
    assert server.password not in str((b.following.status(), b.said, b.engine.events))


def test_a_store_that_is_put_back_is_followed_no_more(node: Nodes) -> None:
    a, b = node(), node()
    name = a.key()
    b.follow()
    with a.store.database.transaction(writes=True) as db:
        db.execute(delete(CHANGE))
    b.following.once()
    assert "an older one" in b.following.status()["problem"]
    # Its numbers come again, for other changes: it stays so.
    for step in ("suspend", "resume", "suspend"):
        a.keys.step(name, step, "", "ann")
    b.following.once()
    assert "an older one" in b.following.status()["problem"]
    assert b.states() == {name: "active"}


def test_an_answer_that_does_not_come_is_a_failure(server: Any) -> None:
    database = Database(server.database(), 0.1)
    with pytest.raises(StoreError, match=r"no answer in 0\.1 s"), database.transaction() as db:
        db.exec_driver_sql("SELECT pg_sleep(30)")
    with database.transaction() as db:
        assert db.exec_driver_sql("SELECT 1").scalar() == 1
    database.close()


def test_nothing_is_laid_where_the_store_is_gone(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is gone"), Database(tmp_path / "no.db", 1).transaction():
        pass
    assert not (tmp_path / "no.db").exists()
