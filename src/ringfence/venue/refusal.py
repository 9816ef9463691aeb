"""What the venue says no with."""

from __future__ import annotations

__all__ = ["VenueRefusal"]


class VenueRefusal(Exception):  # noqa: N818 - a refusal is an answer, as in the gateway
    """The venue's own refusal, by Binance's code and text; each shape has its own word for it."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
