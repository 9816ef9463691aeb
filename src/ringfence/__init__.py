"""Ringfence: a gateway that authenticates, limits, checks and records every trading message."""

from __future__ import annotations

from ringfence.errors import GatewayError

__all__ = ["GatewayError", "__version__"]

__version__ = "0.1.0"
