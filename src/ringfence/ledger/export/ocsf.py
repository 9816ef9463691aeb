"""OCSF 1.8.0 events. Source: https://schema.ocsf.io/1.8.0.

API Activity for messages and their outcomes, Entity Management for credentials, Detection Finding
for what detectors found, Application Lifecycle for the gateway's own life.

Each event carries the entry's index and leaf hash under `unmapped`, so that it can be proved.
"""

from __future__ import annotations

import json
from typing import Any

from ringfence import __version__
from ringfence.ledger.export.record import Record, is_address, of_event, of_operation

__all__ = ["VERSION", "line", "ocsf"]

VERSION = "1.8.0"
API_ACTIVITY, ENTITY_MANAGEMENT, EVENT_LOG, DETECTION_FINDING = 6003, 3004, 1008, 2004
SHA_256 = 3


def line(record: Record) -> str:
    """Return the event as one line of JSON."""
    return json.dumps(ocsf(record), ensure_ascii=True, separators=(",", ":")) + "\n"


def ocsf(record: Record) -> dict[str, Any]:
    """Return the event."""
    if "event" in record.entry:
        return happened(record)
    return asked(record)


def base(record: Record, class_uid: int, activity: int) -> dict[str, Any]:
    """Return what every event has. OCSF counts milliseconds; the exact time stands beside."""
    return {
        "activity_id": activity,
        "category_uid": class_uid // 1000,
        "class_uid": class_uid,
        "type_uid": class_uid * 100 + activity,
        "time": record.time_us // 1000,
        "severity_id": record.words["severity"],
        "status_id": record.words["status"],
        "message": record.name,
        "metadata": {
            "version": VERSION,
            "product": {"name": "Ringfence", "vendor_name": "Ringfence", "version": __version__},
            "uid": record.uid,
            "sequence": record.index,
            "log_name": "ledger",
        },
        "unmapped": {
            "time_us": record.time_us,
            "ledger": {"index": record.index, "leaf_hash": record.leaf},
        },
    }


def asked(record: Record) -> dict[str, Any]:
    """Return a message's decision, or its outcome, as API Activity."""
    entry = record.entry
    about = of_operation(entry.get("operation"))
    event = base(record, API_ACTIVITY, about["activity"])
    event["metadata"]["profiles"] = ["security_control"]
    event["action_id"] = record.words["action"]
    event["disposition_id"] = record.words["disposition"]
    event["actor"] = actor(entry)
    event["src_endpoint"] = endpoint(entry.get("address", "unknown"))
    event["api"] = {
        "operation": entry.get("operation") or "unknown",
        "request": {"uid": record.uid},
    }
    if "status" in entry:
        event["api"]["response"] = {"code": entry["status"]}
        event["status_code"] = str(entry["status"])
    refusal = entry.get("refusal")
    if refusal:
        event["status_detail"] = refusal["code"]
        event["api"].setdefault("response", {})["error"] = refusal["code"]
    elif entry.get("reason"):
        event["status_detail"] = entry["reason"]
    if entry.get("method"):
        event["http_request"] = {"http_method": entry["method"], "url": {"path": entry["path"]}}
    orders = [resource(entry[name]) for name in ("order", "about") if name in entry]
    orders += [resource(one) for name in ("orders", "abouts") for one in entry.get(name, ())]
    if orders:
        event["resources"] = orders
    return event


def resource(order: dict[str, Any]) -> dict[str, Any]:
    """Return an order, or what one is called, as the thing that was acted upon."""
    ids = [order[name] for name in ("venue_order_id", "client_order_id") if name in order]
    name = order.get("symbol") or next(iter(ids), "unknown")
    return {"type": "order", "data": order, "name": name} | ({"uid": ids[0]} if ids else {})


def actor(entry: dict[str, Any]) -> dict[str, Any]:
    """Return who acted: an account by its credential, or nobody known."""
    if "account" not in entry:
        return {"user": {"name": "unknown", "type_id": 0}}
    user: dict[str, Any] = {"name": entry["account"], "type_id": 1}
    if "credential" in entry:
        user["credential_uid"] = entry["credential"]
    return {"user": user}


def happened(record: Record) -> dict[str, Any]:
    """Return what happened to the gateway itself."""
    entry = record.entry
    about = of_event(entry["event"])
    event = base(record, about["class"], about["activity"])
    detail = entry.get("detail", {})
    event["unmapped"] |= {"event": entry["event"], "detail": detail}
    who = {"user": {"name": str(detail.get("who", "ringfence")), "type_id": 0}}
    if about["class"] == ENTITY_MANAGEMENT:
        event["entity"] = {"type": "credential", "uid": str(detail.get("credential", "unknown"))}
        event["actor"] = who
        event["comment"] = str(detail.get("why", ""))
    elif about["class"] == EVENT_LOG:
        event["actor"] = who
        event["log_name"] = "ledger"
        event["activity_name"] = entry["event"]
    elif about["class"] == DETECTION_FINDING:
        event["finding_info"] = {"uid": f"entry-{record.index}", "title": about["name"]}
        event["finding_info"] |= {"desc": str(detail.get("what", "")), "types": [entry["event"]]}
        key = {"type": "credential", "uid": str(detail.get("credential", "unknown"))}
        event["resources"] = [key]
        event["is_alert"] = True
    else:
        event["app"] = {"name": "Ringfence", "vendor_name": "Ringfence", "version": __version__}
    return event


def endpoint(text: str) -> dict[str, str]:
    """Return where a message came from: an address, or why there is none."""
    return {"ip": text} if is_address(text) else {"name": text}
