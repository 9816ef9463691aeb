"""Entries as columns: the table that is queried and exported.

Texts are kept as they stand in the entry; those of `NUMBERS` stand there as decimals as well.
Times are UTC with microseconds (RTS 25), latencies microseconds.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from ringfence.errors import LedgerError
from ringfence.ledger.personal import Personal
from ringfence.ledger.shard import shard_of

__all__ = ["NUMBERS", "SCHEMA", "batch", "time_us"]

CONTROLS = (
    "edge",
    "operation",
    "identity",
    "freshness",
    "authority",
    "budget",
    "guard",
    "sequence",
)

ORDER = {
    "symbol": "symbol",
    "side": "side",
    "type": "order_type",
    "price": "price",
    "stop_price": "stop_price",
    "quantity": "quantity",
    "quote_quantity": "quote_quantity",
    "client_order_id": "client_order_id",
    "venue_order_id": "venue_order_id",
    "status": "order_status",
}
"""Fields of an entry's `order`, and their columns; the last two are the venue's, in outcomes."""

ABOUT = {
    "symbol": "about_symbol",
    "client_order_id": "about_client_order_id",
    "venue_order_id": "about_venue_order_id",
}
"""Fields of an entry's `about`, the order that a cancel, an amendment or a query names."""

REFUSAL = {"code": "code", "blame": "blame", "detail": "reason_detail"}
"""Fields of an entry's `refusal`, and their columns."""

TEXTS = (
    "kind",
    "outcome",
    "operation",
    "account",
    "credential",
    "address",
    "listener",
    "dialect",
    "transport",
    "message",
    "method",
    "path",
    "route",
    "result",
    "reason",
    "event",
)

NUMBERS = ("price", "stop_price", "quantity", "quote_quantity")
"""Columns that have a decimal beside them, called `<name>_number`."""

WHOLE = pa.decimal128(38, 12)

SCHEMA = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        *(pa.field(name, pa.string()) for name in TEXTS),
        pa.field("status", pa.int64()),
        pa.field("latency_us", pa.int64()),
        pa.field("shard", pa.int64()),
        pa.field("state_changing", pa.bool_()),
        *(
            pa.field(name, pa.string())
            for name in (*ORDER.values(), *ABOUT.values(), *REFUSAL.values())
        ),
        *(pa.field(f"{name}_number", WHOLE) for name in NUMBERS),
        pa.field("controls", pa.struct([pa.field(name, pa.string()) for name in CONTROLS])),
        pa.field("order_ids", pa.list_(pa.string())),
        pa.field("detail", pa.string()),
    ]
)

ENTRY = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in TEXTS),
        *(pa.field(name, pa.int64()) for name in ("time_us", "status", "latency_us", "shard")),
        pa.field("state_changing", pa.bool_()),
        pa.field("order", pa.struct([pa.field(name, pa.string()) for name in ORDER])),
        pa.field("about", pa.struct([pa.field(name, pa.string()) for name in ABOUT])),
        pa.field("refusal", pa.struct([pa.field(name, pa.string()) for name in REFUSAL])),
        SCHEMA.field("controls"),
    ]
)
"""What of an entry becomes a column; `detail` of an event may hold anything and is kept as JSON."""

PLAIN = r"^-?[0-9]{1,26}(\.[0-9]{1,12})?$"
"""What fits the decimal columns exactly. Nothing is rounded: what does not fit is text only."""

MARK = b'"kind":"event"'
BATCH_MARKS = (b'"orders":[', b'"abouts":[')
BATCH_IDS = ("client_order_id", "venue_order_id")


def batch(entries: Sequence[tuple[int, bytes]], personal: Personal | None = None) -> pa.RecordBatch:
    """Return committed entries, as (index, canonical JSON), in columns of `SCHEMA`.

    Commitments stay without `personal`.

    Raises:
        LedgerError: an entry is no JSON object of ours.
    """
    if not entries:
        return pa.RecordBatch.from_pylist([], schema=SCHEMA)
    content = b"\n".join(entry for _, entry in entries)
    try:
        parsed = arrow_json.read_json(
            io.BytesIO(content),
            read_options=arrow_json.ReadOptions(block_size=max(len(content) + 1, 1 << 20)),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=ENTRY, unexpected_field_behavior="ignore"
            ),
        ).combine_chunks()
    except pa.ArrowInvalid as e:
        raise LedgerError(f"an entry cannot be read: {e}") from e
    columns = {name: parsed[name] for name in (*TEXTS, "status", "latency_us", "state_changing")}
    if personal is not None:
        shown = [personal.shown(text) for text in columns["address"].to_pylist()]
        columns["address"] = pa.chunked_array([pa.array(shown, pa.string())])
    columns["index"] = pa.array([index for index, _ in entries], pa.int64())
    columns["time"] = parsed["time_us"].cast(SCHEMA.field("time").type)
    columns["controls"] = parsed["controls"]
    for section, fields in (("order", ORDER), ("about", ABOUT), ("refusal", REFUSAL)):
        for field, name in fields.items():
            columns[name] = pc.struct_field(parsed[section], field)
    for name in NUMBERS:
        columns[f"{name}_number"] = decimals(columns[name])
    ids = [batch_ids(entry) for _, entry in entries]
    columns["order_ids"] = pa.array(ids, pa.list_(pa.string()))
    events = [event(entry) for _, entry in entries]
    columns["detail"] = pa.array([detail(one) for one in events], pa.string())
    about = pa.array([one and shard_of(one) for one in events], pa.int64())
    columns["shard"] = pc.coalesce(parsed["shard"], pa.chunked_array([about]))
    table = pa.table([columns[field.name] for field in SCHEMA], schema=SCHEMA)
    return table.combine_chunks().to_batches()[0]


def decimals(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts as exact decimals, and null for what is none."""
    plain = pc.match_substring_regex(texts, PLAIN)
    return pc.if_else(plain, texts, pa.scalar(None, pa.string())).cast(WHOLE)


def event(entry: bytes) -> dict[str, Any] | None:
    """Return an event, None for another kind."""
    return json.loads(entry) if MARK in entry else None


def detail(event: dict[str, Any] | None) -> str | None:
    """Return the detail of an event as canonical JSON, None for another kind."""
    found = None if event is None else event.get("detail")
    return None if found is None else json.dumps(found, sort_keys=True, separators=(",", ":"))


def batch_ids(entry: bytes) -> list[str]:
    """Return what the orders of a batch are called; nothing for what is no batch."""
    if not any(mark in entry for mark in BATCH_MARKS):
        return []
    found = json.loads(entry)
    orders = [*found.get("orders", ()), *found.get("abouts", ())]
    return [one[name] for one in orders for name in BATCH_IDS if name in one]


def time_us(entry: bytes) -> int:
    """Return when an entry was made, in microseconds since the Unix epoch."""
    return int(json.loads(entry)["time_us"])
