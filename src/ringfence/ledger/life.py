"""The life of one order, stage by stage, from the entries of the messages that concern it.

Source: RTS 24 and MiCA 2025/416 ask for every key stage; RTS 25 for microseconds in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from ringfence.errors import LedgerError
from ringfence.ledger.query import ask

__all__ = ["Life", "Stage", "life"]

SQL = """
SELECT index, time, kind, coalesce(outcome, result) AS outcome, operation, code, reason,
       account, credential, address, dialect, message, method, path, status, latency_us,
       symbol, side, order_type, quantity, quote_quantity, price, client_order_id
FROM entries
WHERE message IN (SELECT message FROM entries WHERE client_order_id = ? OR message = ?)
ORDER BY index
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """What happened: when, for how long (None: a moment), and the entry that tells it."""

    time: datetime
    lasted_us: int | None
    what: str
    name: str
    index: int
    good: bool

    def record(self) -> dict[str, Any]:
        """Return it for JSON."""
        time = self.time.isoformat(timespec="microseconds").replace("+00:00", "Z")
        return {
            "time": time,
            "lasted_us": self.lasted_us,
            "stage": self.name,
            "what": self.what,
            "entry": self.index,
            "good": self.good,
        }


@dataclass(frozen=True, slots=True)
class Life:
    """An order's stages in the order of their times, and what it was."""

    order: str
    about: dict[str, Any]
    stages: list[Stage]


def life(db: duckdb.DuckDBPyConnection, order: str) -> Life:
    """Return the life of the order with this client order id, or of the message with this id.

    Raises:
        LedgerError: the ledger has no such order.
    """
    records = list(ask(db, SQL, [order, order]).records())
    if not records:
        hint = "give the client order id (newClientOrderId) or the message id of its answer"
        raise LedgerError(f"the ledger has no order {order}", hint=hint, code="ledger_query")
    first = records[0]
    names = ("account", "symbol", "side", "order_type", "quantity", "quote_quantity", "price")
    about = {name: first[name] for name in names if first[name] is not None}
    return Life(order, about, stages(records))


def stages(records: Sequence[dict[str, Any]]) -> list[Stage]:
    """Return what happened, message by message."""
    found: list[Stage] = []
    for record in records:
        found += decided(record) if record["kind"] == "decision" else ended(record)
    return sorted(found, key=lambda stage: (stage.time, stage.index))


def decided(record: dict[str, Any]) -> list[Stage]:
    """Return a message's arrival and what was decided on it."""
    index, time, took = record["index"], record["time"], record["latency_us"] or 0
    arrived = time - timedelta(microseconds=took)
    who = f"{record['account'] or 'an unknown account'} from {record['address']}"
    asked = f"{record['method']} {record['path']} by {who} [{record['message']}]"
    said = f"{record['operation']} {record['outcome']}"
    if record["code"]:
        said += f": {record['code']}, answered {record['status']}"
    good = record["outcome"] == "permitted"
    return [
        Stage(arrived, None, asked, "received", index, good=True),
        Stage(arrived, took, said, "decided", index, good=good),
    ]


def ended(record: dict[str, Any]) -> list[Stage]:
    """Return what became of a message at the venue."""
    took = record["latency_us"] or 0
    sent = record["time"] - timedelta(microseconds=took)
    answered = {
        "answered": f"the venue answered {record['status']}",
        "not_sent": f"never sent: {record['reason']}",
        "unknown": f"its fate is not known: {record['reason']}; ask the venue",
    }
    what = answered.get(record["outcome"], str(record["outcome"]))
    good = record["outcome"] == "answered" and (record["status"] or 0) < 400
    return [Stage(sent, took, what, "recorded, sent and answered", record["index"], good=good)]
