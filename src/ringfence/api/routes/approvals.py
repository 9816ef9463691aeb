"""`/approvals`: what needs more than one operator."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from ringfence.api.approvals import ApprovalService
from ringfence.api.routes.answers import Approval
from ringfence.api.routes.asking import Operator, Who

__all__ = ["router"]


def router(approvals: ApprovalService) -> APIRouter:
    """Return the endpoints on `approvals`."""
    made = APIRouter(prefix="/approvals")

    @made.get("", response_model=list[Approval])
    def all_approvals() -> object:
        return approvals.all()

    @made.get("/{name}", response_model=Approval)
    def one_approval(name: str) -> object:
        return approvals.one(name)

    @made.post("/{name}/approve", response_model=Approval)
    def approve(name: str, operator: Operator, who: Who) -> object:
        return approvals.vote(name, operator.name, True, who)

    @made.post("/{name}/reject", response_model=Approval)
    def reject(name: str, operator: Operator, who: Who) -> object:
        return approvals.vote(name, operator.name, False, who)

    @made.post("/{name}/execute")
    def execute(name: str, operator: Operator, who: Who) -> dict[str, Any]:
        return approvals.execute(name, operator.name, who)

    return made
