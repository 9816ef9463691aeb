"""The venues whose APIs the paper venue speaks, by name."""

from __future__ import annotations

from ringfence.venue import binance, binance_usdm, bybit, coinbase, deribit, kraken, kucoin, okx
from ringfence.venue.shape import Shape

__all__ = ["SHAPES"]

ALL = (
    binance.SHAPE,
    binance_usdm.SHAPE,
    bybit.SHAPE,
    coinbase.SHAPE,
    deribit.SHAPE,
    kraken.SHAPE,
    kucoin.SHAPE,
    okx.SHAPE,
)
SHAPES: dict[str, Shape] = {shape.name: shape for shape in ALL}
