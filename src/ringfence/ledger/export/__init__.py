"""Entries in the forms that other systems read, each with the index and leaf hash that prove it."""

from __future__ import annotations

from collections.abc import Callable

from ringfence.ledger.export.lines import cef, otlp, syslog
from ringfence.ledger.export.ocsf import line as ocsf
from ringfence.ledger.export.record import Record, record

__all__ = ["FORMATS", "Record", "record"]

FORMATS: dict[str, Callable[[Record], str]] = {
    "cef": cef,
    "ocsf": ocsf,
    "otlp": otlp,
    "syslog": syslog,
}
"""Formats of one line for each entry."""
