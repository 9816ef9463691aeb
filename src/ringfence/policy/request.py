"""Requests as people write them, made complete for the engine."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import Any

from ringfence import engine
from ringfence.errors import PolicyError

__all__ = ["DEFAULTS", "complete", "time_us"]

DEFAULTS: dict[str, Any] = {
    "principal": "Account::somebody",
    "credential": "some-key",
    "scopes": ["read", "trade", "withdraw", "transfer", "keys", "admin"],
    "algorithm": "ed25519",
    "address": "192.0.2.1",
    "time": "2026-11-26T12:00:00Z",
    "coverage": "venue",
    "certificate": False,
    "transport": "http/1.1",
}
"""What a request is that says nothing else: a Thursday noon, from a documentation address."""

KNOWN = {*DEFAULTS, "above", "operation", "instrument", "step_up", "order", "funds"}
STATES = {"coverage": ("venue", "native"), "transport": ("http/1.1", "h2", "websocket", "unix")}
NUMBERS = ("price", "quantity", "notional", "amount")


def complete(said: Any) -> dict[str, Any]:
    """Return `said` with what it leaves out.

    Raises:
        PolicyError: a field is not known, or cannot be read.
    """
    if not isinstance(said, dict):
        raise PolicyError("a request is a section with `operation` and more")
    unknown = sorted(set(said) - KNOWN)
    if unknown:
        raise PolicyError(f"{unknown[0]} is no part of a request; {', '.join(sorted(KNOWN))} are")
    question = {**DEFAULTS, **said}
    action = engine.policy_actions().get(str(question.get("operation")))
    if action is None:
        raise PolicyError(f"operation: there is no {question.get('operation')}")
    question["time_us"] = time_us(question.pop("time"))
    if action.order:
        question.setdefault("instrument", "BTCUSDT")
    try:
        question["address"] = str(ipaddress.ip_address(question["address"]))
    except ValueError:
        said = f"address: {question['address']} is no address; write 192.0.2.1 or 2001:db8::1"
        raise PolicyError(said) from None
    for field, allowed in STATES.items():
        if question[field] not in allowed:
            raise PolicyError(f"{field}: {question[field]} is none of {', '.join(allowed)}")
    for section in ("order", "funds"):
        part = question.get(section)
        if isinstance(part, dict):
            question[section] = {
                name: str(value) if name in NUMBERS and type(value) is int else value
                for name, value in part.items()
            }
    return question


def time_us(text: Any) -> int:
    """Return microseconds since the Unix epoch of an ISO time that says its zone.

    Raises:
        PolicyError: it is none, or before 1970.
    """
    try:
        moment = datetime.fromisoformat(str(text))
        if moment.tzinfo is None:
            raise ValueError
        since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        us = since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds
        if us < 0:
            raise ValueError
    except ValueError:
        raise PolicyError(f"time: {text} is no time; write 2026-11-26T09:30:00Z") from None
    return us
