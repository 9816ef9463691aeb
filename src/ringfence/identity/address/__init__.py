"""Where an account's withdrawals may go: added with a time lock, removed at once."""

from __future__ import annotations

from ringfence.identity.address.record import AddressChange, NewAddress, WithdrawalAddress
from ringfence.identity.address.store import Addresses

__all__ = ["AddressChange", "Addresses", "NewAddress", "WithdrawalAddress"]
