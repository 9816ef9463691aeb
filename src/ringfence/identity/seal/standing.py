"""What the ledger says has been there: which version of the venue keys, and of the seal.

`seal.db` notices an older file that was put back. Who puts back `seal.db` with it is noticed here:
the ledger is told of each version once it is written (`vault.standing`), and a start compares.

So that a start need not read the ledger through, a file says up to which entry it was read and what
it said by then. The file is authenticated under what the folder derives from: another one is as
good as none, and an older one only makes the next start read more.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ringfence.config import Loaded
from ringfence.config.folder import Folder, replace_private
from ringfence.engine import Detail, LedgerReader
from ringfence.errors import EngineError, SealError, VaultError
from ringfence.identity.secret import RootKey
from ringfence.ledger import signed_size

__all__ = ["EVENT", "SEAL", "VENUES", "Standing", "said_between"]

EVENT = "vault.standing"
NEEDLE = b'"event":"vault.standing"'
"""How an entry of it cannot but look: within a text the quotes would be escaped."""
VENUES, SEAL = "venues", "seal"
FILES = {VENUES: "keys/venues.sealed", SEAL: "keys/seal.json"}
AT_ONCE = 10_000
MAC_BYTES = 32
MAX_BYTES = 4_096

Record = Callable[[str, Detail], None]
"""Puts an event into the ledger; durable on return."""


class Standing:
    """What was said of one state folder. Any thread may call."""

    def __init__(self, ledger: Path, file: Path, root: RootKey) -> None:
        """Keep what is needed; nothing is read yet."""
        self._ledger = ledger
        self._file = file
        self._key = root.derived(b"ringfence/standing/v1", MAC_BYTES)
        self._said: dict[str, int] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, loaded: Loaded, root: RootKey) -> Standing:
        """Return that of a configuration's state folder."""
        ledger = Path(loaded.path(loaded.config.ledger.directory))
        return cls(ledger, Folder(loaded.folder).standing, root)

    @property
    def versions(self) -> dict[str, int]:
        """The highest versions that were said."""
        return dict(self._said)

    def read(self) -> Standing:
        """Read what was said since the file was written. A ledger that is damaged says no more."""
        following, self._said = self._mark()
        if following > signed_size(self._ledger):
            # It was another ledger, or has lost its end.
            following = 0
        with suppress(EngineError):
            raised(self._said, said_between(self._ledger, following))
        return self

    def check(self, have: Mapping[str, int]) -> None:
        """Refuse what is older than what was said.

        Raises:
            VaultError: `vault_rolled_back`; the venue keys are.
            SealError: `seal_rolled_back`; the seal is.
        """
        for name, version in have.items():
            if version < (said := self._said.get(name, 0)):
                what = f"{FILES[name]} is version {version}, and the ledger has seen version {said}"
                what += ": an older state of the folder was put back"
                hint = "put the newest one back. If it is lost: `ringfence vault accept`"
                if name == VENUES:
                    raise VaultError(what, hint=hint, code="vault_rolled_back")
                raise SealError(what, hint=hint, code="seal_rolled_back")

    def tell(self, record: Record, have: Mapping[str, int]) -> None:
        """Have the ledger told what is there now, where it does not know it.

        Raises:
            EngineError: it does not take it; the next start tells it.
        """
        with self._lock:
            news = {name: now for name, now in have.items() if self._said.get(name, 0) < now}
            if news:
                record(EVENT, news)
                self._said |= news

    def keep(self) -> None:
        """Write down how far the ledger is read; the next start goes on there.

        Raises:
            FileError: it cannot be written; then the next start reads more.
        """
        with self._lock:
            # What was said before that entry is known here: both are read under the lock.
            kept = {"next": signed_size(self._ledger), "said": self._said}
            body = json.dumps(kept, sort_keys=True)
            line = {"kept": body, "mac": self._mac(body)}
            replace_private(self._file, json.dumps(line).encode() + b"\n")

    def _mark(self) -> tuple[int, dict[str, int]]:
        """Return the next entry to read, and what was said before it; 0 and nothing: unknown."""
        try:
            line = json.loads(self._file.read_bytes()[:MAX_BYTES])
            body = line["kept"]
            if not hmac.compare_digest(line["mac"], self._mac(body)):
                return 0, {}
            kept = json.loads(body)
            return kept["next"], kept["said"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return 0, {}

    def _mac(self, body: str) -> str:
        return hmac.digest(self._key, body.encode(), "sha256").hex()


def said_between(ledger: Path, start: int, end: int | None = None) -> dict[str, int]:
    """Return the highest versions that the entries from `start` on say, up to `end` or the last.

    Raises:
        EngineError: there is no ledger, or an entry is not as it was written.
    """
    found: dict[str, int] = {}
    reader = LedgerReader(ledger, start)
    while entries := reader.read(AT_ONCE):
        for index, entry in entries:
            if end is not None and index >= end:
                return found
            if NEEDLE in entry:
                raised(found, said_by(json.loads(entry)))
    return found


def said_by(entry: Mapping[str, Any]) -> dict[str, int]:
    """Return what one entry says."""
    if entry.get("kind") != "event" or entry.get("event") != EVENT:
        return {}
    return {name: entry["detail"][name] for name in FILES if name in entry.get("detail", {})}


def raised(found: dict[str, int], more: Mapping[str, int]) -> None:
    """Raise versions to those that are higher: what was accepted is newer than all before it."""
    for name, version in more.items():
        found[name] = max(version, found.get(name, 0))
