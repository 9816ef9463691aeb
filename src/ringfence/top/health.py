"""How the gateway's parts stand. What this room has never heard of is shown as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ringfence.top.line import GAP, Column, Line, Mood, Row, lasting, table

__all__ = ["health"]

ELSEWHERE = {
    "bans",
    "connections_open",
    "in_flight",
    "permitted",
    "refused",
    "upstream_connections",
}
"""What other panes show."""
SHOULD_BE = {"available", "connected", "healthy", "reachable", "ready"}
SHOULD_NOT_BE = {"alarm", "damage", "error", "lost", "panics", "problem", "stale", "unrecorded"}


def health(status: dict[str, Any], width: int) -> list[Line]:
    """Return a line for each part, those that are not well first."""
    rows = list(parts(status))
    order: list[Mood] = ["bad", "warn", "good", "", "dim"]
    rows.sort(key=lambda row: order.index(row.mood))
    room = max(width - 5 - max(len(row.cells[1]) for row in rows), 20)
    folded = [piece for row in rows for piece in fold(row, room)]
    return table([Column(""), Column("part"), Column("", gives_way=True)], folded, width)


def fold(row: Row, room: int) -> Iterator[Row]:
    """Yield a row in as many lines as its text needs, parted between what it tells."""
    mark, name, told = row.cells
    line = ""
    for piece in told.split(GAP):
        if line and len(line) + len(GAP) + len(piece) > room:
            yield Row((mark, name, line), row.mood)
            mark, name, line = "", "", ""
        line = f"{line}{GAP}{piece}" if line else piece
    yield Row((mark, name, line), row.mood)


def parts(status: dict[str, Any]) -> Iterator[Row]:
    """Yield what there is to say of each part."""
    plain = {}
    for name, value in status.items():
        if name in ELSEWHERE:
            continue
        if name == "venue" and isinstance(value, dict):
            yield from venue(value)
        elif name == "shards" and isinstance(value, list):
            yield from shards(value)
        elif isinstance(value, dict):
            yield part(name, value)
        elif name in SHOULD_NOT_BE and value:
            yield Row(("✗", name, text(value)), "bad")
        else:
            plain[name] = value
    yield Row((" ", "gateway", text(plain)), "dim")


def part(name: str, value: dict[str, Any]) -> Row:
    """Return one part: whether it is well is told by the words that we know."""
    told = dict(leaves(value))
    ill = any(last(path) in SHOULD_BE and found is False for path, found in told.items())
    ill = ill or any(last(path) in SHOULD_NOT_BE and found for path, found in told.items())
    judged = any(last(path) in SHOULD_BE | SHOULD_NOT_BE for path in told)
    mood: Mood = "bad" if ill else "good" if judged else ""
    mark = {"bad": "✗", "good": "✔"}.get(mood, " ")
    return Row((mark, name.replace("_", " "), text(value)), mood)


def venue(value: dict[str, Any]) -> Iterator[Row]:
    """Yield how the venue lets us in: in all, and by each of its keys."""
    waits = value.get("wait_ms", 0)
    said = f"asks us to wait {lasting(waits)}" if waits else "lets us ask"
    rest = {name: found for name, found in value.items() if name not in ("keys", "wait_ms")}
    more = f"{GAP}{text(rest)}" if rest else ""
    yield Row(("!" if waits else "✔", "venue", said + more), "warn" if waits else "good")
    for name, key in value.get("keys", {}).items():
        wait_ms = max(key.get("wait_ms", 0), key.get("wait_orders_ms", 0))
        if not key.get("ready", True):
            yield Row(("✗", f"key {name}", "is not ready: put it, or accept it"), "bad")
        elif key.get("refused") or wait_ms:
            held = f"held for {lasting(wait_ms)}" if wait_ms else "the venue refuses it"
            yield Row(("!", f"key {name}", f"{held}; {key.get('refusals', 0)} refusals"), "warn")
        else:
            yield Row(("✔", f"key {name}", f"{key.get('refusals', 0)} refusals"), "good")


def shards(value: list[dict[str, Any]]) -> Iterator[Row]:
    """Yield how many shards serve, and each that does not."""
    closed = [one for one in value if one["state"] != "serving"]
    yield Row(("✔", "shards", f"{len(value) - len(closed)} of {len(value)} serve"), "good")
    for one in closed:
        mood: Mood = "bad" if one["state"] == "isolated" else "warn"
        said = f"is {one['state']}; {one['refused']:,} refused"
        yield Row(("✗" if mood == "bad" else "!", f"shard {one['shard']}", said), mood)


def leaves(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is at the ends of nested names."""
    for name, found in value.items():
        inner = f"{path}.{name}" if path else str(name)
        if isinstance(found, dict):
            yield from leaves(found, inner)
        else:
            yield inner, found


def last(path: str) -> str:
    """Return the last name of a path."""
    return path.rsplit(".", 1)[-1]


def text(value: Any) -> str:
    """Return a value in one line; what is not there is not told."""
    if isinstance(value, dict):
        told = (f"{name} {text(found)}" for name, found in leaves(value) if found is not None)
        return GAP.join(told) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(text(one) for one in value) or "-"
    return "-" if value is None else str(value)
