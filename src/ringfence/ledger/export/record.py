"""A committed entry, read for export: its words from `mapping.yaml`, the hash that proves it."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from ringfence.ledger.personal import Personal

__all__ = ["Record", "is_address", "mapping", "record"]

LEAF = b"\0"
"""RFC 6962 2.1: what stands before a leaf when it is hashed."""


@dataclass(frozen=True, slots=True)
class Record:
    """An entry and what is said about it. `leaf` is its hash in the log's tree, in hexadecimal."""

    index: int
    leaf: str
    entry: dict[str, Any]
    result: str
    name: str
    words: dict[str, int]

    @property
    def time_us(self) -> int:
        """When it happened: microseconds since the Unix epoch."""
        return int(self.entry["time_us"])

    @property
    def uid(self) -> str:
        """What it concerns: a message's id, or the entry's own index."""
        return str(self.entry.get("message") or f"entry-{self.index}")


@cache
def mapping() -> dict[str, Any]:
    """Return `mapping.yaml`."""
    text = (files(__package__) / "mapping.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def record(index: int, content: bytes, personal: Personal | None = None) -> Record:
    """Return the entry `content`, canonical JSON, for export.

    Without `personal` its commitments stay.
    """
    entry = json.loads(content)
    if personal is not None:
        entry = personal.resolved(entry)
    leaf = hashlib.sha256(LEAF + content).hexdigest()
    result = str(entry.get("outcome") or entry.get("result") or "event")
    known = mapping()
    words = dict(known["results"].get(result, known["results"]["event"]))
    refused = (entry.get("refusal") or {}).get("code") in known["grave_codes"]
    if refused or ("event" in entry and of_event(entry["event"]).get("grave")):
        words |= known["grave"]
    return Record(index, leaf, entry, result, named(entry, result), words)


def is_address(text: str) -> bool:
    """Tell whether an entry's address is one: it may be erased, or a commitment."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def named(entry: dict[str, Any], result: str) -> str:
    """Return a short name of what happened."""
    if "event" in entry:
        return str(of_event(entry["event"])["name"])
    if entry.get("kind") == "outcome":
        return f"Outcome {result}"
    return f"{of_operation(entry.get('operation'))['name']}: {result}"


def of_operation(operation: str | None) -> dict[str, Any]:
    """Return what the mapping says about an operation."""
    table: dict[str, dict[str, Any]] = mapping()["operations"]
    return table.get(operation or "other", table["other"])


def of_event(event: str) -> dict[str, Any]:
    """Return what the mapping says about an event, by the longest prefix."""
    table: dict[str, dict[str, Any]] = mapping()["events"]
    return table[max((prefix for prefix in table if event.startswith(prefix)), key=len)]
