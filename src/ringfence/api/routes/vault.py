"""`/vault`: the keys that sign for a venue."""

from __future__ import annotations

from fastapi import APIRouter

from ringfence.api.routes.answers import VenueKey, VenueKeyPut, VenueKeyRemoved
from ringfence.api.routes.asking import Body, Who, WhyRequest
from ringfence.api.vault import NewVenueKey, VaultService

__all__ = ["router"]


class VenueKeyRequest(Body):
    """The body of POST /vault."""

    name: str
    dialect: str
    key_id: str
    secret: str
    passphrase: str | None = None
    why: str = ""


def router(vault: VaultService) -> APIRouter:
    """Return the endpoints on `vault`."""
    made = APIRouter(prefix="/vault")

    @made.get("", response_model=list[VenueKey])
    def venue_keys() -> object:
        return vault.venue_keys()

    @made.post("", response_model=VenueKeyPut)
    def put_venue_key(wanted: VenueKeyRequest, who: Who) -> object:
        return vault.put_venue_key(NewVenueKey(**wanted.model_dump()), who)

    @made.post("/{name}/remove", response_model=VenueKeyRemoved)
    def remove_venue_key(name: str, wanted: WhyRequest, who: Who) -> object:
        return vault.remove_venue_key(name, wanted.why, who)

    return made
