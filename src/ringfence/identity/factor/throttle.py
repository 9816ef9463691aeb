"""How long a person must wait who guesses. Pure: takes the past, returns the future."""

from __future__ import annotations

from ringfence.errors import FactorError

__all__ = ["LOCKS_S", "check_open", "locked_until_us"]

FREE = 4
"""Wrong codes in a row that cost nothing."""
LOCKS_S = (300, 900, 3_600, 86_400)
"""How long each further wrong code locks; the last holds for all after it.

Three codes of a million are good at a time: who guesses for a year has one chance in a thousand.
"""


def locked_until_us(failures: int, now_us: int) -> int:
    """Return until when codes are refused after `failures` wrong ones in a row."""
    if failures <= FREE:
        return 0
    return now_us + LOCKS_S[min(failures - FREE, len(LOCKS_S)) - 1] * 1_000_000


def check_open(until_us: int, now_us: int) -> None:
    """Refuse while locked.

    Raises:
        FactorError: `factor_locked`.
    """
    if now_us < until_us:
        wait_s = -(-(until_us - now_us) // 1_000_000)
        said = f"too many wrong codes: locked for {wait_s} s"
        hint = "wait, or use a passkey; if it was not you who tried, tell security"
        raise FactorError(said, code="factor_locked", hint=hint)
