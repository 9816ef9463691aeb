"""A withdrawal address and what becomes of it. Reads no clock.

Texts are those of the venue's own messages, byte for byte; times are microseconds since the Unix
epoch.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from ringfence.errors import AddressError

__all__ = ["AddressChange", "NewAddress", "WithdrawalAddress", "read_new"]

TEXT = re.compile(r"[\x21-\x7e]{1,256}")
AMOUNT = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,18})?")
"""As many digits as the engine's exact arithmetic reads."""
MAX_LABEL = 64


@dataclass(frozen=True, slots=True)
class NewAddress:
    """What a person asks for. What it leaves out, a withdrawal must leave out."""

    account: str
    asset: str
    address: str
    network: str | None = None
    tag: str | None = None
    max_amount: str | None = None
    """Most that one withdrawal may move."""
    label: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class WithdrawalAddress:
    """An address as it is kept."""

    id: str
    account: str
    asset: str
    network: str | None
    address: str
    tag: str | None
    max_amount: str | None
    label: str
    added_us: int
    usable_us: int
    removed_us: int | None = None

    def standing(self, now_us: int) -> str:
        """Return where it stands: locked, usable or removed."""
        if self.removed_us is not None:
            return "removed"
        return "locked" if now_us < self.usable_us else "usable"

    def place(self) -> tuple[str | None, ...]:
        """Return what no two addresses in use have alike."""
        return (self.account, self.asset, self.network, self.address, self.tag)

    def for_engine(self) -> dict[str, Any]:
        """Return the record that the engine takes."""
        names = ("asset", "network", "address", "tag", "max_amount", "usable_us")
        return {name: getattr(self, name) for name in names}

    def shown(self, now_us: int) -> dict[str, Any]:
        """Return it as people and programs see it."""
        return {**asdict(self), "standing": self.standing(now_us)}


@dataclass(frozen=True, slots=True)
class AddressChange:
    """One step: `added` or `removed`. The ledger has it, or `recorded` is 0 until it does."""

    serial: int
    address: str
    step: str
    who: str
    why: str
    time_us: int
    approvals: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        """Return it as people and programs see it."""
        told = asdict(self)
        return {name: told[name] for name in ("step", "who", "why", "time_us", "approvals")}


def read_new(wanted: NewAddress) -> None:
    """Check what was asked for.

    Raises:
        AddressError: `address_invalid`, naming what cannot be read.
    """
    said = {"asset": wanted.asset, "network": wanted.network}
    said |= {"address": wanted.address, "tag": wanted.tag}
    for name, text in said.items():
        if text is not None and not TEXT.fullmatch(text):
            hint = "write it as the venue does: 1 to 256 visible ASCII characters"
            raise AddressError(f"the {name} cannot be read", code="address_invalid", hint=hint)
    most = wanted.max_amount
    if most is not None and (not AMOUNT.fullmatch(most) or not Decimal(most)):
        hint = "write digits like 0.5: no sign, no exponent, more than 0"
        raise AddressError("the amount cannot be read", code="address_invalid", hint=hint)
    if len(wanted.label) > MAX_LABEL or not wanted.label.isprintable():
        hint = f"write at most {MAX_LABEL} printable characters"
        raise AddressError("the label cannot be kept", code="address_invalid", hint=hint)
