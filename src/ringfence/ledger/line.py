"""One ledger entry as one line for people. Everything in it is shown harmless to a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["Part", "harmless", "line", "parts"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Part = tuple[str, str]
"""A word or two, and the style that a terminal may show it in."""

STYLES = {
    "permitted": "green",
    "refused": "red",
    "answered": "green",
    "not_sent": "yellow",
    "unknown": "bold yellow",
}


def line(index: int, entry: dict[str, Any]) -> str:
    """Return `index time kind ...` for an entry of any kind."""
    return " ".join(text for text, _ in parts(index, entry))


def parts(index: int, entry: dict[str, Any]) -> list[Part]:
    """Return the same in parts with their styles."""
    time = EPOCH + timedelta(microseconds=entry.get("time_us", 0))
    kinds = {"decision": decision, "outcome": outcome, "event": event}
    said = kinds.get(entry.get("kind", ""), other)(entry)
    head = (f"{index:>8} {time:%Y-%m-%d %H:%M:%S.%f}", "dim")
    return [(harmless(text), style) for text, style in [head, *said]]


def harmless(text: str) -> str:
    """Return `text` with everything that could steer a terminal written out."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def decision(entry: dict[str, Any]) -> list[Part]:
    """Return who asked for what, and what was decided."""
    said = [(entry["outcome"], STYLES.get(entry["outcome"], ""))]
    said.append((entry.get("operation") or "-", "bold"))
    refusal = entry.get("refusal")
    if refusal:
        said.append((refusal["code"], "red"))
    who = f"{entry.get('account') or 'anonymous'}@{entry['address']}"
    credential = entry.get("credential")
    words = [f"{who} key {credential}" if credential else who]
    if claimed := entry.get("claimed"):
        words.append(f"claiming to be key {claimed}")
    if proof := entry.get("proof"):
        words.append(f"by {proof}")
    words += [entry["method"], entry["path"]]
    for order in [entry["order"]] if "order" in entry else entry.get("orders", []):
        size = order.get("quantity") or order.get("quote_quantity") or "-"
        price = f"@{order['price']}" if order.get("price") else ""
        words.append(f"{order['side']} {size} {order['symbol']} {order['type']}{price}")
    for about in [entry["about"]] if "about" in entry else entry.get("abouts", []):
        words.append("about " + " ".join(about[name] for name in sorted(about)))
    if topics := entry.get("topics"):
        words.append("on " + ", ".join(topics))
    if "status" in entry:
        words.append(f"-> {entry['status']}")
    words.append(f"{entry['latency_us']} µs")
    return [*said, (" ".join(words), ""), (f"[{entry['message']}]", "dim")]


def outcome(entry: dict[str, Any]) -> list[Part]:
    """Return what became of a message that was sent to the venue."""
    words = [str(entry[name]) for name in ("status", "reason") if entry.get(name) is not None]
    for order in [entry["order"]] if "order" in entry else entry.get("orders", []):
        words.append("order " + " ".join(order[name] for name in sorted(order)))
    result = entry["result"]
    said = [("outcome", ""), (result, STYLES.get(result, ""))]
    return [*said, *((word, "") for word in words), (f"[{entry['message']}]", "dim")]


def event(entry: dict[str, Any]) -> list[Part]:
    """Return what happened to the gateway itself."""
    detail = " ".join(f"{name}={value}" for name, value in entry.get("detail", {}).items())
    said = [("event", ""), (entry["event"], "cyan")]
    return [*said, (detail, "")] if detail else said


def other(entry: dict[str, Any]) -> list[Part]:
    """Return a kind that this version does not know, as it is."""
    return [(str(entry), "")]
