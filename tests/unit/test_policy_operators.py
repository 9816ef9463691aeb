"""What policies say of operators: which step-up one lacks, and which addresses one may add."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from ringfence.api import PolicyService
from ringfence.config.model import Approval
from ringfence.engine import Answer, PolicySet
from ringfence.identity.principal import Principal
from tests.admin import ADMIN, OWNER, SECURITY, Gateway

KEYS = """
permit (principal is Operator, action == Action::"key.create", resource)
when { context has stepUp && %s };
"""
PASSKEY = 'context.stepUp.strength == "passkey" && context.stepUp.age < 60'
EITHER = '["totp", "passkey"].contains(context.stepUp.strength) && context.stepUp.age <= 120'
RECENT = "context.stepUp.age < 900"
ADDRESSES = """
@id("cold") permit (principal == Operator::"admin", action == Action::"address.add", resource)
when { context has funds.account && context.funds.account == "desk"
       && context.funds has address && context.funds.address like "bc1q*"
       && context.funds has amount && context.funds.amount.lessThanOrEqual(decimal("2.0"))
       && context has stepUp && context.stepUp.strength == "totp" && context.stepUp.age < 300 };
"""
KEY: dict[str, Any] = {"account": "desk", "scopes": ["read"], "allow": ["10.0.0.1"]}
HOME: dict[str, Any] = {"account": "desk", "asset": "BTC", "network": "BTC", "address": "bc1qhome"}


class Judge:
    """The policies of an engine that carries no messages."""

    def __init__(self, text: str) -> None:
        self.policies = PolicySet({"files": [{"file": "a.cedar", "text": text}]})

    def ask_policies(self, question: dict[str, Any]) -> Answer | None:
        return self.policies.decide(question)


def opened(folder: Path, text: str, rules: dict[str, Approval] | None = None) -> Gateway:
    """Return a gateway with these policies and an account."""
    engine: Any = Judge(text)

    def service(gateway: Gateway) -> PolicyService:
        tree, factors = gateway.store.principals, gateway.keys.factors
        return PolicyService(lambda: None, engine, gateway.record, tree, factors)

    made = Gateway(folder, policies=service, rules=rules)
    made.store.principals.add(Principal("desk", "account", 1), "test")
    return made


def challenge(answer: httpx.Response) -> str:
    """Return what RFC 9470 has a client told, which the body says, too."""
    assert (answer.status_code, answer.json()["code"]) == (401, "step_up_required")
    said = answer.json()
    start = 'Ringfence error="insufficient_user_authentication"'
    field = f'{start}, acr_values="{said["acr_values"]}", max_age={said["max_age"]}'
    assert answer.headers["www-authenticate"] == field
    return f"{said['acr_values']} {said['max_age']}"


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        (PASSKEY, "passkey 59"),
        (EITHER, "totp passkey 120"),
        (RECENT, "recovery totp passkey 899"),
    ],
)
def test_who_lacks_a_step_up_alone_is_told_which_would_do(
    tmp_path: Path, condition: str, wanted: str
) -> None:
    gateway = opened(tmp_path, KEYS % condition)
    assert challenge(gateway.post("/keys", KEY)) == wanted
    strength, age_s = wanted.split()[-2:]
    gateway.aged(int(age_s) - 40, strength)
    assert gateway.post("/keys", KEY).status_code == 200
    gateway.aged(int(age_s) + 1, strength)
    assert challenge(gateway.post("/keys", KEY)) == wanted


def test_the_hint_is_what_this_operator_can_do(tmp_path: Path) -> None:
    gateway = opened(tmp_path, KEYS % EITHER)
    assert "enrols a factor" in gateway.post("/keys", KEY).json()["hint"]
    gateway.enrol()
    gateway.aged(200)
    assert gateway.post("/keys", KEY).json()["hint"] == "`ringfence mfa step-up`, then ask again"


def test_who_lacks_more_than_a_step_up_is_forbidden(tmp_path: Path) -> None:
    more = f'{EITHER} && context.address.isInRange(ip("10.0.0.0/8"))'
    gateway = opened(tmp_path, KEYS % more)
    answer = gateway.post("/keys", KEY)
    assert (answer.status_code, answer.json()["code"]) == (403, "policy_forbids")
    assert "www-authenticate" not in answer.headers


def added(gateway: Gateway, uid: int = ADMIN, **more: Any) -> str:
    """Add an address; return its standing, or the code of the refusal."""
    answer = gateway.post("/addresses", {**HOME, "max_amount": "2", **more}, uid).json()
    return str(answer.get("standing") or answer["code"])


def test_an_address_is_added_as_the_policies_say_of_whom_where_and_how_lately(
    tmp_path: Path,
) -> None:
    gateway = opened(tmp_path, ADDRESSES)
    gateway.store.principals.add(Principal("other", "account", 1), "test")
    assert added(gateway) == "step_up_required"
    gateway.aged(10, operator="admin")
    gateway.aged(10, operator="owner")
    assert added(gateway, OWNER) == "policy_forbids"
    assert added(gateway, account="other") == "policy_forbids"
    assert added(gateway, address="3elsewhere") == "policy_forbids"
    assert added(gateway, max_amount="2.0001") == "policy_forbids"
    assert added(gateway, max_amount=None) == "policy_forbids"
    assert gateway.engine.known == {}
    refusals = [detail for name, detail in gateway.told if name == "policy.refused"]
    assert {one["operation"] for one in refusals} == {"address.add"} and len(refusals) == 6
    assert added(gateway) == "locked"
    # What takes away asks nobody.
    name = gateway.get("/addresses")[0]["id"]
    assert gateway.post(f"/addresses/{name}/remove", uid=SECURITY).status_code == 200


def test_what_others_would_approve_is_asked_of_who_proposes_it(tmp_path: Path) -> None:
    gateway = opened(tmp_path, ADDRESSES, {"address.add": Approval(need=1, roles=("security",))})
    gateway.aged(10, operator="admin")
    assert added(gateway, address="3elsewhere") == "policy_forbids"
    assert gateway.get("/approvals") == []
    assert added(gateway) == "approval_required"


def test_without_the_question_any_address_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = opened(tmp_path, ADDRESSES)
    monkeypatch.setattr(PolicyService, "require", lambda *_: None)
    assert added(gateway, address="3elsewhere") == "locked"
