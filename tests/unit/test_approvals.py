"""What needs others is done once, exactly as they approved it, and by nobody alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text

from ringfence.api import Asked, NewKey, NewPrincipal, Successor, approvals
from ringfence.api.approvals import ApprovalService
from ringfence.config.model import Approval
from ringfence.errors import ApprovalError
from ringfence.identity.approval import Description, Vote, standing
from ringfence.identity.approval import store as kept
from tests.admin import ADMIN, CHIEF, OWNER, SECURITY, Gateway

TWO = Approval(need=2, roles=("owner", "security"), scopes=("withdraw", "keys"))
ONE = Approval(need=1, roles=("security",))
WIDE: dict[str, Any] = {"account": "desk", "scopes": ["read", "withdraw"], "allow": ["10.0.0.1"]}
WIDE |= {"key_id": "key-0001", "why": "payouts"}


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """Return a gateway where keys that withdraw need two, and operators one."""
    rules = dict.fromkeys(("key.create", "key.scope", "key.rotate", "key.expire"), TWO)
    return Gateway(tmp_path, rules={**rules, "operator.create": ONE, "factor.reset": ONE})


def asked(gateway: Gateway, path: str = "/keys", body: Any = None, uid: int = ADMIN) -> str:
    """Ask for what needs others; return the request's id."""
    answer = gateway.post(path, WIDE if body is None else body, uid)
    assert answer.json()["code"] == "approval_required", answer.json()
    return str(gateway.get("/approvals")[-1]["id"])


def say(gateway: Gateway, name: str, word: str, uid: int) -> str:
    """Vote or execute; return the code of the refusal, or where the request stands then."""
    answer = gateway.post(f"/approvals/{name}/{word}", uid=uid).json()
    return str(answer.get("code") or answer.get("standing") or "done")


def there(gateway: Gateway) -> list[str]:
    """Return the ids of the keys."""
    return [one["key_id"] for one in gateway.get("/keys")]


def test_two_others_approve_and_who_asked_does_it_once(gateway: Gateway) -> None:
    name = asked(gateway)
    assert say(gateway, name, "execute", ADMIN) == "approval_state"
    assert say(gateway, name, "approve", OWNER) == "open"
    assert say(gateway, name, "approve", SECURITY) == "approved"
    assert there(gateway) == []
    assert say(gateway, name, "execute", OWNER) == "approval_other"
    made = gateway.post(f"/approvals/{name}/execute", uid=ADMIN).json()
    assert (made["key_id"], made["scopes"]) == ("key-0001", ["read", "withdraw"])
    assert made["secret"]
    [change] = gateway.get("/keys/key-0001")["history"]
    assert change["approvals"] == [f"owner:{name}", f"security:{name}"]
    assert say(gateway, name, "execute", ADMIN) == "approval_state"
    assert gateway.get(f"/approvals/{name}")["standing"] == "executed"
    told = [(event, detail["operator"]) for event, detail in gateway.told]
    assert told == [
        ("approval.asked", "admin"),
        ("approval.approved", "owner"),
        ("approval.approved", "security"),
        ("approval.executed", "admin"),
    ]
    assert {detail["approval"] for _, detail in gateway.told} == {name}


def test_what_no_rule_names_needs_nobody(gateway: Gateway) -> None:
    assert gateway.post("/keys", {**WIDE, "scopes": ["read"]}, ADMIN).status_code == 200
    assert gateway.get("/approvals") == []


def test_there_is_no_other_way_to_the_same(gateway: Gateway) -> None:
    gateway.keys.create(NewKey(**{**WIDE, "scopes": ["read"], "expires_us": 2**52}), "test")
    asked(gateway, "/keys/key-0001/scopes", {"scopes": ["read", "withdraw"]})
    gateway.keys.create(NewKey(**{**WIDE, "key_id": "key-0002", "expires_us": 2**52}), "test")
    asked(gateway, "/keys/key-0002/rotate", {"overlap_us": 0})
    asked(gateway, "/keys/key-0002/expire", {"expires_us": 2**52 + 1})
    operator = {"name": "ann", "kind": "operator", "role": "admin", "uid": 9}
    asked(gateway, "/principals", operator)
    asked(gateway, "/mfa/security/reset", {}, OWNER)
    assert [one.expires_us for one in gateway.store.all()] == [2**52, 2**52]
    assert gateway.post("/keys/key-0002/expire", {"expires_us": 2**51}, ADMIN).status_code == 200


