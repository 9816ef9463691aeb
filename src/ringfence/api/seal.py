"""What the ledger is told of the state folder's seal, before it is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ringfence.api.telling import read_why
from ringfence.config.folder import Folder
from ringfence.engine import Detail
from ringfence.errors import SealError
from ringfence.identity.seal.book import Book
from ringfence.identity.seal.folder import seal_path
from ringfence.identity.seal.standing import SEAL, Standing

__all__ = ["SealService", "named"]

Record = Callable[[str, Detail], None]
"""Puts an event into the ledger; durable on return."""
MAX_WORD = 512


class SealService:
    """Tells the ledger who is about to rewrap the folder, and to what."""

    def __init__(
        self, record: Record, folder: Folder | None = None, standing: Standing | None = None
    ) -> None:
        """Keep where it is told, of which folder, and what it was told already."""
        self._record = record
        self._folder = folder
        self._standing = standing

    def rewrap(self, before: str, after: str, version: int, who: str, why: str) -> None:
        """Record that a seal is about to become `version`, under `after`.

        Raises:
            SealError: the words cannot be kept.
            EngineError: the ledger does not take it; then nothing must be changed.
        """
        for word in (before, after):
            if not 0 < len(word) <= MAX_WORD or not word.isprintable():
                raise SealError("what opens the seal cannot be told so")
        detail: dict[str, str | int] = {"before": before, "after": after, "version": version}
        detail["who"] = who
        why = read_why(why)
        self._record("seal.rewrap", detail | ({"why": why} if why else {}))

    def accept(self, found: int, said: int, who: str, why: str) -> None:
        """Record that a seal of version `found` is taken for the newest, where there was `said`.

        Raises:
            EngineError: the ledger does not take it; then nothing must be changed.
        """
        why = read_why(why)
        detail: dict[str, str | int] = {"found": found, "said": said, "who": who}
        self._record("seal.accepted", detail | ({"why": why} if why else {}))

    def rewrapped(self) -> int:
        """Have the ledger told which version the folder's seal has now, and return it.

        Raises:
            SealError: there is none, or it cannot be read.
            EngineError: the ledger does not take it; the next start tells it.
        """
        book = None if self._folder is None else Book.read(seal_path(self._folder))
        if book is None:
            raise SealError("the folder is not sealed")
        if self._standing is not None:
            self._standing.tell(self._record, {SEAL: book.version})
        return book.version


def named(kek: dict[str, Any]) -> str:
    """Return a key encryption key as the ledger and people name it: `file /media/key/kek`."""
    if kek["kind"] == "passkey":
        labels = [f"{one['operator']}: {one['label']}" for one in kek["passkeys"]]
        return f"passkey ({', '.join(labels)}) or recovery passphrase"
    place = kek.get("path") or kek.get("uri") or kek.get("url")
    return kek["kind"] if place is None else f"{kek['kind']} {place}"
