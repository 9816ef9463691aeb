"""`/status`: the gateway's counters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from ringfence.engine import Engine

__all__ = ["router"]


def router(engine: Engine, published: Callable[[], dict[str, Any]] | None) -> APIRouter:
    """Return the endpoint; `published` tells how far the ledger is published, where it is."""
    made = APIRouter()

    @made.get("/status")
    def status() -> dict[str, Any]:
        found = engine.status()
        return found if published is None else {**found, "published": published()}

    return made
