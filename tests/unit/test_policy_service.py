"""An operator's fresh proof is what policies see, and what cannot be told changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ringfence.api.policies import PolicyService, digest
from ringfence.config.model import Approval
from ringfence.engine import Answer, PolicySet
from ringfence.errors import EngineError, PolicyError, PolicyForbidsError, StepUpError
from ringfence.identity import MasterKey, Store
from ringfence.identity.factor import Factors
from ringfence.identity.principal import Principal
from tests.admin import ADMIN, SECURITY, Gateway

ANN = Principal("ann", "operator", 1, "acme", role="admin", uid=7)
FRESH = """
permit (principal in Organisation::"acme", action == Action::"key.create", resource)
when { context has stepUp && context.stepUp.strength == "totp" && context.stepUp.age < 300
       && context.address.isLoopback() && context.transport == "unix" };
"""
OTHER = "permit (principal is Account, action, resource);"


def texts(text: str) -> dict[str, Any]:
    """Return one file of policies."""
    return {"files": [{"file": "/somewhere/a.cedar", "text": text}]}


class Judge:
    """The policies of an engine that carries no messages."""

    def __init__(self, policies: PolicySet | None) -> None:
        self.policies = policies

    def put_policies(self, policies: PolicySet) -> None:
        self.policies = policies

    def ask_policies(self, question: dict[str, Any]) -> Answer | None:
        return None if self.policies is None else self.policies.decide(question)


class Bench:
    """A service with a store, and what it told."""

    def __init__(self, store: Store, *, enforced: bool = True) -> None:
        self.files: dict[str, Any] | None = texts(FRESH)
        self.factors = Factors(store.database, MasterKey(bytes(32)))
        self.told: list[tuple[str, Any]] = []
        self.full = False
        self.judge = Judge(PolicySet(texts(FRESH)))
        self.service = PolicyService(
            lambda: self.files,
            self.judge,  # type: ignore[arg-type]
            self.record,
            store.principals,
            self.factors,
            enforced=enforced,
        )
        self.service.start(texts(FRESH))

    def record(self, name: str, detail: Any) -> None:
        if self.full:
            raise EngineError("the ledger takes no entries", code="ledger_unavailable")
        self.told.append((name, detail))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Yield a store with ann, an operator of acme's."""
    made = Store.create(tmp_path / "ringfence.db")
    made.principals.add(Principal("acme", "organisation", 1), "test")
    made.principals.add(ANN, "test")
    yield made


@pytest.mark.parametrize(
    ("strength", "age_s", "passes"),
    [("totp", 0, True), ("totp", 290, True), ("totp", 301, False), ("recovery", 0, False)],
)
def test_only_a_fresh_and_strong_proof_makes_a_key(
    store: Store, strength: str, age_s: int, passes: bool
) -> None:
    bench = Bench(store)
    now_us = time.time_ns() // 1_000
    bench.factors.keep_step_up("ann", strength, now_us - age_s * 1_000_000)
    if passes:
        bench.service.require(ANN, "key.create")
        assert bench.told == []
    else:
        with pytest.raises(StepUpError) as refusal:
            bench.service.require(ANN, "key.create")
        assert (refusal.value.strengths, refusal.value.max_age_s) == (("totp",), 299)
        assert bench.told[0][0] == "policy.refused"


