"""One ledger entry as one line for people. Everything in it is shown harmless to a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["line"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def line(index: int, entry: dict[str, Any]) -> str:
    """Return `index time kind ...` for an entry of any kind."""
    time = EPOCH + timedelta(microseconds=entry.get("time_us", 0))
    parts = {"decision": decision, "outcome": outcome, "event": event}
    said = parts.get(entry.get("kind", ""), other)(entry)
    text = f"{index:>8} {time:%Y-%m-%d %H:%M:%S.%f} {said}"
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def decision(entry: dict[str, Any]) -> str:
    """Return who asked for what, and what was decided."""
    who = entry.get("account") or "anonymous"
    words = [entry["outcome"], entry.get("operation") or "-", f"{who}@{entry['address']}"]
    words += [entry["method"], entry["path"]]
    if order := entry.get("order"):
        size = order.get("quantity") or order.get("quote_quantity") or "-"
        price = f"@{order['price']}" if order.get("price") else ""
        words.append(f"{order['side']} {size} {order['symbol']} {order['type']}{price}")
    if refusal := entry.get("refusal"):
        words.append(f"({refusal['code']}, {refusal['blame']})")
    if "status" in entry:
        words.append(f"-> {entry['status']}")
    return " ".join([*words, f"{entry['latency_us']} µs", f"[{entry['message']}]"])


def outcome(entry: dict[str, Any]) -> str:
    """Return what became of a message that was sent to the venue."""
    words = ["outcome", entry["result"]]
    words += [str(entry[name]) for name in ("status", "reason") if entry.get(name) is not None]
    return " ".join([*words, f"[{entry['message']}]"])


def event(entry: dict[str, Any]) -> str:
    """Return what happened to the gateway itself."""
    detail = " ".join(f"{name}={value}" for name, value in entry.get("detail", {}).items())
    return f"event {entry['event']} {detail}".rstrip()


def other(entry: dict[str, Any]) -> str:
    """Return a kind that this version does not know, as it is."""
    return str(entry)
