"""Kraken's spot API, and its public streams (v2 and v1), as the paper venue speaks them."""

from __future__ import annotations

from ringfence.venue.kraken.rest import PRIVATE, PUBLIC, refuse, wrap
from ringfence.venue.kraken.stream import KrakenFeed
from ringfence.venue.shape import Shape

__all__ = ["SHAPE"]

SHAPE = Shape("kraken", PUBLIC, PRIVATE, wrap, refuse, KrakenFeed)