def test_a_proof_of_the_future_and_no_proof_are_none(store: Store) -> None:
    bench = Bench(store)
    with pytest.raises(StepUpError):
        bench.service.require(ANN, "key.create")
    bench.factors.keep_step_up("ann", "totp", time.time_ns() // 1_000 + 60_000_000)
    with pytest.raises(StepUpError):
        bench.service.require(ANN, "key.create")


def test_a_policy_that_only_observes_is_told_of_and_refuses_nothing(store: Store) -> None:
    bench = Bench(store, enforced=False)
    bench.service.require(ANN, "key.create")
    assert bench.told[0][0] == "policy.observed"


def test_without_policies_nothing_is_asked(store: Store) -> None:
    bench = Bench(store)
    bench.judge.policies = None
    bench.service.require(ANN, "key.create")


def test_the_step_up_is_asked_for_first_and_acts_that_take_away_ask_no_policy(
    store: Store,
) -> None:
    bench, asked = Bench(store), []
    judge = bench.service.after(lambda act, _what: asked.append(act), ANN)
    judge("factor.change", "")
    for act in ("key.create", "key.rotate"):
        with pytest.raises(StepUpError):
            judge(act, "")
    for act in ("key.resume", "key.scope", "key.expire"):
        with pytest.raises(PolicyForbidsError):
            judge(act, "")
    assert len(asked) == 6


def test_what_the_ledger_does_not_take_is_not_in_force(store: Store) -> None:
    bench = Bench(store)
    before = bench.judge.policies
    bench.files = texts(OTHER)
    bench.full = True
    with pytest.raises(EngineError, match="takes no entries"):
        bench.service.load("", "ann")
    assert bench.judge.policies is before
    bench.full = False
    done = bench.service.load("", "ann")
    assert (done["before"], done["after"]) == (digest(texts(FRESH)), digest(texts(OTHER)))
    assert bench.judge.policies is not before


def test_a_gateway_without_policies_takes_none_while_it_runs(store: Store) -> None:
    bench = Bench(store)
    bench.service.start(None)
    with pytest.raises(PolicyError, match="started without policies"):
        bench.service.load("", "ann")


def test_the_digest_is_of_names_and_texts_wherever_the_folder_is() -> None:
    elsewhere = {"files": [{"file": "b/a.cedar", "text": OTHER}]}
    assert digest(texts(OTHER)) == digest(elsewhere)
    assert digest(texts(OTHER)) != digest(texts(OTHER + " "))
    assert digest(texts(OTHER)) != digest({"files": [{"file": "b/b.cedar", "text": OTHER}]})


class Shared:
    """A gateway where policies need another's approval, and its files."""

    def __init__(self, folder: Path) -> None:
        self.files, self.judge = texts(FRESH), Judge(PolicySet(texts(FRESH)))
        rules = {"policy.load": Approval(need=1, roles=("security",))}
        self.gateway = Gateway(folder, rules=rules, policies=self.service)

    def service(self, gateway: Gateway) -> PolicyService:
        engine: Any = self.judge
        tree, factors = gateway.store.principals, gateway.keys.factors
        made = PolicyService(lambda: self.files, engine, gateway.record, tree, factors)
        made.start(texts(FRESH))
        return made

    def load(self) -> str:
        """Ask for what is in the files; return the code of the refusal, if it is one."""
        answer = self.gateway.post("/policies/load", {"why": "new"}, ADMIN).json()
        return str(answer.get("code", ""))

    def execute(self) -> dict[str, Any]:
        """Have another approve what was asked for last, and do it."""
        place = f"/approvals/{self.gateway.get('/approvals')[-1]['id']}"
        self.gateway.post(f"{place}/approve", uid=SECURITY)
        done: dict[str, Any] = self.gateway.post(f"{place}/execute", uid=ADMIN).json()
        return done

    def in_force(self) -> Any:
        return self.judge.policies


def test_policies_that_others_approved_are_loaded_and_no_others(tmp_path: Path) -> None:
    shared = Shared(tmp_path)
    before = shared.in_force()
    shared.files = texts(OTHER)
    assert shared.load() == "approval_required"
    asked = shared.gateway.get("/approvals")[-1]["parameters"]
    assert asked["sha256"] == digest(texts(OTHER)) and list(asked["files"]) == ["a.cedar"]
    # They are others by the time that it is done.
    shared.files = texts(FRESH.replace("300", "999"))
    assert shared.execute()["code"] == "approval_changed"
    assert shared.in_force() is before
    shared.files = texts(OTHER)
    assert shared.load() == "approval_required"
    assert shared.execute()["after"] == digest(texts(OTHER))
    assert shared.in_force() is not before
    told = [detail for name, detail in shared.gateway.told if name == "policy.loaded"]
    assert told[0]["approvals"].startswith("security:")


def test_without_the_rule_one_alone_loads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Shared(tmp_path)
    monkeypatch.setattr("ringfence.api.approvals.matching", lambda *_: None)
    shared.files = texts(OTHER)
    assert shared.load() == ""
