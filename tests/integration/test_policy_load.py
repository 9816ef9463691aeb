"""Policies change while the gateway runs, all or none, and decide what operators do as well."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from demo.stage import Stage, set_stage
from demo.trade import SYMBOL, client
from ringfence.engine import LedgerReader
from tests import forked

PERMIT = '@id("all") permit (principal, action, resource);\n'
NO_SELLS = (
    '@id("sell") forbid (principal, action in Action::"carries-order", resource)\n'
    'when { context has order.side && context.order.side == "SELL" };\n'
)
NO_KEYS = (
    '@id("keys") forbid (principal is Operator, action == Action::"key.create", resource)\n'
    'unless { context has stepUp && context.stepUp.strength == "totp"'
    " && context.stepUp.age < 300 };\n"
)
RESTING = 20_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield a stage whose gateway has a policy that permits everything."""

    def settled(text: str, state: Path) -> str:
        (state / "policy").mkdir()
        (state / "policy" / "10.cedar").write_text(PERMIT)
        return f"{text}\npolicy:\n  path: policy\n"

    with set_stage(tmp_path_factory.mktemp("stage") / "demo", settle=settled) as built:
        yield built


def run(stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one `ringfence` command in the stage's state folder."""
    return forked.run([*arguments, "-c", str(stage.state / "ringfence.yaml")])


def load(stage: Stage, text: str) -> subprocess.CompletedProcess[str]:
    """Put `text` in the place of the policies, and have it loaded."""
    (stage.state / "policy" / "10.cedar").write_text(text)
    return run(stage, "policy", "load", "--why", "a test", "--json")


def events(stage: Stage, name: str) -> list[dict[str, Any]]:
    """Return the ledger's events of this name, oldest first."""
    reader = LedgerReader(stage.state / "ledger", 0)
    entries = [json.loads(entry) for _, entry in reader.read(100_000)]
    return [entry["detail"] for entry in entries if entry.get("event") == name]


def sells(stage: Stage) -> bool:
    """Tell whether alice may sell."""
    alice = client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)
    try:
        placed = alice.create_order(SYMBOL, "limit", "sell", 0.001, 90_000)
    except ccxt.PermissionDenied:
        return False
    alice.cancel_order(placed["id"], SYMBOL)
    return True


def test_loaded_policies_decide_the_next_message_and_the_ledger_has_who_and_what(
    stage: Stage,
) -> None:
    assert sells(stage)
    first = load(stage, PERMIT + NO_SELLS)
    assert first.returncode == 0, first.stderr
    done = json.loads(first.stdout)
    assert done["policies"] == 2
    assert not sells(stage)
    assert json.loads(load(stage, PERMIT).stdout)["before"] == done["after"]
    assert sells(stage)
    told = events(stage, "policy.loaded")[-2]
    assert (told["before"], told["after"]) == (done["before"], done["after"])
    assert told["why"] == "a test"
    assert f"uid {os.getuid()}" in told["who"]
    started = events(stage, "config.loaded")[0]
    assert started["policies"] == done["before"]


def test_a_set_with_a_mistake_changes_nothing_and_names_its_line(stage: Stage) -> None:
    assert load(stage, PERMIT + NO_SELLS).returncode == 0
    before = len(events(stage, "policy.loaded"))
    failed = load(
        stage, f"{PERMIT}permit (principal, action, resource)\nwhen {{ context.colour }};"
    )
    assert failed.returncode == 1
    assert "10.cedar:3:8: there is no context.colour; context has address" in failed.stderr
    assert not sells(stage)
    assert len(events(stage, "policy.loaded")) == before
    assert load(stage, PERMIT).returncode == 0


def test_an_operator_makes_a_key_only_as_the_policies_permit(stage: Stage) -> None:
    wanted = ("key", "create", "--hmac", "--account", "carol", "--scope", "read", "--allow", "any")
    assert run(stage, *wanted).returncode == 0
    assert load(stage, PERMIT + NO_KEYS).returncode == 0
    refused = run(stage, *wanted)
    assert refused.returncode == 1
    assert "[step_up_required]" in refused.stderr
    assert "key.create needs a step-up of totp, no older than 299 s" in refused.stderr
    told = events(stage, "policy.refused")[-1]
    assert (told["operation"], told["detail"]) == ("key.create", "forbidden by keys")
    # What takes rights away asks no policy.
    assert (
        load(stage, '@id("none") permit (principal is Account, action, resource);').returncode == 0
    )
    suspended = run(stage, "key", "suspend", stage.elsewhere.key_id)
    assert suspended.returncode == 0, suspended.stderr
    resumed = run(stage, "key", "resume", stage.elsewhere.key_id)
    assert "may not do key.change now: no policy permits it" in resumed.stderr
    assert load(stage, PERMIT).returncode == 0
