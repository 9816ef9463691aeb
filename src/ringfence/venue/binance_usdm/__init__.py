"""Binance's USD-M futures API and market streams, as the paper venue speaks them."""

from __future__ import annotations

from ringfence.venue.binance_usdm.rest import PRIVATE, PUBLIC, refuse
from ringfence.venue.binance_usdm.stream import UsdmFeed
from ringfence.venue.shape import Shape

__all__ = ["SHAPE"]

SHAPE = Shape("binance-usdm", PUBLIC, PRIVATE, lambda answer: answer, refuse, UsdmFeed)
