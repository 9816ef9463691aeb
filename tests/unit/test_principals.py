"""Principals stand in a tree; who is out of use takes along all that stands below."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ringfence.api import KeyService, PrincipalService
from ringfence.errors import (
    GatewayError,
    KeyExistsError,
    KeyStateError,
    KeyTextError,
    PrincipalExistsError,
    PrincipalMissingError,
    PrincipalStateError,
)
from ringfence.identity import Credential, MasterKey, Store
from ringfence.identity.database import Database
from ringfence.identity.lifecycle import KINDS
from ringfence.identity.migrations import migrate
from ringfence.identity.principal import Principal

MADE = Credential("key-0001", "desk", "ed25519", ("read",), ("10.0.0.0/8",), "active", 1)
MADE = replace(MADE, public_key=bytes(32))
OWNER = Principal("root", "operator", 1, role="owner", uid=0)


@pytest.fixture
def store(empty: Path | str) -> Store:
    """Return a store with acme, its account desk, the sub-account desk-1, and bob by himself."""
    migrate(Database(empty))
    made = Store(empty)
    made.principals.add(Principal("acme", "organisation", 1), "ann")
    made.principals.add(Principal("desk", "account", 2, parent="acme"), "ann")
    made.principals.add(Principal("desk-1", "sub-account", 3, parent="desk"), "ann")
    made.principals.add(Principal("bob", "account", 4), "ann")
    return made


def test_what_is_below_a_suspended_principal_is_held_and_nothing_else(store: Store) -> None:
    tree = store.principals
    assert tree.held() == set()
    tree.step("acme", "suspend", "ann", "", 9)
    assert tree.held() == {"acme", "desk", "desk-1"} == set(tree.below("acme"))
    tree.step("desk", "suspend", "ann", "", 9)
    tree.step("acme", "resume", "ann", "", 9)
    assert tree.held() == {"desk", "desk-1"}


def test_each_kind_stands_only_where_the_table_says(store: Store) -> None:
    tree = store.principals
    tree.add(Principal("feed", "service", 1), "ann")
    parents = {None: None, "organisation": "acme", "account": "desk", "sub-account": "desk-1"}
    parents["service"] = "feed"
    for number, kind in enumerate(KINDS.values()):
        for above, parent in parents.items():
            name = f"new-{number}-{above}"
            wanted = Principal(name, kind.name, 1, parent=parent)
            if kind.name == "operator":
                wanted = replace(wanted, role="auditor", uid=1_000 + len(name) + number)
            if above in kind.under:
                tree.add(replace(wanted, uid=len(tree.all()) if wanted.uid else None), "ann")
            else:
                with pytest.raises(KeyTextError, match="cannot stand"):
                    tree.add(wanted, "ann")


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (Principal("a b", "account", 1), KeyTextError),
        (Principal("x", "firm", 1), KeyTextError),
        (Principal("x", "account", 1, role="owner"), KeyTextError),
        (Principal("x", "account", 1, uid=7), KeyTextError),
        (Principal("x", "operator", 1, uid=7), KeyTextError),
        (Principal("x", "operator", 1, role="king", uid=7), KeyTextError),
        (Principal("x", "operator", 1, role="owner", uid=-1), KeyTextError),
        (Principal("bob", "account", 1), PrincipalExistsError),
        (Principal("x", "account", 1, parent="nobody"), PrincipalMissingError),
    ],
)
def test_what_cannot_be_a_principal_is_refused(store: Store, wanted: Principal, kind: type) -> None:
    before = store.principals.all()
    with pytest.raises(kind):
        store.principals.add(wanted, "ann")
    assert store.principals.all() == before


@pytest.mark.parametrize(
    ("name", "parent", "said"),
    [
        ("acme", "acme", "stand under itself"),
        ("acme", "emea", "stand under itself"),
        ("desk", "desk-1", "stand under the sub-account"),
        ("desk-1", None, "a sub-account cannot stand by itself"),
        ("desk", "feed", "an account cannot stand under the service feed"),
        ("desk", "nobody", "no principal nobody"),
        ("nobody", "acme", "no principal nobody"),
        ("desk", "out", "out is suspended"),
        ("acme", "level-15", "deeper than 16"),
    ],
)
def test_nothing_moves_into_a_circle_or_where_it_cannot_stand(
    store: Store, name: str, parent: str | None, said: str
) -> None:
    tree = store.principals
    tree.add(Principal("emea", "organisation", 1, parent="acme"), "ann")
    tree.add(Principal("out", "organisation", 1), "ann")
    tree.add(Principal("feed", "service", 1), "ann")
    tree.step("out", "suspend", "ann", "", 2)
    for level in range(16):
        above = f"level-{level - 1}" if level else None
        tree.add(Principal(f"level-{level}", "organisation", 1, parent=above), "ann")
    before = tree.all()
    with pytest.raises(GatewayError, match=said):
        tree.move(name, parent, "ann", "", 3)
    assert tree.all() == before


def test_a_move_takes_along_what_is_below_and_is_a_change_of_its_own(store: Store) -> None:
    tree = store.principals
    tree.add(Principal("other", "organisation", 1), "ann")
    moved, change = tree.move("desk", "other", "ann", "sold", 3, ["bob:5f"])
    assert moved.parent == "other" and change is not None
    assert (change.before, change.state, change.why) == ("active", "active", "sold")
    assert (change.what, change.approvals) == ("moved from acme to other", ("bob:5f",))
    said = tree.standing("desk-1")
    assert said and said["above"] == [["account", "desk"], ["organisation", "other"]]
    assert tree.move("desk", "other", "ann", "sold", 4)[1] is None
    # Whoever is out of use is so by where it stands now.
    tree.step("acme", "suspend", "ann", "", 5)
    assert not tree.holds("desk-1")
    assert tree.history("desk")[-1].what == change.what


def test_a_principal_closes_only_when_nothing_below_is_open(store: Store) -> None:
    tree = store.principals
    store.add(replace(MADE, account="desk-1"), "ann")
    for name, what in (("acme", "desk stands"), ("desk", "desk-1 stands"), ("desk-1", "1 credent")):
        with pytest.raises(PrincipalStateError, match=what):
            tree.step(name, "close", "ann", "", 9)
    store.step(MADE.key_id, "deactivate", "ann", "", 9)
    for name in ("desk-1", "desk", "acme"):
        assert tree.step(name, "close", "ann", "", 9)[0].state == "closed"
    # And nothing can be put below it any more.
    with pytest.raises(PrincipalStateError, match="acme is closed"):
        tree.add(Principal("late", "account", 9, parent="acme"), "ann")


def test_a_key_is_made_only_for_who_is_in_use_and_has_keys(store: Store) -> None:
    with pytest.raises(KeyTextError, match="has no keys"):
        store.add(replace(MADE, account="acme"), "ann")
    store.principals.step("acme", "suspend", "ann", "", 9)
    with pytest.raises(PrincipalStateError, match="acme is suspended"):
        store.add(replace(MADE, account="desk-1"), "ann")
    assert store.all() == []
    # A name that is new is an account, as before there was a tree.
    store.add(replace(MADE, account="carol"), "ann")
    assert store.principals.one("carol").kind == "account"


def test_operators_keys_only_administer_and_nobody_else_s_do(store: Store) -> None:
    store.principals.add(OWNER, "ann")
    with pytest.raises(KeyTextError, match="the operator root does not trade"):
        store.add(replace(MADE, account="root"), "ann")
    admin = replace(MADE, scopes=("admin",))
    for account in ("desk-1", "new"):
        with pytest.raises(KeyTextError, match=f"{account} is no operator"):
            store.add(replace(admin, account=account), "ann")
    assert store.all() == []
    store.add(replace(admin, account="root"), "ann")


def test_an_active_owner_always_stays(store: Store) -> None:
    tree = store.principals
    tree.add(OWNER, "ann")
    for asked in ("suspend", "close"):
        with pytest.raises(PrincipalStateError, match="last active owner"):
            tree.step("root", asked, "ann", "", 9)
    tree.add(Principal("eve", "operator", 5, role="owner", uid=1), "ann")
    tree.step("root", "close", "ann", "", 9)
    with pytest.raises(PrincipalStateError, match="last active owner"):
        tree.step("eve", "suspend", "ann", "", 9)


def test_a_user_is_one_operator_at_a_time(store: Store) -> None:
    tree = store.principals
    tree.add(OWNER, "ann")
    with pytest.raises(PrincipalExistsError, match="is operator root already"):
        tree.add(Principal("twin", "operator", 5, role="owner", uid=0), "ann")
    tree.add(Principal("eve", "operator", 5, role="owner", uid=1), "ann")
    tree.step("root", "close", "ann", "", 9)
    tree.add(Principal("twin", "operator", 5, role="owner", uid=0), "ann")
    found = tree.operator(0)
    assert found is not None and found.name == "twin"


def test_what_the_ledger_lacks_is_kept_until_it_is_recorded(store: Store) -> None:
    tree = store.principals
    changes = tree.unrecorded()
    assert [change.principal for change in changes] == ["acme", "desk", "desk-1", "bob"]
    tree.mark_recorded([change.serial for change in changes[:3]])
    assert [change.principal for change in tree.unrecorded()] == ["bob"]


def test_a_credential_comes_back_as_it_was_kept(store: Store) -> None:
    key = replace(MADE, expires_us=2**60, native=True, certificates=("00" * 32,), used_us=5)
    store.add(key, "ann", "because", ["approval-1"])
    assert store.all() == [key]
    [change] = store.history(key.key_id)
    assert (change.why, change.approvals, change.before) == ("because", ("approval-1",), None)
    with pytest.raises(KeyExistsError):
        store.add(replace(MADE, account="bob"), "ann")
    assert store.all() == [key]


def test_a_successor_comes_with_its_predecessor_s_end_or_not_at_all(store: Store) -> None:
    store.add(MADE, "ann")
    new = replace(MADE, key_id="key-0002", created_us=9)
    with pytest.raises(KeyExistsError):
        store.rotate(MADE, replace(new, key_id=MADE.key_id), 50, "ann", "")
    assert store.one(MADE.key_id).expires_us is None
    ended, begun = store.rotate(MADE, new, 50, "ann", "yearly")
    assert (ended.key_id, begun.key_id) == (MADE.key_id, "key-0002")
    assert store.one("key-0002").predecessor == MADE.key_id
    assert store.one(MADE.key_id).expires_us == 50
    with pytest.raises(KeyStateError, match="has the successor key-0002"):
        store.rotate(MADE, replace(new, key_id="key-0003"), 60, "ann", "")
    store.step("key-0002", "suspend", "ann", "", 9)
    with pytest.raises(KeyStateError, match="is suspended"):
        store.rotate(new, replace(new, key_id="key-0003"), 60, "ann", "")


def test_unused_is_what_was_neither_used_nor_changed(store: Store) -> None:
    for number in range(4):
        store.add(replace(MADE, key_id=f"key-000{number}"), "ann")
    store.keep_uses({"key-0001": 100, "key-0002": 99})
    store.step("key-0003", "suspend", "ann", "", 50)
    store.step("key-0003", "resume", "ann", "", 100)
    assert store.unused(100) == ["key-0000", "key-0002"]
    assert store.one("key-0001").used_us == 100


class Follower:
    """Stands in for the engine: keeps what it was given last of each credential and account."""

    def __init__(self) -> None:
        self.held: dict[str, bool] = {}
        self.standing: dict[str, object] = {}
        self.events: list[tuple[str, dict[str, object]]] = []

    def hold_accounts(self, accounts: list[str], held: bool) -> int:
        self.held |= dict.fromkeys(accounts, held)
        return 1

    def put_credentials(self, records: list[dict[str, object]]) -> int:
        self.standing |= {str(one["key_id"]): one["standing"] for one in records}
        return len(records)

    def event(self, name: str, detail: dict[str, object]) -> None:
        self.events.append((name, detail))


def test_the_engine_sees_where_a_moved_principal_stands_before_the_call_returns(
    store: Store,
) -> None:
    store.add(replace(MADE, account="desk-1"), "ann")
    store.principals.add(Principal("other", "organisation", 1), "ann")
    store.principals.step("other", "suspend", "ann", "", 2)
    store.principals.step("other", "resume", "ann", "", 2)
    engine: Any = Follower()
    service = PrincipalService(KeyService(store, MasterKey(bytes(32)), engine))
    service.move("desk", "other", "sold", "ann")
    assert engine.standing["key-0001"] == store.principals.standing("desk-1")
    assert engine.held["desk-1"] is False
    [(_, detail)] = [one for one in engine.events if one[0] == "principal.moved"]
    assert (detail["principal"], detail["parent"], detail["why"]) == ("desk", "other", "sold")
