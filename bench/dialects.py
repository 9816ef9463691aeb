"""What verifying an order costs by each dialect, beside the bare primitive over the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import yaml

from bench.example import NOTHING, lines
from bench.stage import Stage
from bench.table import Row, Table
from ringfence.config import shipped_dialects

__all__ = ["dialects"]

COST = "verify_cost"
ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "kind": "LIMIT",
    "price": "60000.00",
    "quantity": "0.01000",
    "client_order_id": "bot-000000000042",
}
ACTION = {
    "type": "order",
    "orders": [
        {"a": 0, "b": True, "p": "60000", "s": "0.01", "r": False, "t": {"limit": {"tif": "Gtc"}}}
    ],
    "grouping": "na",
}
"""What a wallet signs of an order."""
JUDGED = ("hmac", "ed25519", "ecdsa-p256", "rsa-2048")
"""The keys that the target is for; a wallet's are told and not judged."""


def dialects(stage: Stage, _done: dict[str, Table]) -> list[Table]:
    """Measure what is read, written anew and verified of one order, pinned to one core."""
    stage.said("dialects: verifying one order by each")
    rows, found = [], lines(COST, given=json.dumps(list(orders())))
    for said in found:
        bare_us, whole_us = said["bare_ns"] / 1000, said["whole_ns"] / 1000
        answer = replace(NOTHING, rate=1e6 / whole_us, cpu_us=whole_us, p50=whole_us)
        rows.append(Row(f"{said['dialect']}, {said['algorithm']}", [answer], whole_us / bare_us))
    title = "verifying one order by each dialect, on one core"
    notes = ["the bare primitive verifies the same bytes with a key that is ready"]
    numbers = {"added_us": round(worst_us(found), 3)}
    return [Table("dialects", title, "/s", "× bare", rows, notes, numbers)]


def worst_us(found: Sequence[dict[str, Any]]) -> float:
    """Return the most that a dialect adds to the bare primitive, of the keys that are judged."""
    judged = [said for said in found if said["algorithm"] in JUDGED]
    added_ns: list[int] = [said["whole_ns"] - said["bare_ns"] for said in judged]
    return max(added_ns) / 1000


def orders() -> Iterator[dict[str, Any]]:
    """Yield one order for each dialect that describes how orders are placed."""
    for name, path in shipped_dialects().items():
        dialect = yaml.safe_load(path.read_text())
        placing = [route for route in dialect["routes"] if route["operation"] == "order.place"]
        fields = dialect.get("order_fields", {})
        named = {fields[what]: value for what, value in ORDER.items() if what in fields}
        # Nested ones are in bodies that are not signed.
        named = {field: value for field, value in named.items() if "." not in field}
        if not placing:
            continue
        route = placing[0]
        body: dict[str, Any] = named
        if route.get("when") == {"action.type": "order"}:
            body = {"action": ACTION}
        form = "&".join(f"{field}={value}" for field, value in named.items())
        # What needs code stands in a header, too.
        signature = dialect["signing"].get("signature", {"header": "Authorization"})
        in_header = isinstance(signature, dict) and "header" in signature
        if route.get("body") == "json":
            parts = {"query": "", "body": json.dumps(body, separators=(",", ":"))}
        else:
            parts = {"query": "", "body": form} if in_header else {"query": form, "body": ""}
        request = {"name": name, "dialect": dialect, **parts}
        yield {**request, "method": route["method"], "path": route["path"]}
