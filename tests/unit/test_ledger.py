"""Ledger entries as people read them: one line each, harmless to a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ringfence import ledger

DECISION: dict[str, Any] = {
    "account": "alice",
    "address": "127.0.0.1",
    "kind": "decision",
    "latency_us": 12,
    "message": "0a-1",
    "method": "POST",
    "operation": "order.place",
    "order": {"quantity": "1", "price": "5.0", "side": "BUY", "symbol": "BTCUSDT", "type": "LIMIT"},
    "outcome": "refused",
    "path": "/api/v3/order",
    "refusal": {"blame": "client", "code": "price_band"},
    "time_us": 1_000_001,
}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            DECISION,
            "refused order.place price_band alice@127.0.0.1 POST /api/v3/order"
            " BUY 1 BTCUSDT LIMIT@5.0 12 µs [0a-1]",
        ),
        (
            DECISION | {"topics": ["orders", "book.BTC"]},
            "LIMIT@5.0 on orders, book.BTC 12 µs [0a-1]",
        ),
        (
            {"kind": "outcome", "message": "0a-1", "result": "answered", "status": 200},
            "outcome answered 200 [0a-1]",
        ),
        (
            {"kind": "event", "event": "gate.start", "detail": {"node": "g"}},
            "event gate.start node=g",
        ),
        ({"kind": "later"}, "{'kind': 'later'}"),
    ],
)
def test_an_entry_is_one_line(entry: dict[str, Any], said: str) -> None:
    assert ledger.line(3, entry).endswith(said)
    assert ledger.line(3, entry).startswith("       3 1970-01-01 00:00:0")


def test_what_a_client_chose_cannot_steer_a_terminal() -> None:
    line = ledger.line(0, {**DECISION, "path": "/\x1b[2J\n\r\x00\u202e"})
    assert line.isprintable()
    assert "\\x1b[2J\\x0a\\x0d\\x00\\x202e" in line


def test_a_checkpoint_covers_what_its_second_line_says(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    assert ledger.covers(checkpoint) == 0
    checkpoint.write_text("gw1/ledger\n1000003\nroot\n\n\u2014 sig\n")
    assert ledger.covers(checkpoint) == 1_000_003
    checkpoint.write_text("gw1/ledger\n-1\n")
    assert ledger.covers(checkpoint) == 0


def test_a_folder_without_ledger_has_no_signed_entries(tmp_path: Path) -> None:
    assert ledger.signed_size(tmp_path) == 0
