"""What the numbers must reach. A target whose scenario did not run is not judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.table import Table, median_of, p99, paired, rate

__all__ = ["Verdict", "judge"]

MODES = ("ringfence strict", "ringfence group")
BYTES_PER_CREDENTIAL = 1024
BYTES_PER_STREAM = 16_384
CREDENTIALS = 100_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: what is wanted and what was found. `at_most` turns the comparison round."""

    name: str
    wanted: float
    found: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.found <= self.wanted if self.at_most else self.found >= self.wanted

    def said(self) -> str:
        """Return it as words."""
        sign = "≤" if self.at_most else "≥"
        return f"{self.name}: {self.found:.2f}, wanted {sign} {self.wanted:g}"

    def content(self) -> dict[str, Any]:
        """Return it for JSON."""
        sign = "<=" if self.at_most else ">="
        found = {"name": self.name, "wanted": f"{sign} {self.wanted:g}"}
        return {**found, "found": round(self.found, 3), "met": self.met}


def judge(done: dict[str, Table]) -> list[Verdict]:
    """Return a verdict on every target that `done` says something about."""
    return [
        *throughput(done),
        *behaviour(done),
        *overloaded(done),
        *limited(done),
        *sharded(done),
        *scale(done),
        *verifying(done),
        *policies(done),
        *websockets(done),
        *recorded(done),
        *log(done),
    ]


