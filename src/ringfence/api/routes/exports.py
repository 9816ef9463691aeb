"""`/exports`: what leaves the vault when two operators ask for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from ringfence.api.approvals import ApprovalService
from ringfence.api.export_files import ExportFiles, NewExport
from ringfence.api.exports import ExportService
from ringfence.api.routes.answers import Approval, Exported
from ringfence.api.routes.asking import Body, Operator, who
from ringfence.api.twofold import Person
from ringfence.identity.slip10 import HARDENED

__all__ = ["router"]


class SharesRequest(Body):
    """The body of POST /exports/shares."""

    threshold: Annotated[int, Field(ge=2, le=16)]
    count: Annotated[int, Field(ge=2, le=16)]
    why: str = ""


class FileRequest(Body):
    """The body of POST /exports/files: venue keys or a shard, and to whom it is sealed."""

    recipient: str
    venue_keys: Annotated[list[str], Field(max_length=256)] = Field(default_factory=list)
    shard: Annotated[int, Field(ge=0, lt=HARDENED)] | None = None
    why: str = ""


def asker(request: Request) -> Person:
    """Return who asks: `PeerProtocol` gives the uid for the port."""
    return Person(request.client.port if request.client else -1, who(request))


def router(
    exports: ExportService | None, files: ExportFiles | None, approvals: ApprovalService
) -> APIRouter:
    """Return the endpoints on `exports`, and on `files`, which `approvals` come before."""
    made = APIRouter(prefix="/exports")

    if exports is not None:

        @made.post("/shares", response_model=Exported)
        def shares(wanted: SharesRequest, person: Annotated[Person, Depends(asker)]) -> object:
            return asdict(exports.shares(wanted.threshold, wanted.count, person, wanted.why))

    if files is not None:

        @made.post("/files", response_model=Approval)
        def ask_for_file(wanted: FileRequest, operator: Operator) -> object:
            return files.ask(NewExport(**wanted.model_dump()), operator.name, approvals)

    return made
