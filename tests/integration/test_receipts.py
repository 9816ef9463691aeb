"""A client's order on a running gateway gets a receipt that verifies without the gateway."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ccxt
import requests

from demo.stage import Stage, ringfence, running
from demo.trade import SYMBOL, client
from ringfence import engine
from ringfence.ledger import signed_size

READ = "receipt.read"
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


def asked(stage: Stage, key: Any, wanted: str) -> tuple[int, str, ccxt.binance]:
    """Ask the gateway, as a client, for the receipt of an order; return status and body."""
    exchange = client(stage.gateway, stage.ca, key.key_id, key.secret)
    exchange.urls["api"]["private"] = f"{stage.gateway}/.well-known/ringfence/receipts"
    sent = exchange.sign(wanted, ["private"], "GET")
    answer = requests.get(sent["url"], headers=sent["headers"], verify=str(stage.ca), timeout=10)
    return answer.status_code, answer.text, exchange


def test_a_client_gets_the_receipt_of_its_own_order(stage: Stage, tmp_path: Path) -> None:
    exchange = client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)
    price = round(exchange.fetch_order_book(SYMBOL, 5)["bids"][0][0] * 0.95, 2)
    order = exchange.create_order(SYMBOL, "limit", "buy", 0.01, price, {"clientOrderId": "mine-17"})
    message = exchange.last_response_headers["X-Ringfence-Message"]
    vkey = ringfence("ledger", "vkey", str(stage.state))["vkey"]
    end = time.monotonic() + WAIT_SECONDS
    for wanted in (message, order["clientOrderId"]):
        while (found := asked(stage, stage.trader, wanted))[0] == 503:
            assert "receipt_pending" in found[1]
            assert time.monotonic() < end
            time.sleep(0.1)
        assert found[0] == 200, found[1]
        entry = json.loads(engine.verify_receipt(found[1].encode(), vkey).entry)
        assert (entry["message"], entry["account"]) == (message, "alice")
        assert entry["order"]["client_order_id"] == "mine-17"


def test_nobody_gets_another_s_receipt_or_learns_that_there_is_one(stage: Stage) -> None:
    exchange = client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)
    exchange.create_order(SYMBOL, "market", "buy", 0.01)
    message = exchange.last_response_headers["X-Ringfence-Message"]
    made = ringfence(
        "key", "create", "--hmac", "-c", str(stage.state / "ringfence.yaml"),
        "--account", "mallory", "--scope", "read", "--allow", "any",
    )  # fmt: skip
    mallory = SimpleNamespace(key_id=made["key_id"], secret=made["secret"])
    others, none = asked(stage, mallory, message), asked(stage, mallory, "00000000-1")
    assert others[:2] == none[:2]
    assert (none[0], json.loads(none[1])["code"]) == (404, "receipt_unknown")
    url = f"{stage.gateway}/.well-known/ringfence/receipts/{message}"
    unsigned = requests.get(url, verify=str(stage.ca), timeout=10)
    assert unsigned.status_code in (400, 401)
    # Asking is recorded like everything else.
    end = time.monotonic() + WAIT_SECONDS
    while (statuses := [one["status"] for one in read_by(stage, "mallory")]) != [404, 404]:
        assert time.monotonic() < end, statuses
        time.sleep(0.05)


def read_by(stage: Stage, account: str) -> list[dict[str, Any]]:
    found = [entry for _, entry in entries(stage.state / "ledger")]
    return [one for one in found if (one.get("operation"), one.get("account")) == (READ, account)]


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
