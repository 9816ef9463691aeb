"""A real client's message passes when the policies permit it, and the ledger says which did not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pyotp
import pytest

from demo.stage import Stage, key, ringfence, set_stage
from demo.trade import SYMBOL, client
from ringfence.api import Client
from ringfence.engine import LedgerReader

POLICIES = """
@id("all") permit (principal, action, resource);
@id("notional") forbid (principal, action in Action::"carries-order", resource)
when { context has order.notional && context.order.notional.greaterThan(decimal("200.0")) };
@id("not-acme") forbid (principal in Organisation::"acme", action, resource);
@id("stepped") forbid (principal, action, resource == Instrument::"ETHUSDT")
unless { context has stepUp && context.stepUp.strength == "totp" && context.stepUp.age < 300 };
@id("sell") forbid (principal, action in Action::"carries-order", resource)
when { context has order.side && context.order.side == "SELL" };
"""
RESTING = 20_000
PATIENCE_S = 10


def settled(text: str, state: Path) -> str:
    """Write the policies into the state folder, and name them in the configuration."""
    (state / "policy").mkdir()
    (state / "policy" / "10.cedar").write_text(POLICIES)
    principal(state, "acme", "organisation")
    principal(state, "bob", "account", "acme")
    return f"{text}\npolicy:\n  path: policy/*.cedar\n"


def principal(state: Path, name: str, kind: str, parent: str | None = None) -> None:
    """Create a principal, in the running gateway if one runs."""
    under = [] if parent is None else ["--under", parent]
    ringfence(
        "principal", "create", name, "--kind", kind, *under, "-c", str(state / "ringfence.yaml")
    )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield a stage whose gateway has policies."""
    with set_stage(tmp_path_factory.mktemp("stage") / "demo", settle=settled) as built:
        yield built


@pytest.fixture
def alice(stage: Stage) -> Any:
    """Return an unmodified client of alice's."""
    return client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)


def is_recorded(stage: Stage, detail: str, code: str = "policy_forbids") -> bool:
    """Wait for a refusal by policies with this detail: the ledger takes one some time later."""
    reader = LedgerReader(stage.state / "ledger", 0)
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        entries = [json.loads(entry) for _, entry in reader.read(100_000)]
        refusals = [entry["refusal"] for entry in entries if entry.get("refusal")]
        if any((r["code"], r.get("detail")) == (code, detail) for r in refusals):
            return True
        time.sleep(0.05)
    return False


def test_an_order_up_to_the_bound_passes_and_one_above_it_does_not(
    stage: Stage, alice: Any
) -> None:
    placed = alice.create_order(SYMBOL, "limit", "buy", 0.01, RESTING)
    assert alice.fetch_order(placed["id"], SYMBOL)["status"] == "open"
    with pytest.raises(ccxt.PermissionDenied) as refusal:
        alice.create_order(SYMBOL, "limit", "buy", 0.01001, RESTING)
    assert "policy does not allow" in str(refusal.value)
    assert "notional" not in str(refusal.value)
    assert is_recorded(stage, "forbidden by notional")
    alice.cancel_all_orders(SYMBOL)


def test_all_policies_that_forbid_are_named(stage: Stage, alice: Any) -> None:
    with pytest.raises(ccxt.PermissionDenied):
        alice.create_order(SYMBOL, "limit", "sell", 0.02, RESTING)
    assert is_recorded(stage, "forbidden by notional, sell")


def test_an_organisation_is_known_by_its_accounts(stage: Stage) -> None:
    bob = client(stage.gateway, stage.ca, stage.burst.key_id, stage.burst.secret)
    with pytest.raises(ccxt.PermissionDenied):
        bob.create_order(SYMBOL, "limit", "buy", 0.001, RESTING)
    assert is_recorded(stage, "forbidden by not-acme")


def test_who_joins_while_the_gateway_runs_stands_where_the_tree_says(stage: Stage) -> None:
    principal(stage.state, "acme-desk", "account", "acme")
    principal(stage.state, "acme-desk-1", "sub-account", "acme-desk")
    principal(stage.state, "other", "organisation")
    principal(stage.state, "other-desk", "account", "other")
    for account, passes in (("acme-desk", False), ("acme-desk-1", False), ("other-desk", True)):
        made = key(stage.state, account, ["read", "trade"], "127.0.0.0/8")
        joined = client(stage.gateway, stage.ca, made.key_id, made.secret)
        if passes:
            assert joined.create_order(SYMBOL, "limit", "buy", 0.001, RESTING)["id"]
            joined.cancel_all_orders(SYMBOL)
        else:
            with pytest.raises(ccxt.PermissionDenied, match="policy does not allow"):
                joined.create_order(SYMBOL, "limit", "buy", 0.001, RESTING)


def test_what_wants_a_step_up_passes_once_an_operator_gave_one(stage: Stage, alice: Any) -> None:
    order = ("ETH/USDT", "limit", "buy", 0.05, 1_000)
    with pytest.raises(ccxt.PermissionDenied):
        alice.create_order(*order)
    assert is_recorded(stage, "forbidden by stepped", "step_up_required")
    admin = Client(stage.state / "admin.sock")
    app = pyotp.TOTP(admin.begin_totp()["secret"])
    admin.confirm_totp(app.at(int(time.time()) - 30))
    # An operator's own step-up is not one for an account, nor another account's for this one.
    admin.step_up("totp", app.now())
    with pytest.raises(ccxt.PermissionDenied):
        alice.create_order(*order)
    admin.step_up_for("alice", app.at(int(time.time()) + 30))
    assert alice.create_order(*order)["id"]
