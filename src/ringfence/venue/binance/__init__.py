"""Binance's spot API and market streams, as the paper venue speaks them."""

from __future__ import annotations

from ringfence.venue.binance.rest import PRIVATE, PUBLIC, refuse
from ringfence.venue.binance.stream import BinanceFeed
from ringfence.venue.shape import Shape

__all__ = ["SHAPE"]

SHAPE = Shape("binance", PUBLIC, PRIVATE, lambda answer: answer, refuse, BinanceFeed)
