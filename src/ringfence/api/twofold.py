"""What no operator may do alone: two different ones ask for the very same thing within a time.

Who asks is who the kernel says is at the socket. The first asks in vain, and is remembered; the
second gets it, once. What is remembered is gone when the gateway stops.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

__all__ = ["WINDOW_US", "DualControl", "Person"]

WINDOW_US = 15 * 60 * 1_000_000
MOST_WAITING = 64
"""Requests that wait; older ones are forgotten first."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. Two are different when their Unix users are; a name can change."""

    uid: int
    name: str


class DualControl:
    """Who has asked for what, and when; times are microseconds and never read here."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self._asked: dict[str, tuple[Person, int]] = {}
        self._lock = threading.Lock()

    def agreed(self, what: str, who: Person, now_us: int) -> Person | None:
        """Return who asked for `what` before, if it was another and not too long ago.

        None: `who` is the first, and is remembered until WINDOW_US from now. An agreement is spent
        by being returned.
        """
        with self._lock:
            earlier = self._asked.pop(what, None)
            if earlier is not None:
                first, time_us = earlier
                # A clock that went back makes a request of the future: that is none.
                if first.uid != who.uid and 0 <= now_us - time_us <= WINDOW_US:
                    return first
            while len(self._asked) >= MOST_WAITING:
                del self._asked[next(iter(self._asked))]
            self._asked[what] = (who, now_us)
            return None
