"""Coinbase's Advanced Trade API for spot, as the paper venue speaks it."""

from __future__ import annotations

from ringfence.venue.coinbase.rest import PRIVATE, PUBLIC, refuse, wrap
from ringfence.venue.coinbase.stream import CoinbaseFeed
from ringfence.venue.shape import Shape

__all__ = ["SHAPE"]

SHAPE = Shape("coinbase", PUBLIC, PRIVATE, wrap, refuse, CoinbaseFeed)
