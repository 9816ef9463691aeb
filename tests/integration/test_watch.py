"""A key that is used from elsewhere, or guessed at, is in the ledger while the gateway runs."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from demo.attack import Key, order_text, post, signed
from demo.stage import Stage, ringfence
from ringfence.engine import LedgerReader
from ringfence.errors import EngineError
from ringfence.ledger.export import record
from ringfence.ledger.export.ocsf import VERSION, ocsf
from ringfence.watch import Rules, Takeover, Watcher, watcher
from ringfence.watch.seen import Seen
from ringfence.watch.watcher import Taken


def order(stage: Stage, key: Key, secret: str, source: str = "127.0.0.1") -> int:
    """Place an order from the address `source`; return the answer's status."""
    tls = ssl.create_default_context(cafile=str(stage.ca))
    transport = httpx.HTTPTransport(verify=tls, local_address=source)
    with httpx.Client(base_url=stage.gateway, transport=transport) as http:
        return post(http, key, signed(order_text(), secret)).status_code


def findings(stage: Stage, credential: str, least: int) -> list[dict[str, Any]]:
    """Return what was found of a key, once that is so much and the detectors have read it all."""
    config = str(stage.state / "ringfence.yaml")
    ledger = stage.state / "ledger"
    end = time.monotonic() + 10
    while True:
        entries = [(i, json.loads(one)) for i, one in LedgerReader(ledger, 0).read(100_000)]
        decided = max(index for index, entry in entries if entry["kind"] == "decision")
        read = ringfence("status", "-c", config)["watch"]["next"] > decided
        # A refusal, and a finding, is in the ledger a little after it was made.
        if read and len(found := told_of(entries, credential)) >= least:
            return found
        assert time.monotonic() < end
        time.sleep(0.05)


def told_of(entries: list[tuple[int, dict[str, Any]]], credential: str) -> list[dict[str, Any]]:
    return [
        {"sign": entry["event"], **entry["detail"]}
        for _, entry in entries
        if entry["kind"] == "event"
        and entry["event"].startswith("takeover.")
        and entry["detail"]["credential"] == credential
    ]


def test_a_key_used_from_elsewhere_and_guessed_at_is_told_in_the_ledger(stage: Stage) -> None:
    key = stage.trader
    assert order(stage, key, key.secret) == 200
    assert order(stage, key, key.secret, "127.9.9.9") == 200
    for _ in range(10):
        assert order(stage, key, "not-the-secret") == 400
    found = findings(stage, key.key_id, 3)
    assert [one["sign"] for one in found] == [
        "takeover.address_new",
        "takeover.network_new",
        "takeover.signatures_failed",
    ]
    assert found[0]["account"] == "alice"
    # The finding names its entry, and no address of its own.
    shown = ringfence("ledger", "show", str(stage.state), str(found[0]["entry"]))
    assert shown["entry"]["address"] == "127.9.9.9"
    assert "127.9.9.9" not in json.dumps(found)
    exported = [
        ocsf(record(index, content))
        for index, content in LedgerReader(stage.state / "ledger", 0).read(100_000)
        if b'"takeover.' in content
    ]
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
    whole = schema.get_class_schema(class_name="detection_finding", profiles=[])
    for event in exported:
        assert [error.message for error in Draft202012Validator(whole).iter_errors(event)] == []
        assert (event["class_uid"], event["severity_id"]) == (2004, 4)


def test_an_erased_address_is_forgotten_by_the_detectors(stage: Stage) -> None:
    key = stage.trader
    seen = stage.state / "watch.db"
    for source in ("127.0.0.1", "127.8.8.8"):
        assert order(stage, key, key.secret, source) == 200
    findings(stage, key.key_id, 4)
    assert b"127.8.8.8" in seen.read_bytes()
    ringfence(
        "ledger", "erase", str(stage.state), "--address", "127.8.8.8", "--why", "asked", "--yes"
    )
    gone = time.monotonic() + 10
    while b"127.8.8.8" in seen.read_bytes():
        assert time.monotonic() < gone
        time.sleep(0.05)


def test_what_is_erased_after_the_ledger_told_of_it_is_forgotten_too(
    stage: Stage, tmp_path: Path
) -> None:
    key, path = stage.trader, tmp_path / "watch.db"
    for source in ("127.0.0.1", "127.6.6.6"):
        assert order(stage, key, key.secret, source) == 200
    seen, ledger = Seen(path), stage.state / "ledger"
    takeover = Takeover(Rules(), seen)
    watching = Watcher(
        ledger, tmp_path / "cursor", seen, takeover, record=lambda *_: None, tell=lambda _: None
    )
    entries = LedgerReader(ledger, 0).read(100_000)
    watching._batch(Taken())
    # As it stands in the ledger before a line is removed.
    told = [(entries[-1][0] + 1, b'{"event":"ledger.erased","kind":"event"}')]
    watching._batch(Taken(1, told, told))
    assert b"127.6.6.6" in path.read_bytes()
    erase = ("ledger", "erase", str(stage.state), "--address", "127.6.6.6")
    ringfence(*erase, "--why", "asked", "--yes")
    watching._batch(Taken())
    assert b"127.6.6.6" not in path.read_bytes()


def test_a_bound_key_that_signs_rightly_from_elsewhere_is_told(stage: Stage) -> None:
    key = stage.elsewhere
    assert order(stage, key, key.secret) == 403
    (found,) = findings(stage, key.key_id, 1)
    assert found["sign"] == "takeover.address_refused"


def test_what_the_ledger_did_not_take_is_told_when_it_does(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = stage.trader
    for source in ("127.0.0.1", "127.7.7.7"):
        assert order(stage, key, key.secret, source) == 200
    monkeypatch.setattr(watcher, "PAUSE_SECONDS", 0.01)
    told: list[str] = []
    troubles: list[str] = []
    recorded = threading.Event()

    def record_later(name: str, _detail: Mapping[str, str | int]) -> None:
        if not troubles:
            raise EngineError("the queue is full")
        told.append(name)
        if name == "takeover.network_new":
            recorded.set()

    seen = Seen(tmp_path / "watch.db")
    takeover = Takeover(Rules(), seen)
    ledger = stage.state / "ledger"
    with Watcher(
        ledger, tmp_path / "cursor", seen, takeover, record=record_later, tell=troubles.append
    ):
        assert recorded.wait(10)
    assert troubles == ["nobody watches for stolen keys: the queue is full"]
    assert told[-2:] == ["takeover.address_new", "takeover.network_new"]


def test_without_the_detector_nothing_is_found(stage: Stage, tmp_path: Path) -> None:
    """The section can be switched off; then no file is laid and no status told."""
    from demo.stage import set_stage

    def off(text: str, _: Path) -> str:
        return text + "\nwatch: {takeover: null}\n"

    with set_stage(tmp_path / "off", settle=off) as unwatched:
        key = unwatched.trader
        for source in ("127.0.0.1", "127.9.9.9"):
            assert order(unwatched, key, key.secret, source) == 200
        config = str(unwatched.state / "ringfence.yaml")
        assert "watch" not in ringfence("status", "-c", config)
        assert not (unwatched.state / "watch.db").exists()