def throughput(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge rates and latencies beside the peers'."""
    for key in ("orders", "reads"):
        for mode in MODES:
            found = ratio(done, key, mode)
            if found is not None:
                yield Verdict(f"{key}, {mode}, × nginx", 0.70, found)
            found = against(done, key, mode, "nginx + Lua")
            if found is not None:
                yield Verdict(f"{key}, {mode}, × nginx + Lua", 1.1, found)
    for mode in MODES:
        found = ratio(done, "latency", mode)
        if found is not None:
            name = f"p99 at half of its maximum, {mode}, × nginx at that rate"
            yield Verdict(name, 1.5, found, at_most=True)


def behaviour(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge what happens to forged requests."""
    for mode in MODES:
        found = ratio(done, "forged", f"{mode}, forged")
        if found is not None:
            yield Verdict(f"forged refused, {mode}, × good served", 2.0, found)
    found = ratio(done, "flood", "ringfence, flooded")
    if found is not None:
        yield Verdict("good orders beside a flood, × alone", 0.90, found)


def sharded(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge what a shard's flood costs another, and that it costs it no order."""
    found = ratio(done, "shards", "the other at 10 ×")
    if found is not None:
        name = "p99 beside a shard at 10 × its budget, × at its budget"
        yield Verdict(name, 1.10, found, at_most=True)
        refused = done["shards"].numbers["refused"]
        yield Verdict("orders refused beside it", 0, refused, at_most=True)


def limited(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge that no limit of ours lets more through than it says, and that it uses up what it may."""
    table = done.get("limits")
    if table is not None:
        ours = [row.name for row in table.rows if row.name.startswith("ringfence")]
        beyond = max(table.numbers[f"over, {name}"] for name in ours)
        yield Verdict("requests over a limit, the worst of ours", 0, beyond, at_most=True)
        used = min(table.numbers[f"used, {name}"] for name in ours)
        yield Verdict("of a quota that is asked for, used, the least of ours", 0.9, used)


def overloaded(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge what becomes of cancels beside a flood of orders."""
    table = done.get("overload")
    if table is None:
        return
    found = ratio(done, "overload", "cancels, flooded")
    if found is not None:
        yield Verdict("p99 of cancels beside a flood of orders, × alone", 2.0, found, at_most=True)
    yield Verdict("cancels lost beside it", 0, table.numbers["cancels_lost"], at_most=True)


def scale(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge many credentials and two threads."""
    for key in ("credentials", "credentials-reads"):
        table = done.get(key)
        # A quick run takes fewer, and of few even an empty table weighs much.
        if table is None or table.numbers["credentials"] < CREDENTIALS:
            continue
        many = table.rows[-1]
        if many.ratio is not None:
            kind = "reads" if key.endswith("-reads") else "orders"
            yield Verdict(f"{kind}, {many.name}, × 10", 0.95, many.ratio)
        if key == "credentials":
            weight = table.numbers["bytes_per_credential"]
            yield Verdict("bytes for each credential", BYTES_PER_CREDENTIAL, weight, at_most=True)
    for key in ("threads", "threads-reads"):
        found = ratio(done, key, "2 threads")
        if found is not None:
            kind = "read" if key.endswith("-reads") else "order"
            name = f"CPU time of each {kind} with two threads, × one thread"
            yield Verdict(name, 1.15, found, at_most=True)


def verifying(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge what a dialect adds to a signature's own cost."""
    table = done.get("dialects")
    if table is not None:
        name = "verifying by a dialect, the worst, µs over the bare primitive"
        yield Verdict(name, 2.0, table.numbers["added_us"], at_most=True)


def policies(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge decisions of 1,000 policies, however they are written."""
    table = done.get("policy")
    if table is not None:
        for key, what, wanted in (("fresh_us", "evaluated", 50), ("kept_us", "kept", 1)):
            name = f"a decision of 1,000 policies, {what}, the worst p99 in µs"
            yield Verdict(name, wanted, table.numbers[key], at_most=True)


def websockets(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge messages a second either way, and idle streams."""
    for key, what in (("streams", "a venue's"), ("asked", "a client's")):
        table = done.get(key)
        row = None if table is None else table.row("ringfence")
        if row is not None:
            per_s = median_of(row.answers, rate)
            yield Verdict(f"{what} messages inspected per second on one core", 150_000, per_s)
            if key == "streams" and row.ratio is not None:
                yield Verdict("market streams, × nginx's tunnel", 0.9, row.ratio)
    table = done.get("idle")
    if table is not None:
        wanted, held = table.numbers["wanted"], table.numbers["held"]
        yield Verdict("idle streams held", wanted, held)
        ways = {"": "", "_tls": " over TLS", "_http2": " over HTTP/2"}
        for key, how in ways.items():
            each = table.numbers[f"bytes_each{key}"]
            yield Verdict(f"bytes for each idle stream{how}", BYTES_PER_STREAM, each, at_most=True)


def recorded(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge what recording costs."""
    for key, kind in (("recording", "orders"), ("recording-reads", "reads")):
        found = ratio(done, key, "ringfence group")
        if found is not None:
            yield Verdict(f"{kind}, ringfence group, × nothing recorded", 0.9, found)


def log(done: dict[str, Table]) -> Iterator[Verdict]:
    """Judge what goes into the log, and how long a lone writer waits beside the disk alone."""
    table = done.get("ledger")
    if table is None:
        return
    rows = {row.name.partition(",")[0]: row for row in table.rows}
    for name, wanted in (("group 5 ms", 500_000), ("verify", 1_000_000)):
        if name in rows:
            found = median_of(rows[name].answers, rate)
            yield Verdict(f"ledger, {name}, entries per second", wanted, found)
    disk, lone = table.row("1 KiB and fdatasync alone, laid out"), table.row("strict, 1 writer")
    if disk is not None and lone is not None:
        added_us = median_of(lone.answers, p99) - median_of(disk.answers, p99)
        yield Verdict("ledger, strict, µs over the disk's own p99", 300, added_us, at_most=True)


def ratio(done: dict[str, Table], key: str, name: str) -> float | None:
    """Return a row's ratio, if there is such a row."""
    table = done.get(key)
    row = None if table is None else table.row(name)
    return None if row is None else row.ratio


def against(done: dict[str, Table], key: str, name: str, other: str) -> float | None:
    """Return the ratio of one row's rate to another's, if both are there."""
    table = done.get(key)
    if table is None:
        return None
    this, that = table.row(name), table.row(other)
    return None if this is None or that is None else paired(this.answers, that.answers, rate)