def test_each_act_is_done_as_it_was_asked_for(gateway: Gateway) -> None:
    gateway.keys.create(NewKey(**{**WIDE, "scopes": ["read"], "expires_us": 2**52}), "test")
    gateway.keys.create(NewKey(**{**WIDE, "key_id": "key-0002"}), "test")
    operator = {"name": "ann", "kind": "operator", "role": "security", "uid": 9}
    for path, body, uid in [
        ("/keys/key-0001/scopes", {"scopes": ["withdraw"], "why": "more"}, ADMIN),
        ("/keys/key-0001/expire", {"expires_us": 2**52 + 1}, ADMIN),
        ("/keys/key-0002/rotate", {"overlap_us": 0, "key_id": "key-0003"}, ADMIN),
        ("/principals", operator, ADMIN),
        ("/mfa/security/reset", {"why": "lost"}, CHIEF),
    ]:
        name = asked(gateway, path, body, uid)
        for voter in (OWNER, SECURITY):
            say(gateway, name, "approve", voter)
        answer = gateway.post(f"/approvals/{name}/execute", uid=uid)
        assert answer.status_code == 200, answer.json()
    first = gateway.store.one("key-0001")
    assert (first.scopes, first.expires_us) == (("withdraw",), 2**52 + 1)
    assert gateway.store.one("key-0003").predecessor == "key-0002"
    assert gateway.store.principals.one("ann").role == "security"
    proof = gateway.keys.factors.step_up("security")
    assert proof and proof.strength == "admitted"


def test_nobody_approves_their_own_or_votes_twice_or_without_the_role(gateway: Gateway) -> None:
    name = asked(gateway, uid=OWNER)
    assert say(gateway, name, "approve", OWNER) == "approval_own"
    assert say(gateway, name, "approve", ADMIN) == "approval_role"
    assert say(gateway, name, "approve", SECURITY) == "open"
    assert say(gateway, name, "approve", SECURITY) == "approval_voted"
    assert say(gateway, name, "reject", SECURITY) == "approval_voted"
    assert say(gateway, name, "approve", 4_900_000) == "role_missing"
    assert say(gateway, "nothing", "approve", SECURITY) == "approval_unknown"
    assert gateway.get(f"/approvals/{name}")["standing"] == "open"


def test_without_these_checks_one_would_be_enough(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals, "check_vote", lambda *_: None)
    name = asked(gateway, uid=OWNER)
    assert say(gateway, name, "approve", OWNER) == "open"
    # Who asked is never counted, whatever came to be kept.
    say(gateway, name, "approve", SECURITY)
    assert say(gateway, name, "execute", OWNER) == "approval_state"
    monkeypatch.setattr(ApprovalService, "_in_state", lambda *_: None)
    assert say(gateway, name, "execute", OWNER) == "done"


def test_a_rejection_ends_it_and_who_asked_may_withdraw(gateway: Gateway) -> None:
    for who in (SECURITY, ADMIN):
        name = asked(gateway)
        say(gateway, name, "approve", OWNER)
        assert say(gateway, name, "reject", who) == "rejected"
        assert say(gateway, name, "approve", CHIEF) == "approval_state"
        assert say(gateway, name, "execute", ADMIN) == "approval_state"
    assert there(gateway) == []


def test_asking_for_the_same_again_is_the_same_request(gateway: Gateway) -> None:
    name = asked(gateway)
    assert asked(gateway) == name
    assert asked(gateway, body={**WIDE, "why": "else"}) != name
    say(gateway, name, "reject", SECURITY)
    assert asked(gateway) != name


def test_who_left_since_no_longer_counts(gateway: Gateway) -> None:
    name = asked(gateway)
    say(gateway, name, "approve", SECURITY)
    assert say(gateway, name, "approve", OWNER) == "approved"
    gateway.store.principals.step("security", "suspend", "test", "", 9)
    assert say(gateway, name, "execute", ADMIN) == "approval_state"
    assert say(gateway, name, "approve", CHIEF) == "approved"
    assert say(gateway, name, "execute", ADMIN) == "done"


def test_of_many_executions_at_once_one_does_it(gateway: Gateway) -> None:
    name = asked(gateway)
    for voter in (OWNER, SECURITY):
        say(gateway, name, "approve", voter)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: say(gateway, name, "execute", ADMIN), range(4)))
    assert sorted(done) == [*["approval_state"] * 3, "done"]
    assert there(gateway) == ["key-0001"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approval SET description = replace(description, 'withdraw', 'transfer')",
        "UPDATE vote SET voter = 'chief' WHERE voter = 'security'",
        "UPDATE vote SET approves = 1",
        "UPDATE vote SET time_us = time_us + 1",
    ],
    ids=["what", "who", "how", "when"],
)
def test_what_was_changed_in_the_store_is_not_done(gateway: Gateway, statement: str) -> None:
    name = asked(gateway)
    say(gateway, name, "approve", OWNER)
    say(gateway, name, "reject" if "approves" in statement else "approve", SECURITY)
    with gateway.store.database.transaction(writes=True) as db:
        db.execute(text(statement))
    assert say(gateway, name, "execute", ADMIN) == "approval_changed"
    assert there(gateway) == []


