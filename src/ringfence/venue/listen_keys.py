"""Keys that open an account's own stream for whoever has one. The time is passed in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from ringfence.venue.refusal import VenueRefusal

__all__ = ["LIFE_MS", "ListenKey", "ListenKeys"]

LIFE_MS = 3_600_000


@dataclass(slots=True)
class ListenKey:
    """One key: whose stream it opens, and until when."""

    account: str
    until_ms: int
    text: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)


class ListenKeys:
    """All keys that are good, one of an account."""

    def __init__(self) -> None:
        self._keys: dict[str, ListenKey] = {}

    def begin(self, account: str, now_ms: int) -> ListenKey:
        """Return the account's key, which is good for an hour from now."""
        key = self._of(account, now_ms)
        if key is None:
            key = self._keys[account] = ListenKey(account, 0)
        key.until_ms = now_ms + LIFE_MS
        return key

    def prolong(self, account: str, now_ms: int) -> ListenKey:
        """Make the account's key good for an hour from now.

        Raises:
            VenueRefusal: -1125 when it has none.
        """
        if self._of(account, now_ms) is None:
            raise VenueRefusal(-1125, "This listenKey does not exist.")
        return self.begin(account, now_ms)

    def end(self, account: str) -> None:
        """Let the account have no key."""
        key = self._keys.pop(account, None)
        if key is not None:
            key.until_ms = 0

    def find(self, text: str, now_ms: int) -> ListenKey | None:
        """Return the key that reads so."""
        known = (key for key in self._keys.values() if secrets.compare_digest(key.text, text))
        return next((key for key in known if now_ms < key.until_ms), None)

    def _of(self, account: str, now_ms: int) -> ListenKey | None:
        key = self._keys.get(account)
        return key if key is not None and now_ms < key.until_ms else None
