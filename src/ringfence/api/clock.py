"""The one time that the services tell: microseconds since the Unix epoch."""

from __future__ import annotations

import time

__all__ = ["now_us"]


def now_us() -> int:
    """Return the time in µs since the Unix epoch."""
    return time.time_ns() // 1_000
