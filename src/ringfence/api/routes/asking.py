"""What endpoints of all areas share: who asks, and how a body is read."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

__all__ = ["Body", "Who", "WhyRequest", "who"]


class Body(BaseModel):
    """A request's body: nothing is converted, and what we do not know is refused."""

    model_config = ConfigDict(strict=True, extra="forbid")


class WhyRequest(Body):
    """The body of what needs a reason only."""

    why: str = ""


def who(request: Request) -> str:
    """Return who asks, as `PeerProtocol` found out."""
    # INVARIANT: uvicorn gives every request of a `PeerProtocol` connection its client.
    return request.client.host if request.client else "unknown"


Who = Annotated[str, Depends(who)]
"""A parameter of a handler: who asks."""
