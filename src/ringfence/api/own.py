"""Which of the store's changes this gateway made itself, and its engine has."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ringfence.identity.feed import Mark

__all__ = ["Own"]


class Own:
    """Keeps changes by sort and number, until whoever follows the store has come by. Any thread.

    The sorts are the fields of `Mark`.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._known: set[tuple[str, int]] = set()

    def add(self, sort: str, serials: Iterable[int]) -> None:
        """Keep that the engine has these."""
        with self._lock:
            self._known.update((sort, serial) for serial in serials)

    def has(self, sort: str, serial: int) -> bool:
        """Tell whether the engine has this one."""
        with self._lock:
            return (sort, serial) in self._known

    def forget(self, mark: Mark) -> None:
        """Forget what nobody comes by again: up to a mark."""
        past = mark._asdict()
        with self._lock:
            self._known = {one for one in self._known if one[1] > past[one[0]]}
