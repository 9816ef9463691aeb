"""Links to the gateway's pages: each a capability for one operator and one purpose.

A link is good once and for minutes, and only in the browser that opened it first. Kept in memory,
and of what it holds only a digest: what a restart forgets is asked for again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ringfence.errors import FactorError

__all__ = ["LIFE_US", "Link", "Links"]

LIFE_US = 300_000_000
TOKEN_BYTES = 32
WORD = re.compile(r"[A-Za-z0-9_-]{43}")
"""What a browser is known by."""
CAPACITY = 256
PER_OPERATOR = 8
"""Links that one operator may have open; the oldest gives way."""
TRIES = 5
"""Failed tries, after which a link is good no more."""


@dataclass(slots=True)
class Link:
    """A link that is out. `state` is waiting, done or failed; `said` tells people what became."""

    id: str
    operator: str
    kind: str
    about: dict[str, Any]
    who: str
    expires_us: int
    token: bytes = field(repr=False)
    browser: bytes | None = field(default=None, repr=False)
    state: str = "waiting"
    said: str = ""
    busy: bool = False
    tries: int = 0


class Links:
    """Links that are out. Any thread may call."""

    def __init__(self, origin: str, now_us: Callable[[], int]) -> None:
        """Keep where the pages are, and the clock: microseconds."""
        self._origin = origin
        self._now_us = now_us
        # Under _lock; oldest first.
        self._out: list[Link] = []
        self._lock = threading.Lock()

    def open(self, operator: str, kind: str, about: dict[str, Any], who: str) -> dict[str, Any]:
        """Return a new link, shown this once: behind the `#`, so that no server is sent it."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with self._lock:
            self._forget()
            own = [one for one in self._out if one.operator == operator]
            if len(own) >= PER_OPERATOR:
                self._out.remove(own[0])
            if len(self._out) >= CAPACITY:
                hint = "try again in five minutes"
                raise FactorError("too many links are out", code="link_full", hint=hint)
            made = Link(
                secrets.token_hex(8),
                operator,
                kind,
                about,
                who,
                self._now_us() + LIFE_US,
                digest(token),
            )
            self._out.append(made)
        return {"id": made.id, "link": f"{self._origin}/#{token}", "expires_us": made.expires_us}

    def claim(self, token: str, browser: str | None) -> tuple[Link, str | None]:
        """Return the link of a token, and what its browser is known by from now on, if that is new.

        A browser with several links is known by one word.

        Raises:
            FactorError: `link_unknown`.
        """
        with self._lock:
            found = self._find(token, browser)
            if found.browser is not None:
                return found, None
            known = browser is not None and WORD.fullmatch(browser) is not None
            fresh = browser if browser and known else secrets.token_urlsafe(TOKEN_BYTES)
            found.browser = digest(fresh)
            return found, fresh

    @contextmanager
    def using(self, token: str, browser: str | None) -> Iterator[Link]:
        """Yield a link that is spent when what is done within succeeds; nobody else has it then.

        Raises:
            FactorError: `link_unknown`.
        """
        with self._lock:
            found = self._find(token, browser)
            if found.browser is None or found.busy:
                raise unknown()
            found.busy = True
        try:
            yield found
        except Exception as e:
            with self._lock:
                found.busy = False
                found.tries += 1
                found.said = str(e)
                if found.tries >= TRIES:
                    found.state = "failed"
            raise
        with self._lock:
            found.state, found.busy = "done", False

    def state(self, name: str, operator: str) -> dict[str, Any]:
        """Return what became of an operator's link.

        Raises:
            FactorError: `link_unknown`.
        """
        one = self.one(name, operator)
        return {
            "id": one.id,
            "kind": one.kind,
            "state": one.state,
            "said": one.said,
            "expires_us": one.expires_us,
        }

    def one(self, name: str, operator: str) -> Link:
        """Return an operator's link.

        Raises:
            FactorError: `link_unknown`.
        """
        with self._lock:
            self._forget()
            for one in self._out:
                if one.id == name and one.operator == operator:
                    return one
        raise unknown()

    def _find(self, token: str, browser: str | None) -> Link:
        """Return the link of a token that its own browser shows, or a first one. Under _lock."""
        self._forget()
        shown, mine = digest(token), None if browser is None else digest(browser)
        for one in self._out:
            if not hmac.compare_digest(one.token, shown) or one.state != "waiting":
                continue
            if one.browser is None or (mine is not None and hmac.compare_digest(one.browser, mine)):
                return one
        raise unknown()

    def _forget(self) -> None:
        now_us = self._now_us()
        self._out = [one for one in self._out if one.expires_us > now_us or one.busy]


def digest(text: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(text.encode()).digest()


def unknown() -> FactorError:
    """Return what is said of a link that is not good, for whatever reason."""
    said = "this link was used, was opened in another browser, or is older than five minutes"
    hint = "run the command again; it prints another"
    return FactorError(said, code="link_unknown", hint=hint)
