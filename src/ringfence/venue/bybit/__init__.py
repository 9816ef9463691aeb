"""Bybit's v5 API for spot, and its public stream, as the paper venue speaks them."""

from __future__ import annotations

from ringfence.venue.bybit.rest import PRIVATE, PUBLIC, refuse, wrap
from ringfence.venue.bybit.stream import BybitFeed
from ringfence.venue.shape import Shape

__all__ = ["SHAPE"]

SHAPE = Shape("bybit", PUBLIC, PRIVATE, wrap, refuse, BybitFeed)
