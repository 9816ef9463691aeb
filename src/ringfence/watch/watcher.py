"""Reads the ledger as it grows, from a thread of its own, and records what detectors find."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ringfence.engine import Sifted, Usual
from ringfence.errors import GatewayError
from ringfence.ledger.bus import Consumer, Entries
from ringfence.ledger.personal import ERASED, Personal, sizes
from ringfence.watch.seen import Seen
from ringfence.watch.takeover import Finding, Takeover

__all__ = ["Watcher"]

BATCH = 10_000
"""Entries that are kept with one write at most."""
STEP = 250
BREATH_SECONDS = 0.002
"""So many entries in one go, and then what shares a core with this has it back."""
POLL_SECONDS = 0.2
PAUSE_SECONDS = 5.0
STOP_SECONDS = 5.0
NICE = 10
"""What is watched goes before who watches: under a flood this would take a quarter of a core."""

Record = Callable[[str, Mapping[str, str | int]], None]
Tell = Callable[[str], None]

USUAL_SECONDS = 60.0
"""How long a key that was seen is not looked at again, used in the same way from the same place."""
MOST_USUAL = 50_000
ERASING_SECONDS = 60.0
"""How long an erasure is waited for: the ledger tells of it before it is done."""


@dataclass(slots=True)
class Taken:
    """What was taken and not kept yet: so many entries, the last, and those that are not usual."""

    count: int = 0
    last: Entries = field(default_factory=list)
    entries: Entries = field(default_factory=list)

    def add(self, some: Sifted) -> None:
        """Put some more behind it."""
        self.count += some.count
        self.last = [some.last] if some.last else self.last
        self.entries += some.entries


class Watcher:
    """Watches one ledger while it is entered. It goes on where the file `cursor` says.

    What a batch teaches is kept after its findings are recorded and before the cursor moves: after
    a crash in between a finding is told again, never lost. Counts of wrong signatures begin anew.
    """

    def __init__(
        self,
        ledger: Path,
        cursor: Path,
        seen: Seen,
        takeover: Takeover,
        *,
        record: Record,
        tell: Tell,
    ) -> None:
        """Keep what is needed: `record` writes an event; `tell` hears each new trouble once.

        Raises:
            EngineError: there is no ledger.
            FileError, LedgerError: the cursor cannot be used.
        """
        self._ledger = ledger
        self._consumer = Consumer(ledger, cursor)
        self._personal = Personal(ledger)
        self._seen, self._takeover = seen, takeover
        self._record, self._tell = record, tell
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ringfence-watch", daemon=True)
        self._trouble: str | None = None
        self._signs: Counter[str] = Counter()
        self._last: dict[str, str | int] | None = None
        self._usual = Usual()
        self._usual_until = 0.0
        self._erasing_until = 0.0
        self._forgotten: object = None

    def __enter__(self) -> Watcher:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End after the batch at hand."""
        self._ended.set()
        self._thread.join(STOP_SECONDS)
        if not self._thread.is_alive():
            self._seen.close()

    def status(self) -> dict[str, Any]:
        """Return the next entry to read, what was found since the start, and the trouble if any."""
        return {
            "next": self._consumer.next,
            "findings": self._signs.total(),
            "signs": dict(self._signs),
            "last": self._last,
            "trouble": self._trouble,
        }

    def _run(self) -> None:
        # Of this thread alone, where threads have a priority of their own.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        taken = Taken()
        behind = False
        while not self._ended.is_set():
            try:
                # What failed is tried again: the consumer gives each entry once.
                self._batch(taken, 0.0 if behind else BREATH_SECONDS)
                self._trouble = None
                behind = taken.count >= BATCH
                # Each batch is a write that the ledger's own wait for.
                pause = 0.0 if behind else POLL_SECONDS
                taken = Taken()
            except (GatewayError, sqlite3.Error) as e:
                self._seen.roll_back()
                self._usual.clear()
                pause = PAUSE_SECONDS
                if self._trouble != str(e):
                    self._trouble = str(e)
                    self._tell(f"nobody watches for stolen keys: {e}")
            self._ended.wait(pause)

    def _steps(self, taken: Taken, breath: float) -> Iterator[Entries]:
        """Yield what was taken, and then what was written since, which is put there, too."""
        if taken.last:
            yield list(taken.entries)
        while taken.count < BATCH:
            some = self._consumer.sift(STEP, self._usual)
            taken.add(some)
            if some.count:
                yield some.entries
            if some.count < STEP:
                return
            self._ended.wait(breath)

    def _batch(self, taken: Taken, breath: float = 0.0) -> None:
        now = time.monotonic()
        erased = now < self._erasing_until and self._has_changed()
        if now >= self._usual_until or len(self._usual) > MOST_USUAL:
            self._usual.clear()
            self._usual_until = now + USUAL_SECONDS
        begun = False
        for entries in self._steps(taken, breath):
            if not begun:
                self._seen.begin()
                begun = True
            erased |= self._look(entries)
        if erased and not begun:
            self._seen.begin()
        if erased:
            self._forget()
        if erased or begun:
            self._seen.commit()
            self._consumer.done(taken.last)

    def _look(self, entries: Entries) -> bool:
        """Look at entries that are not usual, and tell whether they tell of an erasure."""
        erased = False
        for index, content in entries:
            entry = json.loads(content)
            if entry["kind"] == "decision":
                self._decision(index, entry)
                self._usual.add(content)
            elif entry.get("event") == "ledger.erased":
                self._erasing_until = time.monotonic() + ERASING_SECONDS
                erased = True
        return erased

    def _has_changed(self) -> bool:
        """Tell whether the values' files are not those by which it was last forgotten."""
        return [about for _, about in sizes(self._ledger)] != self._forgotten

    def _forget(self) -> None:
        """Forget what was erased: the files are read anew, and what is not in them is not known."""
        # Before they are read: what goes meanwhile is a change to come.
        self._forgotten = [about for _, about in sizes(self._ledger)]
        self._personal = Personal(self._ledger)
        self._usual.clear()
        self._takeover.forget(lambda source: self._personal.shown(source) != ERASED)

    def _decision(self, index: int, entry: dict[str, Any]) -> None:
        if not (entry.get("credential") or entry.get("claimed")):
            return
        address = self._personal.shown(entry["address"])
        for found in self._takeover.look(entry, None if address == ERASED else address):
            name, about = f"takeover.{found.sign}", told(found, index, entry)
            self._record(name, about)
            self._signs[found.sign] += 1
            self._last = {"sign": name, **about}


def told(found: Finding, index: int, entry: dict[str, Any]) -> dict[str, str | int]:
    """Return a finding as its event says it."""
    about = {
        "credential": entry.get("credential") or entry["claimed"],
        "account": entry.get("account") or "",
        "entry": index,
        "message": entry["message"],
        "what": found.what,
    }
    return {name: value for name, value in about.items() if value != ""} | found.detail
