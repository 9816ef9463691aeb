"""`/status`: the gateway's counters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from ringfence.engine import Engine

__all__ = ["router"]


def router(engine: Engine, beside: Callable[[], dict[str, Any]] | None) -> APIRouter:
    """Return the endpoint; `beside` tells how those stand who read the ledger behind the engine."""
    made = APIRouter()

    @made.get("/status")
    def status() -> dict[str, Any]:
        return engine.status() | ({} if beside is None else beside())

    return made
