"""`/approvals`: what needs more than one operator."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from ringfence.api.approvals import ApprovalService
from ringfence.api.passkeys import PasskeyService
from ringfence.api.routes.answers import Approval, LinkOpened
from ringfence.api.routes.asking import Operator, Who
from ringfence.api.routes.passkeys import paged

__all__ = ["router"]


def router(approvals: ApprovalService, passkeys: PasskeyService | None) -> APIRouter:
    """Return the endpoints on `approvals`; `passkeys` has the page, where there is one."""
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

    @made.post("/{name}/passkey", response_model=LinkOpened)
    def approve_by_passkey(name: str, operator: Operator, who: Who) -> object:
        return paged(passkeys).approve(name, operator.name, who)

    @made.post("/{name}/reject", response_model=Approval)
    def reject(name: str, operator: Operator, who: Who) -> object:
        return approvals.vote(name, operator.name, False, who)

    @made.post("/{name}/execute")
    def execute(name: str, operator: Operator, who: Who) -> dict[str, Any]:
        return approvals.execute(name, operator.name, who)

    return made
