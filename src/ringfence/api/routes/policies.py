"""`/policies`: what is judged behind the scopes."""

from __future__ import annotations

from fastapi import APIRouter

from ringfence.api.policies import PolicyService
from ringfence.api.routes.answers import PoliciesLoaded
from ringfence.api.routes.asking import Who, WhyRequest

__all__ = ["router"]


def router(policies: PolicyService) -> APIRouter:
    """Return the endpoints on `policies`."""
    made = APIRouter(prefix="/policies")

    @made.post("/load", response_model=PoliciesLoaded)
    def load(wanted: WhyRequest, who: Who) -> object:
        return policies.load(wanted.why, who)

    return made
