"""One line of the demonstration: what was tried, what came of it, and whether that is right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Line", "Outcome", "attempt"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt led to. `right` decides the demonstration's exit code."""

    said: str
    right: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A finished attempt, as it is shown."""

    title: str
    said: str
    right: bool
    elapsed_ms: float


def attempt(title: str, action: Callable[[], Outcome]) -> Line:
    """Run `action` and time it. An exception that it did not expect makes the line wrong."""
    start = time.perf_counter()
    try:
        outcome = action()
    except Exception as error:  # a demonstration reports every surprise as a wrong line
        outcome = Outcome(f"{type(error).__name__}: {error}", right=False)
    elapsed_ms = (time.perf_counter() - start) * 1000
    return Line(title, outcome.said, outcome.right, elapsed_ms)
