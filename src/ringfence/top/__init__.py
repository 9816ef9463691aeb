"""Watching a gateway: what is measured between two looks, and how it is drawn."""

from __future__ import annotations

from ringfence.top.measure import Measured, measure
from ringfence.top.picture import picture

__all__ = ["Measured", "measure", "picture"]
