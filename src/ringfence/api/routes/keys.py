"""`/keys`: credentials."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from ringfence.api.keys import KeyService, NewKey
from ringfence.api.routes.asking import Body, Who, WhyRequest

__all__ = ["router"]


class KeyRequest(Body):
    """The body of POST /keys."""

    account: str
    scopes: list[str]
    allow: list[str]
    key_id: str | None = None
    expires_us: int | None = None
    public_key: str | None = None
    pre_active: bool = False
    why: str = ""
    certificate: str | None = None
    requires: list[str] = Field(default_factory=list)
    require_certificates: list[str] = Field(default_factory=list)


def router(keys: KeyService) -> APIRouter:
    """Return the endpoints on `keys`."""
    made = APIRouter(prefix="/keys")

    @made.get("")
    def all_keys() -> list[dict[str, Any]]:
        return keys.all()

    @made.get("/{key_id}")
    def one_key(key_id: str) -> dict[str, Any]:
        return keys.one(key_id)

    @made.post("")
    def create_key(wanted: KeyRequest, who: Who) -> dict[str, Any]:
        return keys.create(NewKey(**wanted.model_dump()), who)

    @made.post("/{key_id}/suspend")
    def suspend_key(key_id: str, wanted: WhyRequest, who: Who) -> dict[str, Any]:
        return keys.set_state(key_id, "suspended", wanted.why, who)

    @made.post("/{key_id}/resume")
    def resume_key(key_id: str, wanted: WhyRequest, who: Who) -> dict[str, Any]:
        return keys.set_state(key_id, "active", wanted.why, who)

    @made.post("/{key_id}/revoke")
    def revoke_key(key_id: str, wanted: WhyRequest, who: Who) -> dict[str, Any]:
        return keys.set_state(key_id, "revoked", wanted.why, who)

    return made
