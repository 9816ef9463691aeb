"""`guard`, `egress` and `withdrawals`: what an order may be, and where funds may go."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ringfence.config.section import FileName, Name, Section, Text, wrong

__all__ = ["Egress", "Guard", "Instrument", "Withdrawals"]

DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?")
DECIMAL_DIGITS = 40
"""As many as the engine's exact arithmetic reads."""


def read_decimal(text: str) -> str:
    """Check a decimal text as the engine reads it."""
    if not DECIMAL.fullmatch(text) or len(text) > DECIMAL_DIGITS:
        raise wrong("is not a decimal number", "write digits like 0.01: no sign, no exponent")
    return text


def as_text(value: Any) -> Any:
    """Let a whole number stand for its digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


CodeText = Annotated[str, BeforeValidator(as_text), Field(pattern=r"^[0-9]{1,19}$")]
DecimalText = Annotated[str, BeforeValidator(as_text), AfterValidator(read_decimal)]


class Instrument(Section):
    """What an order in one symbol may be. Prices in quote units, quantities in base units."""

    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9_.-]{1,32}$")]
    code: CodeText | None = None
    """The venue's number of it, where messages may have that in place of its name."""
    tick: DecimalText
    lot: DecimalText
    min_quantity: DecimalText
    max_quantity: DecimalText
    min_notional: DecimalText | None = None
    max_notional: DecimalText
    price_min: DecimalText
    price_max: DecimalText
    whole_position: bool = False
    """Whether an order may close the position, however much that is (docs/adr/0041)."""

    @model_validator(mode="after")
    def is_ordered(self) -> Self:
        """Refuse steps of zero and ranges that hold nothing."""
        for name in ("tick", "lot", "max_quantity", "max_notional", "price_max"):
            if not Decimal(getattr(self, name)):
                raise wrong("must be more than 0", field=name)
        for low, high in (
            ("min_quantity", "max_quantity"),
            ("min_notional", "max_notional"),
            ("price_min", "price_max"),
        ):
            if Decimal(getattr(self, low) or 0) > Decimal(getattr(self, high)):
                raise wrong(f"is more than {high}", "nothing could pass", low)
        return self


class Guard(Section):
    """Orders in other symbols are refused."""

    instruments: Annotated[tuple[Instrument, ...], Field(strict=False)]


class Transfer(Section):
    """What one account may move between the venue's own wallets, as the dialect names them."""

    account: Text
    asset: Text
    direction: Annotated[tuple[Text, ...], Field(min_length=1, max_length=3, strict=False)]
    max_amount: DecimalText


class Egress(Section):
    """Whose venue keys sign. With this section the gateway stands before a firm's bots.

    No transfer passes without a rule; withdrawals go to the accounts' addresses.
    """

    vault: FileName = "keys/venues.sealed"
    accounts: dict[Text, Name] = Field(default={})
    default: Name | None = None
    """For accounts that are not named; without it they have no key."""
    transfers: Annotated[tuple[Transfer, ...], Field(strict=False)] = ()

    @model_validator(mode="before")
    @classmethod
    def refuse_withdrawals(cls, said: Any) -> Any:
        """Refuse what an earlier version took: an address waits, and others approve it."""
        if isinstance(said, dict) and "withdrawals" in said:
            what = "is not taken any more: addresses are added while the gateway runs"
            hint = "remove it, and `ringfence address add --account ACCOUNT …` each"
            raise wrong(what, hint, "withdrawals")
        return said

    @model_validator(mode="after")
    def signs_for_somebody(self) -> Self:
        """Refuse a section by which nobody could do anything."""
        if not self.accounts and self.default is None:
            raise wrong("is empty", "name the venue key of each account", "accounts")
        return self


class Withdrawals(Section):
    """What a withdrawal needs, and how long a new address waits until it takes one.

    `addresses: open`, before an exchange only: an account that never had one may send anywhere.
    """

    addresses: Literal["open", "required"] = "required"
    lock_s: Annotated[int, Field(ge=0, le=2_592_000)] = 86_400
    step_up_s: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """How old a step-up for the account may be at most; left out: it needs none."""
