"""CEF, syslog (RFC 5424) and OTLP, one record at a time.

What a client chose is escaped: it cannot add a line or a field.
"""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from typing import Any

from ringfence import __version__
from ringfence.ledger.export.record import Record, is_address

__all__ = ["cef", "otlp", "syslog"]

AUDIT = 13
"""Syslog facility "log audit" (RFC 5424 6.2.1)."""
ENTERPRISE = "ringfence@32473"
"""SD-ID with the number that RFC 5612 reserves for examples: Ringfence has none of its own."""
OTLP_SEVERITY = {1: 9, 2: 9, 3: 13, 4: 17, 5: 17, 6: 21}
"""OCSF severity to OTLP severity number: INFO, WARN, ERROR, FATAL."""
OTLP_TEXT = {9: "INFO", 13: "WARN", 17: "ERROR", 21: "FATAL"}
SECOND_NS = 1_000


def cef(record: Record) -> str:
    """Return a line in the Common Event Format, version 0 (ArcSight, revision 26)."""
    entry = record.entry
    code = (entry.get("refusal") or {}).get("code") or entry.get("event") or record.result
    head = ["CEF:0", "Ringfence", "Ringfence", __version__, code, record.name]
    head = [head[0], *(escaped(part, "|") for part in head[1:])]
    address = entry.get("address") or ""
    fields = {
        "rt": str(record.time_us // 1000),
        "externalId": record.uid,
        "src": address if is_address(address) else None,
        "suser": entry.get("account"),
        "act": entry.get("operation"),
        "outcome": record.result,
        "reason": (entry.get("refusal") or {}).get("code") or entry.get("reason"),
        "requestMethod": entry.get("method") or None,
        "request": entry.get("path") or None,
        "cs1Label": "leafHash",
        "cs1": record.leaf,
        "cn1Label": "ledgerIndex",
        "cn1": str(record.index),
    }
    said = " ".join(f"{name}={escaped(str(value), '=')}" for name, value in fields.items() if value)
    return "|".join([*head, str(record.words["cef"])]) + f"|{said}\n"


def escaped(text: str, special: str) -> str:
    """Return `text` for CEF: backslash, the part's own delimiter, and line ends escaped."""
    text = text.replace("\\", "\\\\").replace(special, f"\\{special}")
    text = text.replace("\n", "\\n").replace("\r", "\\r")
    return "".join(c if c.isprintable() else " " for c in text)


def syslog(record: Record) -> str:
    """Return a message of RFC 5424 without framing; its text is the entry as JSON, ASCII only."""
    priority = AUDIT * 8 + record.words["syslog"]
    time = datetime.fromtimestamp(record.time_us // 1_000_000, UTC)
    stamp = f"{time:%Y-%m-%dT%H:%M:%S}.{record.time_us % 1_000_000:06d}Z"
    host = printable(socket.gethostname(), 255)
    kind = printable(str(record.entry.get("event") or record.entry.get("kind")), 32)
    data = {"index": str(record.index), "leaf": record.leaf, "result": record.result}
    words = " ".join(f'{name}="{quoted(value)}"' for name, value in data.items())
    text = json.dumps(record.entry, ensure_ascii=True, separators=(",", ":"))
    return f"<{priority}>1 {stamp} {host} ringfence - {kind} [{ENTERPRISE} {words}] {text}\n"


def printable(text: str, limit: int) -> str:
    """Return a header part of RFC 5424: visible ASCII, at most `limit` long, `-` for nothing."""
    return "".join(c for c in text if "!" <= c <= "~")[:limit] or "-"


def quoted(text: str) -> str:
    """Return a PARAM-VALUE of RFC 5424 6.3.3."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def otlp(record: Record) -> str:
    """Return an ExportLogsServiceRequest with one record in one line (OTLP 1, JSON mapping)."""
    severity = OTLP_SEVERITY[record.words["severity"]]
    said = {
        "ringfence.ledger.index": record.index,
        "ringfence.ledger.leaf_hash": record.leaf,
        "ringfence.result": record.result,
        "ringfence.message": record.entry.get("message"),
        "ringfence.operation": record.entry.get("operation"),
        "client.address": record.entry.get("address"),
        "enduser.id": record.entry.get("account"),
    }
    log = {
        "timeUnixNano": str(record.time_us * SECOND_NS),
        "observedTimeUnixNano": str(record.time_us * SECOND_NS),
        "severityNumber": severity,
        "severityText": OTLP_TEXT[severity],
        "eventName": f"ringfence.{record.entry.get('event') or record.entry.get('kind')}",
        "body": {"stringValue": json.dumps(record.entry, ensure_ascii=True, sort_keys=True)},
        "attributes": [attribute(name, value) for name, value in said.items() if value is not None],
    }
    resource = [attribute("service.name", "ringfence"), attribute("service.version", __version__)]
    scope = {"scope": {"name": "ringfence.ledger"}, "logRecords": [log]}
    whole = {"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [scope]}]}
    return json.dumps(whole, ensure_ascii=True, separators=(",", ":")) + "\n"


def attribute(name: str, value: Any) -> dict[str, Any]:
    """Return a KeyValue; whole numbers are text in OTLP's JSON."""
    kind = {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}
    return {"key": name, "value": kind}
