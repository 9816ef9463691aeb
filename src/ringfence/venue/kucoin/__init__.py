"""KuCoin's spot API, and what it pushes, as the paper venue speaks them."""

from __future__ import annotations

from ringfence.venue.kucoin.rest import PRIVATE, PUBLIC, refuse, wrap
from ringfence.venue.kucoin.stream import KucoinFeed
from ringfence.venue.shape import Shape

__all__ = ["SHAPE"]

SHAPE = Shape("kucoin", PUBLIC, PRIVATE, wrap, refuse, KucoinFeed)
