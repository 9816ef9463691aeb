"""`/bans`: who is kept out for a while."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from ringfence.api.bans import BanService, NewBan
from ringfence.api.routes.answers import Ban, BanAdded, BanLifted
from ringfence.api.routes.asking import Body, Who

__all__ = ["router"]


class BanRequest(Body):
    """The body of POST /bans."""

    target: str
    seconds: Annotated[int, Field(ge=1, le=31_536_000)]
    reach: Literal["all", "strangers"] = "all"
    why: str = ""


class LiftRequest(Body):
    """The body of POST /bans/lift."""

    target: str
    why: str = ""


def router(bans: BanService) -> APIRouter:
    """Return the endpoints on `bans`."""
    made = APIRouter(prefix="/bans")

    @made.get("", response_model=list[Ban])
    def all_bans() -> object:
        return bans.all()

    @made.post("", response_model=BanAdded)
    def add_ban(wanted: BanRequest, who: Who) -> object:
        return bans.add(NewBan(**wanted.model_dump()), who)

    @made.post("/lift", response_model=BanLifted)
    def lift_ban(wanted: LiftRequest, who: Who) -> object:
        return bans.lift(wanted.target, wanted.why, who)

    return made
