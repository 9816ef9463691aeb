"""`/holds`, `/volumes` and `/erase`: how long the ledger keeps what."""

from __future__ import annotations

from fastapi import APIRouter

from ringfence.api.routes.answers import Dropped, Erased, Hold
from ringfence.api.routes.asking import Body, Who, WhyRequest
from ringfence.api.volumes import VolumeService

__all__ = ["router"]


class HoldRequest(Body):
    """The body of POST /holds."""

    name: str
    since: str | None = None
    until: str | None = None
    why: str


class EraseRequest(Body):
    """The body of POST /erase."""

    address: str
    until: str | None = None
    why: str


def router(volumes: VolumeService) -> APIRouter:
    """Return the endpoints on `volumes`."""
    made = APIRouter()

    @made.get("/holds", response_model=list[Hold])
    def all_holds() -> object:
        return volumes.holds()

    @made.post("/holds", response_model=Hold)
    def place_hold(wanted: HoldRequest, who: Who) -> object:
        return volumes.hold(wanted.name, wanted.since, wanted.until, wanted.why, who)

    @made.post("/holds/{name}/lift", response_model=Hold)
    def lift_hold(name: str, wanted: WhyRequest, who: Who) -> object:
        return volumes.lift(name, wanted.why, who)

    @made.post("/volumes/{month}/drop", response_model=Dropped)
    def drop_volume(month: str, wanted: WhyRequest, who: Who) -> object:
        return volumes.drop(month, wanted.why, who)

    @made.post("/erase", response_model=list[Erased])
    def erase(wanted: EraseRequest, who: Who) -> object:
        return volumes.erase(wanted.address, wanted.until, wanted.why, who)

    return made
