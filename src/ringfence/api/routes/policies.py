"""`/policies`: what is judged behind the scopes."""

from __future__ import annotations

from fastapi import APIRouter

from ringfence.api.approvals import ApprovalService
from ringfence.api.policies import PolicyService
from ringfence.api.routes.answers import PoliciesLoaded
from ringfence.api.routes.asking import Operator, Who, WhyRequest
from ringfence.api.telling import read_why

__all__ = ["router"]


def router(policies: PolicyService, approvals: ApprovalService) -> APIRouter:
    """Return the endpoints on `policies`; loading them may need `approvals`."""
    made = APIRouter(prefix="/policies")

    @made.post("/load", response_model=PoliciesLoaded)
    def load(wanted: WhyRequest, operator: Operator, who: Who) -> object:
        about = {**policies.offered(), "why": read_why(wanted.why)}
        approvals.require("policy.load", operator.name, about)
        return policies.load(wanted.why, who)

    return made
