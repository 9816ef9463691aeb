"""A withdrawal address waits, is approved where that is said, is told of, and goes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ringfence.api import AskedAddresses
from ringfence.api.addresses import AddressService, for_engine
from ringfence.config.model import Approval
from ringfence.errors import AddressError, ApprovalError, StepUpError
from ringfence.identity import MasterKey, Store
from ringfence.identity.address import Addresses, NewAddress
from ringfence.identity.principal import Principal
from tests.admin import ADMIN, LOCK_S, OWNER, SECURITY, Gateway

HOME: dict[str, Any] = {"account": "desk", "asset": "BTC", "network": "BTC", "address": "bc1qhome"}
LOCK_US = LOCK_S * 1_000_000
TWO = Approval(need=2, roles=("owner", "security"))


def opened(folder: Path, **rules: Approval) -> Gateway:
    """Return a gateway with an account."""
    made = Gateway(folder, rules={name.replace("_", "."): rule for name, rule in rules.items()})
    made.store.principals.add(Principal("desk", "account", 1), "test")
    return made


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return opened(tmp_path)


def add(gateway: Gateway, uid: int = OWNER, **more: Any) -> dict[str, Any]:
    """Add an address, and return the answer."""
    answer: dict[str, Any] = gateway.post("/addresses", {**HOME, **more}, uid).json()
    return answer


def test_a_new_address_is_locked_and_the_engine_knows_until_when(gateway: Gateway) -> None:
    made = add(gateway, max_amount="0.5", label="cold", why="payouts")
    assert made["usable_us"] == gateway.now_us + LOCK_US
    assert made["standing"] == "locked"
    [told] = gateway.engine.known["desk"]
    assert told == {"tag": None, "max_amount": "0.5", "usable_us": made["usable_us"]} | {
        name: HOME[name] for name in ("asset", "network", "address")
    }
    [(event, detail)] = gateway.told
    assert event == "address.added"
    assert (detail["to"], detail["why"], detail["label"]) == ("bc1qhome", "payouts", "cold")
    assert detail["usable_us"] == made["usable_us"] and detail["who"]
    gateway.now_us += LOCK_US
    assert gateway.get("/addresses")[0]["standing"] == "usable"


def test_a_removal_is_immediate_final_and_told_of(gateway: Gateway) -> None:
    name = add(gateway)["id"]
    gone = gateway.post(f"/addresses/{name}/remove", {"why": "moved"}, SECURITY).json()
    assert (gone["standing"], gateway.engine.known) == ("removed", {"desk": []})
    event, detail = gateway.told[-1]
    assert (event, detail["withdrawal_address"], detail["why"]) == (
        "address.removed", name, "moved",
    )  # fmt: skip
    again = gateway.post(f"/addresses/{name}/remove", {"why": "moved"}).json()
    assert (again["standing"], len(gateway.told)) == ("removed", 2)
    # It comes back as a new one, which waits anew.
    gateway.now_us += 1
    assert add(gateway)["id"] != name
    [first, second] = gateway.get("/addresses?account=desk")
    assert (first["standing"], second["standing"]) == ("removed", "locked")


def test_adding_needs_a_fresh_step_up_and_removing_none(gateway: Gateway) -> None:
    name = add(gateway)["id"]
    gateway.enrol()
    gateway.aged(301)
    assert add(gateway, address="bc1qother")["code"] == "step_up_required"
    assert gateway.post(f"/addresses/{name}/remove").status_code == 200
    gateway.aged(299)
    assert add(gateway, address="bc1qother")["standing"] == "locked"


def test_others_approve_exactly_this_address_and_then_it_waits(tmp_path: Path) -> None:
    gateway = opened(tmp_path, address_add=TWO)
    assert add(gateway, ADMIN, why="payouts")["code"] == "approval_required"
    [asked] = gateway.get("/approvals")
    assert asked["parameters"]["address"] == "bc1qhome"
    place = f"/approvals/{asked['id']}"
    gateway.post(f"{place}/approve", uid=OWNER)
    assert gateway.post(f"{place}/execute", uid=ADMIN).json()["code"] == "approval_state"
    assert gateway.engine.known == {}
    gateway.post(f"{place}/approve", uid=SECURITY)
    gateway.now_us += 7
    made = gateway.post(f"{place}/execute", uid=ADMIN).json()
    assert made["usable_us"] == gateway.now_us + LOCK_US
    by = [f"owner:{asked['id']}", f"security:{asked['id']}"]
    assert gateway.get(f"/addresses/{made['id']}")["history"][0]["approvals"] == by
    assert gateway.told[-1][1]["approvals"] == " ".join(by)


def test_without_the_question_for_approval_one_alone_could(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = opened(tmp_path, address_add=TWO)
    monkeypatch.setattr("ringfence.api.approvals.matching", lambda *_: None)
    assert add(gateway, ADMIN)["standing"] == "locked"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"asset": ""}, "address_invalid"),
        ({"address": "bc1q home"}, "address_invalid"),
        ({"network": "B\u0422C"}, "address_invalid"),
        ({"tag": "x" * 257}, "address_invalid"),
        ({"max_amount": "0"}, "address_invalid"),
        ({"max_amount": "1e3"}, "address_invalid"),
        ({"label": "a\x1b[31m"}, "address_invalid"),
        ({"account": "nobody"}, "principal_unknown"),
        ({"account": "owner"}, "principal_state"),
        ({"why": "x" * 257}, "key_invalid"),
    ],
)
def test_what_cannot_be_an_address_is_refused_before_anybody_is_asked(
    tmp_path: Path, change: dict[str, Any], code: str
) -> None:
    gateway = opened(tmp_path, address_add=TWO)
    assert add(gateway, ADMIN, **change)["code"] == code
    assert (gateway.get("/approvals"), gateway.told) == ([], [])


def test_an_account_has_an_address_once_and_only_while_it_is_in_use(gateway: Gateway) -> None:
    add(gateway)
    assert add(gateway)["code"] == "address_exists"
    assert add(gateway, tag="7")["standing"] == "locked"
    gateway.store.principals.step("desk", "suspend", "test", "", 2)
    assert add(gateway, tag="8")["code"] == "principal_state"


def test_what_the_ledger_does_not_take_is_not_in_force(gateway: Gateway) -> None:
    gateway.writable = False
    assert add(gateway)["code"] == "ledger_unavailable"
    assert gateway.engine.known == {}
    # A removal does not wait for the ledger; the next start brings both.
    [one] = gateway.get("/addresses")
    assert gateway.post(f"/addresses/{one['id']}/remove").status_code == 200
    gateway.writable = True
    AddressService(gateway.keys.addresses, gateway.record).record_earlier()
    assert [event for event, _ in gateway.told] == ["address.added", "address.removed"]


def test_an_engine_that_does_not_follow_is_said(gateway: Gateway) -> None:
    gateway.engine.follows = False
    assert add(gateway)["detail"].startswith("the store has the change, the running engine")


def test_a_stopped_gateway_asks_for_the_same_and_the_lock_is_as_long(tmp_path: Path) -> None:
    gateway = opened(tmp_path)
    alone = AddressService(gateway.keys.addresses, None, lock_s=LOCK_S, clock=lambda: 5)
    with pytest.raises(StepUpError):
        AskedAddresses(alone, "ann").add_address(NewAddress(**HOME))
    may = gateway.step_ups.may("owner")
    with pytest.raises(ApprovalError, match="needs 2"):
        AskedAddresses(alone, "ann", may, {"address.add": TWO}).add_address(NewAddress(**HOME))
    made = AskedAddresses(alone, "ann", may).add_address(NewAddress(**HOME))
    assert made["usable_us"] == 5 + LOCK_US
    assert for_engine(gateway.keys.addresses)["desk"][0]["usable_us"] == 5 + LOCK_US


def by_hand(statement: str) -> Any:
    return pytest.param(statement, id=statement[:40])


@pytest.mark.parametrize(
    "statement",
    [
        by_hand("UPDATE address SET usable_us = 0"),
        by_hand("UPDATE address SET address = 'bc1qthief'"),
        by_hand("UPDATE address SET account = 'lab'"),
        by_hand("UPDATE address SET removed_us = NULL WHERE removed_us IS NOT NULL"),
    ],
)
def test_who_can_write_the_store_alone_cannot_change_an_address(
    empty: Path | str, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    store = stored(empty)
    known = Addresses(store.database, MasterKey(bytes(32)))
    made, _ = known.add(NewAddress(**HOME), 1, 2, "ann")
    if "removed" in statement:
        known.remove(made.id, 3, "ann", "")
    with store.database.transaction(writes=True) as db:
        db.execute(text(statement))
    with pytest.raises(AddressError) as refused:
        for_engine(known)
    assert refused.value.code == "address_changed"
    monkeypatch.setattr("hmac.compare_digest", lambda *_: True)
    assert for_engine(known)


def stored(place: Path | str) -> Store:
    """Return a store with two accounts."""
    from ringfence.identity.database import Database
    from ringfence.identity.migrations import migrate

    migrate(Database(place))
    store = Store(place)
    for name in ("desk", "lab"):
        store.principals.add(Principal(name, "account", 1), "test")
    return store


def test_both_databases_keep_the_same(empty: Path | str) -> None:
    known = Addresses(stored(empty).database, MasterKey(bytes(32)))
    first, added = known.add(NewAddress(**HOME, why="one"), 1, 2, "ann", ["bob:5f"])
    known.add(NewAddress("lab", "ETH", "0xhome"), 3, 2**52, "ann")
    known.remove(first.id, 4, "bob", "moved")
    assert known.remove(first.id, 5, "bob", "moved")[1] is None
    assert [one.step for one in known.unrecorded()] == ["added", "added", "removed"]
    known.mark_recorded(added.serial)
    assert [one.time_us for one in known.unrecorded()] == [3, 4]
    assert known.history(first.id)[0].approvals == ("bob:5f",)
    [one] = known.all("desk")
    assert (one.usable_us, one.removed_us) == (2, 4)
    assert {account: len(mine) for account, mine in for_engine(known).items()} == {
        "desk": 0, "lab": 1,
    }  # fmt: skip
    with pytest.raises(AddressError, match="there is no withdrawal address"):
        known.one("nothing")
