"""`/addresses`: where an account's withdrawals may go."""

from __future__ import annotations

from fastapi import APIRouter

from ringfence.api.addresses import AddressService
from ringfence.api.approvals import ApprovalService
from ringfence.api.routes.answers import Address, AddressStory
from ringfence.api.routes.asking import Body, Operator, Permitted, Who, WhyRequest
from ringfence.identity.address import NewAddress

__all__ = ["router"]


class AddressRequest(Body):
    """The body of POST /addresses."""

    account: str
    asset: str
    address: str
    network: str | None = None
    tag: str | None = None
    max_amount: str | None = None
    label: str = ""
    why: str = ""


def router(addresses: AddressService, approvals: ApprovalService) -> APIRouter:
    """Return the endpoints on `addresses`; adding one may need `approvals`."""
    made = APIRouter(prefix="/addresses")

    @made.get("", response_model=list[Address])
    def all_addresses(account: str | None = None) -> object:
        return addresses.all(account)

    @made.get("/{address_id}", response_model=AddressStory)
    def one_address(address_id: str) -> object:
        return addresses.one(address_id)

    @made.post("", response_model=Address)
    def add_address(
        wanted: AddressRequest, operator: Operator, who: Who, permits: Permitted
    ) -> object:
        about = wanted.model_dump()
        addresses.check(NewAddress(**about))
        names = ("account", "asset", "network", "address", "tag")
        funds = {name: about[name] for name in names}
        permits("address.add", funds | {"amount": wanted.max_amount})
        approvals.require("address.add", operator.name, about)
        return addresses.add(NewAddress(**about), who)

    @made.post("/{address_id}/remove", response_model=Address)
    def remove_address(address_id: str, wanted: WhyRequest, who: Who) -> object:
        return addresses.remove(address_id, wanted.why, who)

    return made
