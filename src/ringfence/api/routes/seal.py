"""`/seal`: what is about to become of the state folder's seal, and passkeys that shall open it."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field
from webauthn.helpers import base64url_to_bytes

from ringfence.api.passkeys import PasskeyService
from ringfence.api.routes.answers import LinkOpened, Released
from ringfence.api.routes.asking import Body, Operator, Who
from ringfence.api.routes.passkeys import paged
from ringfence.api.seal import SealService
from ringfence.errors import PageError
from ringfence.identity.seal.passkey import MAX_WAYS

__all__ = ["router"]


class RewrapRequest(Body):
    """The body of POST /seal/rewrap."""

    before: str
    after: str
    version: int
    why: str = ""


class WayOffered(Body):
    """One passkey that may release a key: its id, its PRF's input and the salt, in base64url."""

    credential_id: str = Field(max_length=2048)
    input: str = Field(max_length=64)
    salt: str = Field(max_length=64)


class PasskeyRequest(Body):
    """The body of POST /seal/passkeys: whom a page seals to, and what it asks passkeys for."""

    recipient: str = Field(max_length=128)
    ways: list[WayOffered] = Field(min_length=1, max_length=MAX_WAYS)


def router(seal: SealService, passkeys: PasskeyService | None) -> APIRouter:
    """Return the endpoints on `seal`; `passkeys` is None where the gateway has no pages."""
    made = APIRouter(prefix="/seal")

    @made.post("/rewrap")
    def rewrap(wanted: RewrapRequest, who: Who) -> dict[str, int]:
        seal.rewrap(wanted.before, wanted.after, wanted.version, who, wanted.why)
        return {"version": wanted.version}

    @made.post("/passkeys", response_model=LinkOpened)
    def ask(wanted: PasskeyRequest, operator: Operator, who: Who) -> object:
        inputs = [
            (content(one.credential_id), content(one.input), content(one.salt))
            for one in wanted.ways
        ]
        return paged(passkeys).seal(operator.name, wanted.recipient, inputs, who)

    @made.get("/passkeys/{link}", response_model=Released)
    def released(link: str, operator: Operator) -> object:
        return paged(passkeys).released(link, operator.name)

    @made.post("/rewrapped")
    def rewrapped() -> dict[str, int]:
        return {"version": seal.rewrapped()}

    return made


def content(text: str) -> bytes:
    """Return what is written in base64url.

    Raises:
        PageError: `page_request`: it is not.
    """
    try:
        return base64url_to_bytes(text)
    except ValueError:
        raise PageError("this is not base64url", code="page_request") from None
