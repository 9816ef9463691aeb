"""Reads the ledger as it grows, from a thread of its own, and records what detectors find."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ringfence.errors import GatewayError
from ringfence.ledger.bus import Consumer, Entries
from ringfence.ledger.personal import ERASED, Personal, sizes
from ringfence.watch.seen import Seen
from ringfence.watch.takeover import Finding, Takeover

__all__ = ["Watcher"]

BATCH = 10_000
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
        self._usual: set[bytes] = set()
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
        entries: Entries = []
        while not self._ended.is_set():
            try:
                # What failed is tried again: the consumer gives each entry once.
                entries = entries or self._consumer.take(BATCH)
                self._batch(entries)
                self._trouble = None
                # Each batch is a write that the ledger's own wait for.
                pause = 0.0 if len(entries) == BATCH else POLL_SECONDS
                entries = []
            except (GatewayError, sqlite3.Error) as e:
                self._seen.roll_back()
                self._usual.clear()
                pause = PAUSE_SECONDS
                if self._trouble != str(e):
                    self._trouble = str(e)
                    self._tell(f"nobody watches for stolen keys: {e}")
            self._ended.wait(pause)

    def _batch(self, entries: Entries) -> None:
        now = time.monotonic()
        erased = now < self._erasing_until and self._has_changed()
        if not entries and not erased:
            return
        if now >= self._usual_until or len(self._usual) > MOST_USUAL:
            self._usual.clear()
            self._usual_until = now + USUAL_SECONDS
        self._seen.begin()
        for index, content in entries:
            # Most of what is written is more of the same: it is told from its bytes.
            if (usage := usage_of(content)) in self._usual or is_nobodys(content):
                continue
            entry = json.loads(content)
            if entry["kind"] == "decision":
                self._decision(index, entry)
                if usage is not None:
                    self._usual.add(usage)
            elif entry.get("event") == "ledger.erased":
                self._erasing_until = now + ERASING_SECONDS
                erased = True
        if erased:
            self._forget()
        self._seen.commit()
        self._consumer.done(entries)

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


def is_nobodys(content: bytes) -> bool:
    """Tell whether it is a decision about a message in nobody's name, as most of a flood are."""
    return (
        b',"kind":"decision","' in content
        and b'"credential":"' not in content
        and b'"claimed":"' not in content
    )


def usage_of(content: bytes) -> bytes | None:
    """Return what a permitted decision shows of its key's use, None for any other entry.

    Keys of an entry are sorted, and no quote stands unescaped in a text: so these are the fields
    from the address to the dialect, the proof, and the transport.
    """
    start, end = content.find(b'"address":"'), content.find(b',"kind":"decision","')
    if start < 0 or end < 0 or b'"credential":"' not in content[start:end]:
        return None
    if (outcome := content.find(b',"outcome":"permitted",', end)) < 0:
        return None
    proof = content.find(b',"proof":"', outcome)
    shown = b"" if proof < 0 else content[proof : content.find(b",", proof + 1)]
    return content[start:end] + shown + content[content.rfind(b',"transport":"') :]


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
