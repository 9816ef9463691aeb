"""`/principals`: who acts, under whom, and in what state."""

from __future__ import annotations

from fastapi import APIRouter

from ringfence.api.approvals import ApprovalService
from ringfence.api.factors import FactorService
from ringfence.api.principals import NewPrincipal, PrincipalService
from ringfence.api.routes.answers import PrincipalAnswer, PrincipalStep, PrincipalStory
from ringfence.api.routes.asking import Body, May, Operator, Who, WhyRequest
from ringfence.errors import RoleError

__all__ = ["router"]


class PrincipalRequest(Body):
    """The body of POST /principals."""

    name: str
    kind: str = "account"
    parent: str | None = None
    role: str | None = None
    uid: int | None = None
    why: str = ""


class MoveRequest(WhyRequest):
    """The body of POST /principals/{name}/move; without `parent`, to the top."""

    parent: str | None = None


def router(
    principals: PrincipalService, factors: FactorService, approvals: ApprovalService
) -> APIRouter:
    """Return the endpoints on `principals`; a new operator may enrol one of `factors`."""
    made = APIRouter(prefix="/principals")

    @made.get("", response_model=list[PrincipalAnswer])
    def all_principals() -> object:
        return principals.all()

    @made.get("/{name}", response_model=PrincipalStory)
    def one_principal(name: str) -> object:
        return principals.one(name)

    @made.post("", response_model=PrincipalStep)
    def create_principal(
        wanted: PrincipalRequest, operator: Operator, who: Who, may: May
    ) -> object:
        if wanted.kind == "operator":
            if wanted.role == "owner" and operator.role != "owner":
                hint = "ask an owner, or choose another role"
                raise RoleError("only an owner makes an owner", hint=hint)
            may("operator.create", "")
            approvals.require("operator.create", operator.name, wanted.model_dump())
        made = principals.create(NewPrincipal(**wanted.model_dump()), who)
        if wanted.kind == "operator":
            factors.admit(wanted.name)
        return made

    @made.post("/{name}/suspend", response_model=PrincipalStep)
    def suspend_principal(name: str, wanted: WhyRequest, who: Who) -> object:
        return principals.step(name, "suspend", wanted.why, who)

    @made.post("/{name}/resume", response_model=PrincipalStep)
    def resume_principal(name: str, wanted: WhyRequest, who: Who) -> object:
        return principals.step(name, "resume", wanted.why, who)

    @made.post("/{name}/close", response_model=PrincipalStep)
    def close_principal(name: str, wanted: WhyRequest, who: Who) -> object:
        return principals.step(name, "close", wanted.why, who)

    @made.post("/{name}/move", response_model=PrincipalStep)
    def move_principal(name: str, wanted: MoveRequest, operator: Operator, who: Who) -> object:
        approvals.require("principal.move", operator.name, {"of": name, **wanted.model_dump()})
        return principals.move(name, wanted.parent, wanted.why, who)

    return made
