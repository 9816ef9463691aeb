"""What endpoints of all areas share: who asks, and how a body is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

from ringfence.api.operators import Operators

__all__ = ["Body", "Who", "WhyRequest", "gate", "who"]


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


def gate(operators: Operators) -> Callable[[Request], None]:
    """Return what stands before every endpoint: only an operator whose role allows it passes."""

    def check(request: Request) -> None:
        # INVARIANT: `PeerProtocol` gives the uid for the port; without a client nobody is known.
        uid = request.client.port if request.client else -1
        operators.check(uid, f"{request.method} {request.scope['route'].path}")

    return check


Who = Annotated[str, Depends(who)]
"""A parameter of a handler: who asks."""
