"""`/seal`: what is about to become of the state folder's seal."""

from __future__ import annotations

from fastapi import APIRouter

from ringfence.api.routes.asking import Body, Who
from ringfence.api.seal import SealService

__all__ = ["router"]


class RewrapRequest(Body):
    """The body of POST /seal/rewrap."""

    before: str
    after: str
    version: int
    why: str = ""


def router(seal: SealService) -> APIRouter:
    """Return the endpoints on `seal`."""
    made = APIRouter(prefix="/seal")

    @made.post("/rewrap")
    def rewrap(wanted: RewrapRequest, who: Who) -> dict[str, int]:
        seal.rewrap(wanted.before, wanted.after, wanted.version, who, wanted.why)
        return {"version": wanted.version}

    return made
