"""Which of the store's changes this gateway made itself, and its engine has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from ringfence.identity.feed import Mark

__all__ = ["Announce", "Own"]

Announce = Callable[[str, int, str, bool], None]
"""Takes a change's sort, its number, of whom it is, and whether it may take something away."""


class Own:
    """Keeps changes by sort and number, until whoever follows the store has come by. Any thread.

    The sorts are the fields of `Mark`.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._known: set[tuple[str, int]] = set()
        self.announce: Announce | None = None
        """Tells other gateways at once. Called under the order of changes: it waits for nobody."""

    def add(self, sort: str, changes: Mapping[int, str], *, takes_away: bool = True) -> None:
        """Keep that the engine has these: numbers, and of whom each is."""
        with self._lock:
            self._known.update((sort, serial) for serial in changes)
        if self.announce is not None:
            for serial, name in changes.items():
                self.announce(sort, serial, name, takes_away)

    def has(self, sort: str, serial: int) -> bool:
        """Tell whether the engine has this one."""
        with self._lock:
            return (sort, serial) in self._known

    def forget(self, mark: Mark) -> None:
        """Forget what nobody comes by again: up to a mark."""
        past = mark._asdict()
        with self._lock:
            self._known = {one for one in self._known if one[1] > past[one[0]]}
