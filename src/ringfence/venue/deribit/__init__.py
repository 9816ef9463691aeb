"""Deribit's v2 API for its spot instruments, and its subscriptions."""

from __future__ import annotations

from ringfence.venue.deribit.rest import PRIVATE, PUBLIC, refuse, wrap
from ringfence.venue.deribit.stream import DeribitFeed
from ringfence.venue.shape import Shape

__all__ = ["SHAPE"]

SHAPE = Shape("deribit", PUBLIC, PRIVATE, wrap, refuse, DeribitFeed)
