"""`/keys`: credentials and their lives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from ringfence.api.approvals import ApprovalService
from ringfence.api.keys import KeyService, Successor
from ringfence.api.newkey import NewKey
from ringfence.api.operators import Operators
from ringfence.api.routes.answers import Key, KeyCreated, KeyRotated, KeyStep, KeyStory
from ringfence.api.routes.asking import Body, May, Operator, Who, WhyRequest
from ringfence.identity.slip10 import HARDENED
from ringfence.identity.stepup import May as Judge

__all__ = ["router"]

PEM = re.compile(r"(-----BEGIN [A-Z ]+-----) (.+) (-----END [A-Z ]+-----)\s*")


def lines_of(text: str) -> str:
    """Return a PEM text with line ends, where it came with spaces for them.

    The pipeline takes no text with control characters, which line ends are.
    """
    found = PEM.fullmatch(text)
    if found is None:
        return text
    return "\n".join([found[1], *found[2].split(" "), found[3], ""])


Pem = Annotated[str, AfterValidator(lines_of)]


class KeyRequest(Body):
    """The body of POST /keys."""

    account: str
    scopes: list[str]
    allow: list[str]
    key_id: str | None = None
    expires_us: int | None = None
    public_key: Pem | None = None
    pre_active: bool = False
    why: str = ""
    certificate: Pem | None = None
    requires: list[str] = Field(default_factory=list)
    require_certificates: list[Pem] = Field(default_factory=list)
    shard: Annotated[int, Field(ge=0, lt=HARDENED)] | None = None


class RevokeRequest(WhyRequest):
    """The body of POST /keys/{key_id}/revoke."""

    compromised: bool = False


class RotateRequest(WhyRequest):
    """The body of POST /keys/{key_id}/rotate."""

    overlap_us: int
    public_key: Pem | None = None
    certificate: Pem | None = None
    key_id: str | None = None


class ScopesRequest(WhyRequest):
    """The body of POST /keys/{key_id}/scopes."""

    scopes: list[str]


class ExpireRequest(WhyRequest):
    """The body of POST /keys/{key_id}/expire."""

    expires_us: int


def after(
    may: Judge, approvals: ApprovalService, operator: str, of: dict[str, Any], scopes: Sequence[str]
) -> Judge:
    """Return what judges the step-up that an act needs, and then whether others must approve it."""

    def judge(act: str, what: str) -> None:
        may(act, what)
        approvals.require(act, operator, of, scopes)

    return judge


def router(keys: KeyService, approvals: ApprovalService) -> APIRouter:
    """Return the endpoints on `keys`; some acts need `approvals`."""
    operators = Operators(keys.store.principals)
    made = APIRouter(prefix="/keys")

    @made.get("", response_model=list[Key])
    def all_keys() -> object:
        return keys.all()

    @made.get("/{key_id}", response_model=KeyStory)
    def one_key(key_id: str) -> object:
        return keys.one(key_id)

    @made.post("", response_model=KeyCreated)
    def create_key(wanted: KeyRequest, operator: Operator, who: Who) -> object:
        operators.guards(operator, wanted.account)
        about = wanted.model_dump()
        approvals.require("key.create", operator.name, about, wanted.scopes)
        return keys.create(NewKey(**about), who)

    @made.post("/{key_id}/suspend", response_model=KeyStep)
    def suspend_key(key_id: str, wanted: WhyRequest, who: Who) -> object:
        return keys.step(key_id, "suspend", wanted.why, who)

    @made.post("/{key_id}/resume", response_model=KeyStep)
    def resume_key(key_id: str, wanted: WhyRequest, who: Who) -> object:
        return keys.step(key_id, "resume", wanted.why, who)

    @made.post("/{key_id}/revoke", response_model=KeyStep)
    def revoke_key(key_id: str, wanted: RevokeRequest, who: Who) -> object:
        asked = "compromise" if wanted.compromised else "deactivate"
        return keys.step(key_id, asked, wanted.why, who)

    @made.post("/{key_id}/destroy", response_model=KeyStep)
    def destroy_key(key_id: str, wanted: WhyRequest, who: Who) -> object:
        return keys.step(key_id, "destroy", wanted.why, who)

    @made.post("/{key_id}/rotate", response_model=KeyRotated)
    def rotate_key(key_id: str, wanted: RotateRequest, operator: Operator, who: Who) -> object:
        old = keys.store.one(key_id)
        operators.guards(operator, old.account)
        scopes = list(old.scopes)
        about = {"of": key_id, "scopes": scopes, **wanted.model_dump()}
        approvals.require("key.rotate", operator.name, about, scopes)
        return keys.rotate(key_id, Successor(**wanted.model_dump()), who)

    @made.post("/{key_id}/scopes", response_model=KeyStep)
    def rescope_key(
        key_id: str, wanted: ScopesRequest, operator: Operator, who: Who, may: May
    ) -> object:
        about = {"of": key_id, **wanted.model_dump()}
        may = after(may, approvals, operator.name, about, wanted.scopes)
        return keys.rescope(key_id, wanted.scopes, wanted.why, who, may)

    @made.post("/{key_id}/expire", response_model=KeyStep)
    def expire_key(
        key_id: str, wanted: ExpireRequest, operator: Operator, who: Who, may: May
    ) -> object:
        about = {"of": key_id, **wanted.model_dump()}
        may = after(may, approvals, operator.name, about, keys.store.one(key_id).scopes)
        return keys.expire(key_id, wanted.expires_us, wanted.why, who, may)

    return made
