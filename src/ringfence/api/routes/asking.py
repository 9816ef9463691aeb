"""What endpoints of all areas share: who asks, what they have proved, how a body is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

from ringfence.api.operators import STEP_UP, Operators
from ringfence.api.policies import Permits, PolicyService
from ringfence.api.stepup import StepUps
from ringfence.identity.principal import Principal
from ringfence.identity.stepup import May as Judge

__all__ = [
    "ATTESTED",
    "Body",
    "May",
    "Operator",
    "Permitted",
    "Who",
    "WhyRequest",
    "gate",
    "who",
]

ATTESTED = "ringfence.attested"
"""In a request's scope, where the engine handed it on: the principal that it attests."""


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


def gate(
    operators: Operators, step_ups: StepUps, policies: PolicyService | None = None
) -> Callable[[Request], None]:
    """Return what stands before every endpoint.

    Only an operator whose role allows it passes, with a step-up where the endpoint needs one, if
    `policies` permit it.
    """

    def check(request: Request) -> None:
        # INVARIANT: `PeerProtocol` gives the uid for the port; without a client nobody is known.
        uid = request.client.port if request.client else -1
        asks = request.scope.get(ATTESTED, uid)
        endpoint = f"{request.method} {request.scope['route'].path}"
        found = operators.check(asks, endpoint)
        request.state.operator = found
        request.state.may = step_ups.may(None if found is None else found.name)
        request.state.permits = unasked
        if policies is not None:
            request.state.may = policies.after(request.state.may, found)
            request.state.permits = policies.of(found)
        if (act := STEP_UP.get(endpoint)) is not None:
            request.state.may(act, "")

    return check


def operator(request: Request) -> Any:
    """Return which operator asks, as `gate` found out."""
    return request.state.operator


def may(request: Request) -> Any:
    """Return what judges whether who asks has proved enough for an act."""
    return request.state.may


def permits(request: Request) -> Any:
    """Return what asks the policies of an act that says what it is about."""
    return request.state.permits


def unasked(_action: str, _funds: dict[str, str | None]) -> None:
    """Ask nobody: there are no policies."""


Who = Annotated[str, Depends(who)]
"""A parameter of a handler: who asks."""
Operator = Annotated[Principal, Depends(operator)]
"""A parameter of a handler: which operator asks."""
May = Annotated[Judge, Depends(may)]
"""A parameter of a handler: what judges a step-up that depends on the body."""
Permitted = Annotated[Permits, Depends(permits)]
"""A parameter of a handler: what asks the policies of what stands in the body."""
