"""A client's address: in no entry, shown to people, and gone for good when it is erased."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from demo.stage import Stage, ringfence
from demo.trade import SYMBOL, client
from ringfence.cli.ledger_receipt import checked
from ringfence.engine import LedgerReader, erase_personal, ledger_volumes
from ringfence.errors import LedgerError
from ringfence.ledger.personal import Personal, places
from tests.integration.test_receipts import covered
from tests.integration.test_retention import refused

CLIENT = "127.0.0.1"


@pytest.fixture
def placed(stage: Stage) -> tuple[int, dict[str, Any]]:
    """Place an order; return its entry, which a checkpoint covers."""
    exchange = client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)
    exchange.create_order(SYMBOL, "market", "buy", 0.01)
    ledger = stage.state / "ledger"
    found = [(index, json.loads(one)) for index, one in LedgerReader(ledger, 0).read(10_000)]
    index, order = [
        (index, entry)
        for index, entry in found
        if entry.get("operation") == "order.place" and entry["outcome"] == "permitted"
    ][-1]
    covered(ledger, index + 1)
    return index, order


def holding(state: Path, text: str) -> list[Path]:
    """Return the files below `state` that hold `text`, but for the configuration."""
    files = (file for file in state.rglob("*") if file.is_file())
    return [
        file
        for file in files
        if text.encode() in file.read_bytes() and file.suffix not in (".yaml", ".pem", ".db")
    ]


def shown(state: Path, index: int) -> str:
    found: dict[str, Any] = ringfence("ledger", "show", str(state), str(index))
    return str(found["entry"]["address"])


def test_an_address_is_shown_disclosed_and_erased_while_the_gateway_runs(
    stage: Stage, placed: tuple[int, dict[str, Any]], tmp_path: Path
) -> None:
    index, order = placed
    state, ledger = stage.state, stage.state / "ledger"
    commitment = order["address"]
    assert commitment.startswith("sha256:")
    assert shown(state, index) == CLIENT
    asked = ringfence("ledger", "query", str(state), "--address", CLIENT, "--limit", "1")
    assert asked["address"] == CLIENT
    assert [file.name for file in holding(ledger, CLIENT)] == ["personal"]
    receipt, line = tmp_path / "r.tlog-proof", tmp_path / "line.json"
    ringfence("ledger", "prove", str(ledger), str(index), "-o", str(receipt))
    line.write_text(json.dumps(ringfence("ledger", "disclose", str(state), str(index))))
    vkey = ringfence("ledger", "vkey", str(state))["vkey"]
    proof = ["ledger", "verify-receipt", str(receipt), "--vkey", vkey]
    assert ringfence(*proof, "--disclosed", str(line))["address"] == CLIENT

    erased = ringfence(
        "ledger", "erase", str(state), "--address", CLIENT, "--why", "request 17", "--yes"
    )["erased"]
    assert [one["count"] for one in erased] == [1]
    # The session of the order is the only one that was seen, and nothing has come since.
    assert holding(ledger, CLIENT) == []
    assert holding(ledger.with_name("ledger.columns"), CLIENT) == []
    assert shown(state, index) == "erased"
    report = ringfence("ledger", "verify", str(state), "--vkey", vkey)
    assert (report["fault"], report["erased"]) == (None, 1)
    assert json.loads(ringfence(*proof)["entry"]) == order
    assert "was erased" in refused("disclose", str(state), str(index))
    assert "no volume has" in refused(
        "erase", str(state), "--address", CLIENT, "--why", "again", "--yes"
    )
    # Whoever comes again is somebody new.
    exchange = client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)
    exchange.create_order(SYMBOL, "market", "buy", 0.01)
    (_, rows), *none = places(ledger, CLIENT)
    assert (len(rows), none) == (1, [])
    assert rows != [commitment]


def test_a_hold_keeps_addresses_and_a_reason_names_none(
    stage: Stage, placed: tuple[int, dict[str, Any]]
) -> None:
    state = str(stage.state)
    ringfence("ledger", "hold", "place", state, "case-9", "--why", "subpoena")
    words = ["erase", state, "--address", CLIENT, "--yes", "--why"]
    assert "is held by case-9" in refused(*words, "request 18")
    ringfence("ledger", "hold", "lift", state, "case-9", "--why", "closed")
    assert "names the address" in refused(*words, f"{CLIENT} asked")
    assert "is not an address" in refused("erase", state, "--address", "x", "--yes", "--why", "y")
    assert shown(stage.state, placed[0]) == CLIENT


def test_a_line_that_goes_untold_is_missed_and_an_altered_one_is_found(
    stage: Stage, placed: tuple[int, dict[str, Any]], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(stage.state / "ledger", copy)
    (volume,) = ledger_volumes(copy)
    file = volume.directory / "personal"
    good = file.read_text()
    file.write_text(good.replace(CLIENT, "127.0.0.2"))
    assert "altered" in refused("verify", str(copy))
    file.write_text(good)
    commitment = placed[1]["address"]
    assert erase_personal(volume.directory, [commitment]) == 1
    assert "they were erased" in refused("verify", str(copy))
    assert Personal(copy).shown(commitment) == "erased"


@pytest.mark.parametrize("field", ["commitment", "field", "salt", "value"])
def test_what_was_disclosed_must_fit_the_entry(
    stage: Stage, placed: tuple[int, dict[str, Any]], field: str
) -> None:
    row = json.loads((ledger_volumes(stage.state / "ledger")[0].directory / "personal").read_text())
    entry = json.dumps(placed[1]).encode()
    assert checked(entry, json.dumps(row).encode()) == CLIENT
    if field == "commitment":
        # It is made anew, not believed.
        assert checked(entry, json.dumps({**row, field: "x"}).encode()) == CLIENT
        return
    with pytest.raises(LedgerError, match="does not fit"):
        checked(entry, json.dumps({**row, field: row[field] + "x"}).encode())
