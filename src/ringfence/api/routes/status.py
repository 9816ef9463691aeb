"""`/status`: the gateway's counters. `/top`: the same, and what is going on, for who watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from ringfence.engine import Engine

__all__ = ["router"]

NEAR_MAX = 50
"""Limits near their edge that are told."""


def router(engine: Engine, beside: Callable[[], dict[str, Any]] | None) -> APIRouter:
    """Return the endpoints; `beside` tells how those stand who read the ledger behind it."""
    made = APIRouter()

    @made.get("/status")
    def status() -> dict[str, Any]:
        return engine.status() | ({} if beside is None else beside())

    @made.get("/top")
    def top() -> dict[str, Any]:
        return {**engine.top(NEAR_MAX), "status": status()}

    return made
