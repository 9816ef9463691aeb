"""OKX's v5 API for spot, and its public channel, as the paper venue speaks them."""

from __future__ import annotations

from ringfence.venue.okx.rest import PRIVATE, PUBLIC, refuse, wrap
from ringfence.venue.okx.stream import OkxFeed
from ringfence.venue.shape import Shape

__all__ = ["SHAPE"]

SHAPE = Shape("okx", PUBLIC, PRIVATE, wrap, refuse, OkxFeed)
