"""Challenges: random, for one operator and one purpose, good once and not for long.

Kept in memory only: what a restart forgets is refused, and asked for again.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ringfence.errors import FactorError

__all__ = ["CHALLENGE_BYTES", "MAX_LIFE_US", "Challenges"]

CHALLENGE_BYTES = 32
MAX_LIFE_US = 120_000_000
"""WebAuthn's own recommendation for a ceremony with user verification starts at five minutes; an
operator who is sitting there needs less."""
CAPACITY = 1_024
PER_OPERATOR = 8
"""Ceremonies that one operator may have open; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A challenge, and all that it is good for. `about` is what is signed with it, if anything."""

    operator: str
    purpose: str
    value: bytes
    expires_us: int
    about: bytes


class Challenges:
    """Challenges that are out. Any thread may call."""

    def __init__(self, now_us: Callable[[], int], life_us: int = MAX_LIFE_US) -> None:
        """Keep the clock: microseconds that never go back.

        Raises:
            ValueError: `life_us` is not in 1..=MAX_LIFE_US.
        """
        if not 0 < life_us <= MAX_LIFE_US:
            raise ValueError(f"a challenge lives 1 to {MAX_LIFE_US} µs, not {life_us}")
        self._now_us = now_us
        self._life_us = life_us
        # Under _lock; oldest first.
        self._out: list[Issued] = []
        self._lock = threading.Lock()

    def issue(
        self, operator: str, purpose: str, value: bytes | None = None, about: bytes = b""
    ) -> bytes:
        """Return a challenge for `operator` and `purpose`: random, or `value`, which is a digest.

        Raises:
            FactorError: `challenge_full` while too many are out.
        """
        made = secrets.token_bytes(CHALLENGE_BYTES) if value is None else value
        with self._lock:
            now_us = self._now_us()
            self._out = [one for one in self._out if one.expires_us > now_us]
            own = [one for one in self._out if one.operator == operator]
            if len(own) >= PER_OPERATOR:
                self._out.remove(own[0])
            if len(self._out) >= CAPACITY:
                hint = "try again in two minutes"
                raise FactorError("too many are signing in", code="challenge_full", hint=hint)
            expires_us = now_us + self._life_us
            self._out.append(Issued(operator, purpose, made, expires_us, about))
        return made

    def take(self, operator: str, purpose: str, value: bytes) -> bytes:
        """Spend a challenge and return what it is about.

        Raises:
            FactorError: `challenge_unknown`: it was never issued to this operator for this purpose,
                was spent, or has expired.
        """
        with self._lock:
            now_us = self._now_us()
            for one in self._out:
                if not hmac.compare_digest(one.value, value):
                    continue
                # Spent by whoever shows it, or another could try it on until it fits.
                self._out.remove(one)
                fits = one.operator == operator and one.purpose == purpose
                if fits and one.expires_us > now_us:
                    return one.about
                break
        said = "this challenge was not issued for this, was used already, or has expired"
        raise FactorError(said, code="challenge_unknown", hint="begin again, within two minutes")
