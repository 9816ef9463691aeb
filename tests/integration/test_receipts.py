"""A client's order on a running gateway gets a receipt that verifies without the gateway."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from demo.stage import Stage, ringfence, running
from demo.trade import SYMBOL, client
from ringfence import engine
from ringfence.ledger import signed_size

WAIT_SECONDS = 10
"""A checkpoint covers an entry at most a second after it."""


def entries(ledger: Path) -> list[tuple[int, dict[str, Any]]]:
    return [(index, json.loads(one)) for index, one in engine.LedgerReader(ledger, 0).read(10_000)]


def covered(ledger: Path, size: int) -> None:
    """Wait until the newest checkpoint covers `size` entries."""
    end = time.monotonic() + WAIT_SECONDS
    while signed_size(ledger) < size:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_order_s_receipt_is_made_while_the_gateway_runs(stage: Stage, tmp_path: Path) -> None:
    exchange = client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)
    exchange.create_order(SYMBOL, "market", "buy", 0.01)
    ledger = stage.state / "ledger"
    placed = [
        (index, entry)
        for index, entry in entries(ledger)
        if entry.get("operation") == "order.place" and entry["outcome"] == "permitted"
    ]
    index, order = placed[-1]
    covered(ledger, index + 2)
    file = tmp_path / "order.tlog-proof"
    made = ringfence("ledger", "prove", str(ledger), order["message"], "-o", str(file))
    assert (made["index"], len(made["others"])) == (index, 1)
    vkey = ringfence("ledger", "vkey", str(stage.state))["vkey"]
    proven = ringfence("ledger", "verify-receipt", str(file), "--vkey", vkey)
    assert json.loads(proven["entry"]) == order
    assert proven["size"] > index
    outcome = ringfence("ledger", "prove", str(ledger), str(made["others"][0]))
    assert (
        '"result":"answered"'
        in engine.verify_receipt(outcome["receipt"].encode(), vkey).entry.decode()
    )
    # What was published beside the running gateway is sound.
    report = ringfence("ledger", "verify", str(ledger), "--vkey", vkey)
    assert report["fault"] is None
    assert report["published"] > index


def test_a_witness_is_a_command_that_ends_cleanly(stage: Stage, tmp_path: Path) -> None:
    vkey = ringfence("ledger", "vkey", str(stage.state))["vkey"]
    folder, log, ledger = str(tmp_path / "w1"), tmp_path / "log", str(stage.state / "ledger")
    made = ringfence("witness", "init", folder, "--name", "witness.example/w1", "--log", vkey)
    assert ringfence("witness", "vkey", folder)["vkey"] == made["vkey"]
    policy = tmp_path / "policy"
    with running(log, "witness", "serve", folder, "--listen", "127.0.0.1:0") as ready:
        policy.write_text(f"log {vkey}\nwitness w1 {made['vkey']} {ready['url']}\nquorum w1\n")
        assert ringfence("ledger", "publish", ledger, "--policy", str(policy))["size"] > 0
    report = ringfence("ledger", "verify", ledger, "--policy", str(policy))
    assert [name for name, _ in report["accepted"]["witnesses"]] == ["w1"]