def test_without_the_digest_another_thing_would_be_done(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = asked(gateway)
    for voter in (OWNER, SECURITY):
        say(gateway, name, "approve", voter)
    with gateway.store.database.transaction(writes=True) as db:
        db.execute(text("UPDATE approval SET description = replace(description, '0.1', '0.2')"))
    monkeypatch.setattr(kept, "id_of", lambda _: name)
    assert say(gateway, name, "execute", ADMIN) == "done"
    assert gateway.store.one("key-0001").allow == ("10.0.0.2/32",)


def test_what_the_ledger_does_not_take_is_no_vote_and_no_execution(gateway: Gateway) -> None:
    name = asked(gateway)
    say(gateway, name, "approve", OWNER)
    gateway.writable = False
    assert say(gateway, name, "approve", SECURITY) == "ledger_unavailable"
    gateway.writable = True
    assert say(gateway, name, "approve", SECURITY) == "approved"
    gateway.writable = False
    assert say(gateway, name, "execute", ADMIN) == "ledger_unavailable"
    assert there(gateway) == []
    gateway.writable = True
    assert say(gateway, name, "execute", ADMIN) == "done"


def test_approving_and_executing_need_a_step_up(gateway: Gateway) -> None:
    gateway.enrol()
    gateway.aged(0, operator="admin")
    name = asked(gateway)
    gateway.aged(301)
    assert say(gateway, name, "approve", OWNER) == "step_up_required"
    assert say(gateway, name, "approve", SECURITY) == "step_up_required"
    for operator in ("owner", "security"):
        gateway.aged(0, operator=operator)
    say(gateway, name, "approve", OWNER)
    assert say(gateway, name, "approve", SECURITY) == "approved"
    gateway.aged(301, operator="admin")
    assert say(gateway, name, "execute", ADMIN) == "step_up_required"
    assert say(gateway, name, "reject", ADMIN) == "rejected"


def test_a_stopped_gateway_lets_nobody_do_it_alone(gateway: Gateway) -> None:
    rules = dict.fromkeys(("key.create", "key.scope", "key.rotate", "key.expire"), TWO)
    alone = Asked(gateway.keys, "ann", lambda *_: None, {**rules, "operator.create": ONE})
    gateway.keys.create(NewKey(**{**WIDE, "expires_us": 2**52}), "test")
    for more in cast(
        "list[Callable[[], Any]]",
        [
            lambda: alone.create(NewKey(**{**WIDE, "key_id": "key-0002"})),
            lambda: alone.rescope("key-0001", ["read", "withdraw", "keys"], ""),
            lambda: alone.rotate("key-0001", Successor(0)),
            lambda: alone.expire("key-0001", 2**52 + 1, ""),
            lambda: alone.create_principal(NewPrincipal("a", "operator", role="owner", uid=9)),
        ],
    ):
        with pytest.raises(ApprovalError, match="to approve"):
            more()
    alone.rescope("key-0001", ["read"], "")


ABOUT = Description("key.create", {"a": 1}, "ann", 2, ["owner"], 100, 200, 300)


@pytest.mark.parametrize(
    ("voters", "need", "now_us", "stands"),
    [
        ("bob carl", 0, 200, "approved"),
        ("bob carl", 0, 199, "locked"),
        ("bob carl", 0, 300, "expired"),
        ("bob carl", 3, 200, "open"),  # The rule asks for more by now.
        ("bob bob", 0, 200, "open"),
        ("bob ann", 0, 200, "open"),
        ("bob eve", 0, 200, "open"),
        ("", 0, 99, "open"),
    ],
)
def test_where_a_request_stands(voters: str, need: int, now_us: int, stands: str) -> None:
    votes = [Vote(voter, True, 1) for voter in voters.split()]
    eligible = {"ann", "bob", "carl"}
    assert standing(ABOUT, None, votes, eligible, need, now_us) == stands
    assert standing(ABOUT, "rejected", votes, eligible, need, now_us) == "rejected"


def test_a_description_has_one_text(tmp_path: Path) -> None:
    assert ABOUT.canonical() == (
        b'{"act":"key.create","asked_us":100,"expires_us":300,"need":2,"not_before_us":200,'
        b'"parameters":{"a":1},"requester":"ann","roles":["owner"]}'
    )
    assert Description.read(ABOUT.canonical()) == ABOUT
    unclear = Description("key.create", {"a": 2**60}, "ann", 2, ["owner"], 100, 200, 300)
    with pytest.raises(ApprovalError) as refused:
        unclear.canonical()
    assert refused.value.code == "approval_unwritable"


def test_a_wait_holds_though_all_have_approved(tmp_path: Path) -> None:
    waits = Approval(need=1, roles=("owner",), wait_s=3_600, expire_s=7_200)
    gateway = Gateway(tmp_path, rules={"key.create": waits})
    name = asked(gateway)
    assert say(gateway, name, "approve", OWNER) == "locked"
    assert say(gateway, name, "execute", ADMIN) == "approval_state"
    shown = gateway.get(f"/approvals/{name}")
    assert shown["not_before_us"] - time.time_ns() // 1_000 > 3_500_000_000


def test_the_store_has_no_request_that_could_not_be_told(gateway: Gateway) -> None:
    gateway.writable = False
    assert gateway.post("/keys", WIDE, ADMIN).json()["code"] == "ledger_unavailable"
    assert gateway.get("/approvals") == []
