"""Everybody stands in one shard, and a move, a drain or an isolation is kept, told and followed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from ringfence.api import KeyService, NewKey, NewPrincipal, PrincipalService, ShardService
from ringfence.api.applying import Touched
from ringfence.api.cluster.hints import Hint
from ringfence.api.cluster.node import touched_by
from ringfence.api.shards import STEPS
from ringfence.engine import Engine
from ringfence.errors import (
    EngineError,
    KeyTextError,
    PrincipalMissingError,
    ShardError,
    StepUpError,
)
from ringfence.identity import MasterKey, Store
from ringfence.identity.bulk import engine_records
from ringfence.identity.derivation import Places
from ringfence.identity.placement import ShardRules, hashed, jump
from ringfence.identity.records import engine_records_of
from ringfence.ledger.shard import ShardEntries

MASTER = bytes(32)
HOME = ["127.0.0.0/8"]
RULES = ShardRules(8, {"pinned-firm": 3, "odd-desk": 5})


class Told:
    """What an engine would know after what it is told of shards."""

    def __init__(self) -> None:
        self.places: dict[str, int | None] = {}
        self.states: dict[int, str] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.fails = False

    def put_credentials(self, records: list[dict[str, Any]]) -> int:
        self.places |= {one["account"]: one["shard"] for one in records}
        return len(records)

    def hold_accounts(self, _accounts: list[str], _held: bool) -> int:
        return 1

    def place(self, accounts: dict[str, int | None]) -> int:
        if self.fails:
            raise EngineError("it is over", code="engine_stopped")
        self.places |= accounts
        return 1

    def set_shard(self, shard: int, state: str) -> int:
        self.states[shard] = state
        return 1

    def shards(self) -> list[dict[str, Any]]:
        return [{"shard": 2, "accounts": 1, "permitted": 9}]

    def event(self, name: str, detail: dict[str, Any]) -> None:
        self.events.append((name, detail))


class World:
    """A store with a firm, and an engine that follows it."""

    def __init__(self, path: Path, rules: ShardRules = RULES) -> None:
        self.engine = Told()
        self.store = Store(path, rules) if path.exists() else laid(path, rules)
        master = MasterKey(MASTER, Places(path))
        self.keys = KeyService(self.store, master, cast("Engine", self.engine))
        self.shards = ShardService(self.keys)
        self.principals = PrincipalService(self.keys)

    def key(self, account: str, shard: int | None = None) -> str:
        wanted = NewKey(account, ["read", "trade"], HOME, shard=shard)
        return str(self.keys.create(wanted, "ann")["key_id"])

    def firm(self, name: str, *desks: str) -> None:
        self.principals.create(NewPrincipal(name, "organisation"), "ann")
        for desk in desks:
            self.principals.create(NewPrincipal(desk, "account", name), "ann")
            self.key(desk)

    def told(self, name: str) -> list[dict[str, Any]]:
        return [detail for event, detail in self.engine.events if event == name]


def laid(path: Path, rules: ShardRules) -> Store:
    Store.create(path)
    return Store(path, rules)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "ringfence.db")


def test_a_hash_spreads_names_evenly_and_moves_one_in_so_many_to_a_new_shard() -> None:
    names = [f"firm-{number}" for number in range(4_000)]
    for count in (2, 4, 7, 31):
        before = [hashed(name, count) for name in names]
        spread = Counter(before)
        assert set(spread) == set(range(count))
        # Each has a share that is far from none and from twice as much.
        assert max(spread.values()) < 1.6 * len(names) / count
        after = [hashed(name, count + 1) for name in names]
        gone = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        assert {new for _, new in gone} == {count}
        assert 0.6 < len(gone) * (count + 1) / len(names) < 1.4


def test_the_hash_is_the_published_one_and_the_same_for_ever() -> None:
    # As others' implementations of it have them (lithammer/go-jump-consistent-hash).
    published = [(1, 1, 0), (42, 57, 43), (0xDEAD10CC, 666, 361), (256, 1024, 520)]
    assert [jump(key, count) for key, count, _ in published] == [one[2] for one in published]
    assert [hashed(name, 1_024) for name in ("alice", "bob", "firm")] == HASHED


HASHED = [486, 537, 893]


def test_all_of_an_organisation_stand_together_wherever_their_keys_come_from(world: World) -> None:
    world.firm("firm", "desk-a", "desk-b")
    world.key("alone")
    shard = hashed("firm", 8)
    places = {"desk-a": shard, "desk-b": shard, "alone": hashed("alone", 8)}
    assert world.engine.places == places
    # At the start, and when some are put again.
    started = [json.loads(part) for part in engine_records(world.store, world.keys.master)]
    assert {one["account"]: one["shard"] for part in started for one in part} == places
    ids = [one.key_id for one in world.store.all()]
    again = engine_records_of(world.store, world.keys.master, ids)
    assert {one["account"]: one["shard"] for one in again} == places


def test_a_pin_goes_before_the_hash_and_the_nearest_pin_before_others(world: World) -> None:
    world.firm("pinned-firm", "desk-a", "odd-desk")
    assert world.engine.places == {"desk-a": 3, "odd-desk": 5}


def test_whose_secrets_stand_in_a_shard_is_served_there_with_all_its_keys(world: World) -> None:
    world.key("desk", shard=6)
    assert world.engine.places == {"desk": 6}
    # One that this gateway does not have says nothing of who serves.
    world.key("far", shard=70)
    assert world.engine.places["far"] == hashed("far", 8)
    # A pin is somebody's later word.
    world.firm("pinned-firm")
    world.principals.create(NewPrincipal("their", "account", "pinned-firm"), "ann")
    world.key("their", shard=6)
    assert world.engine.places["their"] == 3


def test_operators_stand_in_no_shard(world: World) -> None:
    ann = NewPrincipal("ann-op", "operator", role="owner", uid=4_000_001)
    world.principals.create(ann, "ann")
    wanted = NewKey("ann-op", ["admin"], HOME, public_key=PUBLIC)
    world.keys.create(wanted, "ann")
    assert world.engine.places == {"ann-op": None}
    with pytest.raises(KeyTextError):
        world.shards.move("ann-op", 1, "", "ann")


PUBLIC = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""


def test_without_shards_nobody_stands_in_one_and_commands_say_how_to_have_them(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "ringfence.db", ShardRules())
    world.key("alice")
    assert world.engine.places == {"alice": None}
    for asked in (
        world.shards.all,
        lambda: world.shards.move("alice", 1, "", "ann"),
        lambda: world.shards.step(0, "drain", "", "ann"),
    ):
        with pytest.raises(ShardError) as refused:
            asked()
        assert refused.value.code == "shards_off"
        assert "shards:" in refused.value.hint


def test_a_move_takes_all_below_along_is_told_and_can_be_ended(world: World) -> None:
    world.firm("firm", "desk-a", "desk-b")
    home = hashed("firm", 8)
    there = (home + 1) % 8
    done = world.shards.move("firm", there, "noisy", "ann")
    assert (done["shard"], done["effective_us"]) == (there, 1)
    assert world.engine.places["desk-a"] == world.engine.places["desk-b"] == there
    [told] = world.told("shard.moved")
    assert (told["principal"], told["shard"], told["who"], told["why"]) == (
        "firm", there, "ann", "noisy",
    )  # fmt: skip
    assert not world.store.shards.unrecorded()
    # Somebody in it can stand elsewhere, and who comes later stands with the firm.
    world.shards.move("desk-b", 7, "", "ann")
    world.principals.create(NewPrincipal("desk-c", "account", "firm"), "ann")
    world.key("desk-c")
    assert (world.engine.places["desk-b"], world.engine.places["desk-c"]) == (7, there)
    world.shards.move("desk-b", None, "", "ann")
    assert world.shards.move("firm", None, "", "ann")["shard"] == home
    assert {world.engine.places[f"desk-{one}"] for one in "abc"} == {home}
    assert "shard" not in world.told("shard.moved")[-1]


def test_a_move_that_is_no_change_is_no_error_and_not_told_again(world: World) -> None:
    world.key("alice")
    world.shards.move("alice", 2, "", "ann")
    assert world.shards.move("alice", 2, "", "ann")["shard"] == 2
    assert len(world.told("shard.moved")) == 1


def test_who_moves_under_another_organisation_stands_where_that_does(world: World) -> None:
    world.firm("pinned-firm")
    world.firm("firm", "desk")
    assert world.engine.places["desk"] == hashed("firm", 8)
    world.principals.move("desk", "pinned-firm", "", "ann")
    assert world.engine.places["desk"] == 3


def test_a_shard_stands_as_it_was_told_to_and_the_ledger_tells_by_whom(world: World) -> None:
    for asked, state in STEPS.items():
        done = world.shards.step(4, asked, "because", "ann")
        assert (done["state"], world.engine.states[4]) == (state, state)
        told = world.told("shard.state")[-1]
        assert (told["shard"], told["state"], told["why"]) == (4, state, "because")
    assert world.store.shards.states() == {}


def test_what_is_not_there_is_refused_with_what_there_is(world: World) -> None:
    world.key("alice")
    for shard in (8, -1, 1_000):
        with pytest.raises(ShardError) as refused:
            world.shards.step(shard, "drain", "", "ann")
        assert (refused.value.code, "0 to 7" in refused.value.hint) == ("shard_unknown", True)
        with pytest.raises(ShardError):
            world.shards.move("alice", shard, "", "ann")
    with pytest.raises(PrincipalMissingError):
        world.shards.move("nobody", 1, "", "ann")
    with pytest.raises(ShardError):
        world.shards.step(1, "close", "", "ann")
    assert not world.engine.states and not world.told("shard.moved")


def test_the_list_has_every_shard_with_who_stands_there_by_name(world: World) -> None:
    world.key("alice")
    world.shards.move("alice", 2, "", "ann")
    world.shards.step(5, "isolate", "", "ann")
    found = {one["shard"]: one for one in world.shards.all()}
    assert sorted(found) == list(range(8))
    assert (found[2]["moved"], found[2]["permitted"]) == (["alice"], 9)
    assert (found[3]["pinned"], found[5]["pinned"]) == (["pinned-firm"], ["odd-desk"])
    assert (found[5]["state"], found[4]["state"]) == ("isolated", "serving")
    # Nothing counts where no engine runs.
    stopped = ShardService(KeyService(world.store, world.keys.master))
    assert {one["permitted"] for one in stopped.all()} == {None}
    assert stopped.all()[5]["state"] == "isolated"


def test_what_was_changed_while_no_gateway_ran_the_next_start_tells(world: World) -> None:
    world.key("alice")
    stopped = ShardService(KeyService(world.store, world.keys.master))
    assert stopped.move("alice", 2, "", "ann")["effective_us"] is None
    stopped.step(2, "isolate", "stolen", "ann")
    assert not world.told("shard.moved") and len(world.store.shards.unrecorded()) == 2
    world.shards.record_earlier()
    assert [name for name, _ in world.engine.events[-2:]] == ["shard.moved", "shard.state"]
    assert not world.store.shards.unrecorded()


def test_an_engine_that_does_not_follow_is_told_and_asked_again(world: World) -> None:
    world.key("alice")
    world.engine.fails = True
    with pytest.raises(EngineError, match="the store has the change"):
        world.shards.move("alice", 2, "", "ann")
    world.engine.fails = False
    assert world.shards.move("alice", 2, "", "ann")["shard"] == 2
    assert world.engine.places["alice"] == 2


def test_bringing_a_shard_back_needs_a_step_up_and_closing_it_none(world: World) -> None:
    from ringfence.api import AskedShards

    asked = AskedShards(world.shards, "ann")
    world.key("alice")
    asked.step_shard(1, "isolate", "")
    asked.step_shard(1, "drain", "")
    with pytest.raises(StepUpError):
        asked.step_shard(1, "resume", "")
    with pytest.raises(StepUpError):
        asked.move_to_shard("alice", 1, "")
    assert world.engine.states == {1: "draining"}


def test_an_isolation_is_announced_as_what_takes_away_and_the_rest_can_wait(world: World) -> None:
    said: list[tuple[str, str, bool]] = []
    world.keys.own.announce = lambda sort, _, name, takes: said.append((sort, name, takes))
    world.firm("firm")
    said.clear()
    world.shards.step(5, "isolate", "", "ann")
    world.shards.step(5, "resume", "", "ann")
    world.shards.move("firm", 2, "", "ann")
    assert said == [("shards", "5", True), ("shards", "5", False), ("shards", "firm", False)]
    hint = Hint("shards", 7, ("5", "firm"))
    assert touched_by(Hint.read(hint.content("gw1", "00", 1))) == Touched(shards=[5])


def entry(index: int, **fields: Any) -> tuple[int, bytes]:
    return index, json.dumps(fields, separators=(",", ":")).encode()


def test_a_shard_s_entries_are_its_decisions_what_became_of_them_and_what_was_done_with_it() -> (
    None
):
    decided = {"kind": "decision", "state_changing": True, "outcome": "permitted"}
    entries = [
        entry(0, **decided, message="a", shard=1),
        entry(1, **decided, message="b", shard=2),
        entry(2, kind="outcome", message="b", result="answered"),
        entry(3, kind="outcome", message="a", result="answered"),
        entry(4, kind="event", event="shard.state", detail={"shard": 1, "state": "isolated"}),
        entry(5, kind="event", event="shard.state", detail={"shard": 2, "state": "isolated"}),
        entry(6, kind="decision", outcome="refused", message="c", shard=1, state_changing=True),
        entry(7, kind="decision", outcome="refused", message="d", state_changing=True),
        entry(8, kind="outcome", message="c", result="answered"),
    ]
    only = ShardEntries(1)
    found = [*only.of(entries[:3]), *only.of(entries[3:])]
    assert [index for index, _ in found] == [0, 3, 4, 6]
