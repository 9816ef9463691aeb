"""`/mfa/passkeys`: links to the pages of the gateway, and what became of them."""

from __future__ import annotations

from fastapi import APIRouter

from ringfence.api.factors import FactorService
from ringfence.api.passkeys import PasskeyService
from ringfence.api.routes.answers import FactorsOf, LinkOpened, LinkState
from ringfence.api.routes.asking import Body, Operator, Who
from ringfence.errors import FactorError

__all__ = ["paged", "router"]


class LabelRequest(Body):
    """The body of POST /mfa/passkeys and /mfa/passkeys/remove."""

    label: str


def router(factors: FactorService, passkeys: PasskeyService | None) -> APIRouter:
    """Return the endpoints on `passkeys`, which is None where the gateway has no pages."""
    made = APIRouter(prefix="/mfa")

    @made.post("/passkeys", response_model=LinkOpened)
    def enrol(wanted: LabelRequest, operator: Operator, who: Who) -> object:
        return paged(passkeys).enrol(operator.name, wanted.label, who)

    @made.post("/passkeys/remove", response_model=FactorsOf)
    def remove(wanted: LabelRequest, operator: Operator, who: Who) -> object:
        return factors.remove_passkey(operator.name, wanted.label, who)

    @made.post("/passkeys/step-up", response_model=LinkOpened)
    def step_up(operator: Operator, who: Who) -> object:
        return paged(passkeys).step_up(operator.name, who)

    @made.post("/accounts/{name}/passkey", response_model=LinkOpened)
    def step_up_for(name: str, operator: Operator, who: Who) -> object:
        return paged(passkeys).step_up_for(name, operator.name, who)

    @made.get("/links/{link}", response_model=LinkState)
    def state(link: str, operator: Operator) -> object:
        return paged(passkeys).state(link, operator.name)

    return made


def paged(passkeys: PasskeyService | None) -> PasskeyService:
    """Return the pages' service.

    Raises:
        FactorError: `pages_off`.
    """
    if passkeys is None:
        hint = "name them in the configuration, admin.pages, and start the gateway again"
        raise FactorError("this gateway has no pages", code="pages_off", hint=hint)
    return passkeys
