"""The issuers' keys of a running gateway: read again, whole, when their files have changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ringfence.api.repeating import repeating
from ringfence.engine import Detail, Engine
from ringfence.errors import ConfigError, EngineError

__all__ = ["KeySets"]

PERIOD_SECONDS = 0.25
NAMED = 8
"""Keys that an event calls by name, at most; behind them, how many more there are."""

Issuers = list[dict[str, Any]]
Stamp = tuple[tuple[int, int, int] | None, ...]
"""Of each file, by what one sees that it is another one: inode, size, time; None: not there."""


class KeySets:
    """Keeps an engine's issuers as their files are. A file that is none changes nothing."""

    def __init__(
        self,
        files: list[Path],
        read: Callable[[], Issuers],
        started: Issuers,
        engine: Engine,
        tell: Callable[[str], None],
    ) -> None:
        """Keep what is needed; `started`: what the engine was started with."""
        self._files = files
        self._read = read
        self._now = started
        self._engine = engine
        self._tell = tell
        # None: a file may have changed since the engine's start, too.
        self._stamp: Stamp | None = None
        self._problem = ""

    def once(self) -> None:
        """Look once, and have the engine take what has changed. Never raises for a file."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            found = self._read()
            if found == self._now:
                self._problem = ""
                return
            # Before anything is recorded: a key that was taken away waits for nobody.
            self._engine.put_issuers(found)
        except (ConfigError, EngineError) as e:
            field = e.field if isinstance(e, EngineError) else ""
            self._refused(f"{field}: {e}" if field else str(e))
            return
        self._problem = ""
        before, self._now = self._now, found
        for old, new in zip(before, found, strict=True):
            if old != new:
                self._record("issuer.keys", changed(old, new))

    def _refused(self, what: str) -> None:
        self._problem = what
        self._tell(f"the issuers' keys stay as they were: {what}")
        self._record("issuer.keys_refused", {"what": what[:500]})

    def _record(self, event: str, detail: Detail) -> None:
        # The ledger tells elsewhere that it takes nothing.
        with suppress(EngineError):
            self._engine.event(event, detail)

    def _look(self) -> Stamp:
        return tuple(stamp(file) for file in self._files)

    def status(self) -> dict[str, Any]:
        """Return how many keys each issuer has, and what is wrong with a file now."""
        about: dict[str, Any] = {one["name"]: len(one["keys"]) for one in self._now}
        return about | ({"problem": self._problem} if self._problem else {})

    @contextmanager
    def watching(self, period_s: float = PERIOD_SECONDS) -> Iterator[KeySets]:
        """Look on a thread of its own, once in each period."""
        with repeating(self.once, period_s, "keysets"):
            yield self


def stamp(file: Path) -> tuple[int, int, int] | None:
    """Return by what one sees that a file is another one."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def changed(old: dict[str, Any], new: dict[str, Any]) -> Detail:
    """Return which keys of an issuer came and went."""
    before, after = named(old["keys"]), named(new["keys"])
    return {
        "issuer": new["name"],
        "keys": len(after),
        "added": listed(after - before),
        "removed": listed(before - after),
    }


def named(keys: list[Any]) -> set[str]:
    """Return what each key is called: its `kid` and the start of its digest."""
    texts = {json.dumps(key, sort_keys=True): key for key in keys}
    digests = {text: hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts}
    return {f"{str(key.get('kid', '-'))[:64]} {digests[text]}" for text, key in texts.items()}


def listed(names: set[str]) -> str:
    """Return names as one text, the first ones only."""
    first = sorted(names)[:NAMED]
    more = len(names) - len(first)
    return ", ".join([*first, *([f"and {more} more"] if more else [])])
