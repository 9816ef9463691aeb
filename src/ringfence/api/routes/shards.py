"""`/shards`: cells of principals, and how each stands."""

from __future__ import annotations

from fastapi import APIRouter

from ringfence.api.routes.answers import Shard, ShardMoved, ShardStep
from ringfence.api.routes.asking import Body, Who, WhyRequest
from ringfence.api.shards import ShardService
from ringfence.config.shards import Number

__all__ = ["router"]


class MoveRequest(Body):
    """The body of POST /shards/move; without `shard`: back to where pins and hash say."""

    principal: str
    shard: Number | None = None
    why: str = ""


def router(shards: ShardService) -> APIRouter:
    """Return the endpoints on `shards`."""
    made = APIRouter(prefix="/shards")

    @made.get("", response_model=list[Shard])
    def all_shards() -> object:
        return shards.all()

    @made.post("/move", response_model=ShardMoved)
    def move(wanted: MoveRequest, who: Who) -> object:
        return shards.move(wanted.principal, wanted.shard, wanted.why, who)

    @made.post("/{shard}/drain", response_model=ShardStep)
    def drain(shard: int, wanted: WhyRequest, who: Who) -> object:
        return shards.step(shard, "drain", wanted.why, who)

    @made.post("/{shard}/isolate", response_model=ShardStep)
    def isolate(shard: int, wanted: WhyRequest, who: Who) -> object:
        return shards.step(shard, "isolate", wanted.why, who)

    @made.post("/{shard}/resume", response_model=ShardStep)
    def resume(shard: int, wanted: WhyRequest, who: Who) -> object:
        return shards.step(shard, "resume", wanted.why, who)

    return made
