"""`/exports`: what leaves the vault when two operators ask for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from ringfence.api.exports import ExportService
from ringfence.api.routes.answers import Exported
from ringfence.api.routes.asking import Body, who
from ringfence.api.twofold import Person

__all__ = ["router"]


class SharesRequest(Body):
    """The body of POST /exports/shares."""

    threshold: Annotated[int, Field(ge=2, le=16)]
    count: Annotated[int, Field(ge=2, le=16)]
    why: str = ""


def asker(request: Request) -> Person:
    """Return who asks: `PeerProtocol` gives the uid for the port."""
    return Person(request.client.port if request.client else -1, who(request))


def router(exports: ExportService) -> APIRouter:
    """Return the endpoints on `exports`."""
    made = APIRouter(prefix="/exports")

    @made.post("/shares", response_model=Exported)
    def shares(wanted: SharesRequest, person: Annotated[Person, Depends(asker)]) -> object:
        return asdict(exports.shares(wanted.threshold, wanted.count, person, wanted.why))

    return made
