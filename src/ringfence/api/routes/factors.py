"""`/mfa`: the second factors of who asks, and step-ups."""

from __future__ import annotations

from fastapi import APIRouter

from ringfence.api.approvals import ApprovalService
from ringfence.api.factors import FactorService
from ringfence.api.routes.answers import FactorsOf, TotpBegun
from ringfence.api.routes.asking import Body, Operator, Who, WhyRequest

__all__ = ["router"]


class CodeRequest(Body):
    """The body of POST /mfa/totp/confirm and /mfa/accounts/{name}/step-up."""

    code: str


class StepUpRequest(CodeRequest):
    """The body of POST /mfa/step-up."""

    kind: str = "totp"


def router(factors: FactorService, approvals: ApprovalService) -> APIRouter:
    """Return the endpoints on `factors`; a reset may need `approvals`."""
    made = APIRouter(prefix="/mfa")

    @made.get("", response_model=FactorsOf)
    def own(operator: Operator) -> object:
        return factors.shown(operator.name)

    @made.post("/totp", response_model=TotpBegun)
    def begin_totp(operator: Operator) -> object:
        return factors.begin_totp(operator.name)

    @made.post("/totp/confirm", response_model=FactorsOf)
    def confirm_totp(wanted: CodeRequest, operator: Operator, who: Who) -> object:
        return factors.confirm_totp(operator.name, wanted.code, who)

    @made.post("/totp/remove", response_model=FactorsOf)
    def remove_totp(operator: Operator, who: Who) -> object:
        return factors.remove_totp(operator.name, who)

    @made.post("/recovery", response_model=list[str])
    def recovery_codes(operator: Operator, who: Who) -> object:
        return factors.recovery_codes(operator.name, who)

    @made.post("/step-up", response_model=FactorsOf)
    def step_up(wanted: StepUpRequest, operator: Operator, who: Who) -> object:
        return factors.step_up(operator.name, wanted.kind, wanted.code, who)

    @made.post("/accounts/{name}/step-up", response_model=FactorsOf)
    def step_up_for(name: str, wanted: CodeRequest, operator: Operator, who: Who) -> object:
        return factors.step_up_for(name, operator.name, wanted.code, who)

    @made.post("/{name}/reset", response_model=FactorsOf)
    def reset(name: str, wanted: WhyRequest, operator: Operator, who: Who) -> object:
        approvals.require("factor.reset", operator.name, {"of": name, "why": wanted.why})
        return factors.reset(name, wanted.why, who, operator.name)

    return made
