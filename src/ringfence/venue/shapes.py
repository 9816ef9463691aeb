"""The venues whose APIs the paper venue speaks, by name."""

from __future__ import annotations

from ringfence.venue import binance
from ringfence.venue.shape import Shape

__all__ = ["SHAPES"]

SHAPES: dict[str, Shape] = {shape.name: shape for shape in (binance.SHAPE,)}
