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
from ringfence.ledger.query import ORDER_IDS, ask

__all__ = ["Life", "Stage", "life"]

SQL = f"""
WITH asked AS (
    SELECT DISTINCT message FROM entries
    WHERE ? IN ({", ".join(ORDER_IDS)}) OR list_contains(order_ids, ?)
),
ids AS (
    SELECT DISTINCT unnest([{", ".join(ORDER_IDS[:-1])}]) AS id
    FROM entries WHERE message IN (FROM asked)
),
concerned AS (
    SELECT DISTINCT message FROM entries
    WHERE message IN (FROM asked) OR {" OR ".join(f"{one} IN (FROM ids)" for one in ORDER_IDS[:-1])}
)
SELECT index, time, kind, coalesce(outcome, result) AS outcome, operation, code, reason,
       account, credential, address, dialect, message, method, path, status, latency_us,
       symbol, side, order_type, quantity, quote_quantity, price,
       client_order_id, venue_order_id, order_status
FROM entries
WHERE message IN (FROM concerned)
ORDER BY index
"""  # noqa: S608  names are ours, values are parameters
"""The order is looked up by any id; whatever else is called by its ids concerns it too."""


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


ABOUT = (
    "account",
    "symbol",
    "side",
    "order_type",
    "quantity",
    "quote_quantity",
    "price",
    "client_order_id",
    "venue_order_id",
)


def life(db: duckdb.DuckDBPyConnection, order: str, account: str | None = None) -> Life:
    """Return the life of the order that the client, the venue or the ledger calls `order`.

    Clients choose their ids: where several accounts chose the same one, `account` says whose is
    meant. What was refused before its account was known is part of every one's.

    Raises:
        LedgerError: the ledger has no such order, or several.
    """
    records = list(ask(db, SQL, [order, order]).records())
    owners = {one["message"]: one["account"] for one in records if one["kind"] == "decision"}
    accounts = {name for name in owners.values() if name is not None}
    if account is None and len(accounts) > 1:
        hint = f"say whose is meant: --account {min(accounts)}"
        said = f"{len(accounts)} accounts have an order {order}"
        raise LedgerError(said, hint=hint, code="ledger_query")
    whose = accounts if account is None else {account}
    records = [one for one in records if owners.get(one["message"]) in {None, *whose}]
    if not records or (account is not None and account not in accounts):
        hint = "give the client's id of the order, the venue's, or the message id of its answer"
        raise LedgerError(f"the ledger has no order {order}", hint=hint, code="ledger_query")
    found = ((name, [one[name] for one in records if one[name] is not None]) for name in ABOUT)
    return Life(order, {name: values[0] for name, values in found if values}, stages(records))


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


def venue(record: dict[str, Any]) -> str:
    """Return what the venue called the order, and its word for the order's state."""
    state = record["order_status"] or ""
    return f"{state} (its order {record['venue_order_id']})" if record["venue_order_id"] else state


def ended(record: dict[str, Any]) -> list[Stage]:
    """Return what became of a message at the venue."""
    took = record["latency_us"] or 0
    sent = record["time"] - timedelta(microseconds=took)
    answered = {
        "answered": " ".join(f"the venue answered {record['status']} {venue(record)}".split()),
        "not_sent": f"never sent: {record['reason']}",
        "unknown": f"its fate is not known: {record['reason']}; ask the venue",
    }
    what = answered.get(record["outcome"], str(record["outcome"]))
    good = record["outcome"] == "answered" and (record["status"] or 0) < 400
    return [Stage(sent, took, what, "recorded, sent and answered", record["index"], good=good)]
