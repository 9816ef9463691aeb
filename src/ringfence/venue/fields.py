"""Parameters of a request as what they stand for, and numbers as text."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from ringfence.venue.exchange import VenueRefusal
from ringfence.venue.shape import Params

__all__ = ["needed", "number", "plain", "whole"]

WHOLE_DIGITS = 18


def plain(value: Decimal) -> str:
    """Return a number in fixed point without needless zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def needed(params: Params, name: str) -> str:
    """Return a parameter as text.

    Raises:
        VenueRefusal: -1102 when it is missing.
    """
    try:
        return str(params[name])
    except KeyError:
        message = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        raise VenueRefusal(-1102, message) from None


def number(params: Params, name: str) -> Decimal:
    """Return a parameter as an exact number that is not negative, zero when it is missing.

    Raises:
        VenueRefusal: -1100 when it is no such number.
    """
    try:
        value = Decimal(str(params.get(name) or 0))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise VenueRefusal(-1100, f"Illegal characters found in parameter '{name}'.")
    return value


def whole(params: Params, name: str) -> int | None:
    """Return a parameter as a whole number, or none.

    Raises:
        VenueRefusal: -1100 when it is none.
    """
    if (value := params.get(name)) in (None, ""):
        return None
    text = str(value)
    if not text.isdecimal() or len(text) > WHOLE_DIGITS:
        raise VenueRefusal(-1100, f"Illegal characters found in parameter '{name}'.")
    return int(text)
