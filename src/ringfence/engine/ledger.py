"""A ledger read, verified and divided into volumes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringfence import _core
from ringfence._core import Usual
from ringfence.engine.call import named
from ringfence.errors import EngineError

__all__ = [
    "LedgerReader",
    "LedgerReport",
    "Sifted",
    "Usual",
    "Volume",
    "drop_volume",
    "erase_personal",
    "ledger_vkey",
    "ledger_volumes",
    "read_ledger",
    "verify_ledger",
    "volume_classes",
]

SEALED = b'{"format":"ringfence-sealed/'
"""How a sealed file begins; see `ringfence.identity.seal.item`."""
ED25519 = b"\x01"
PUBLIC_BYTES = 32


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What a verification found.

    `fault` is None, or {file, offset, entry, kind, sentence} of the first thing that is not as it
    was written. `unfinished` is what a crash left at the end: {file, offset, sentence} each.
    `published` is how many entries the published checkpoint covers, None where nothing is.
    `personal` counts the values that commitments stand for, `erased` those that were erased.
    `heartbeats` has their `count`, how many are `missing`, and `longest_us` between two of a run.
    `volumes` has {month, sequence, size, signed_size, root} of each, none for a ledger in one
    piece; the numbers above are of all of them together, and `root` is the newest one's.
    """

    origin: str
    size: int
    root: str
    checkpoints: int
    signed_size: int
    signatures_checked: bool
    open_intents: int
    personal: int
    erased: int
    heartbeats: dict[str, int]
    live: bool
    published: int | None
    unfinished: list[dict[str, Any]]
    fault: dict[str, Any] | None
    volumes: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Volume:
    """One log of a ledger, in the folder `directory`: that of `month`; None: the whole ledger.

    `sequence` counts the entries before it.
    """

    month: str | None
    directory: Path
    sequence: int


def ledger_vkey(key: Path, origin: str) -> str:
    """Return the verifier key text that belongs to a ledger's signing key file.

    A sealed file tells its public key in its head, so that verifying opens nothing.

    Raises:
        EngineError: the file is not an Ed25519 key in PKCS#8 PEM.
    """
    public = sealed_public(key)
    if public is not None:
        return vkey_text(public, origin)
    with named():
        return _core.ledger_vkey(str(key), origin)


def sealed_public(key: Path) -> bytes | None:
    """Return the public key that the head of a sealed key file tells; None: it is not sealed.

    Raises:
        EngineError: it is sealed and tells none.
    """
    try:
        head = key.read_bytes().partition(b"\n")[0]
    except OSError:
        return None
    if not head.startswith(SEALED):
        return None
    try:
        public = base64.b64decode(json.loads(head)["public"], validate=True)
    except (ValueError, KeyError, TypeError):
        public = b""
    if len(public) != PUBLIC_BYTES:
        raise EngineError(f"{key} is sealed, and does not tell its public key")
    return public


def vkey_text(public: bytes, origin: str) -> str:
    """Return the verifier key of an Ed25519 key under a name. Source: C2SP signed-note."""
    typed = ED25519 + public
    number = hashlib.sha256(origin.encode() + b"\n" + typed).digest()[:4]
    return f"{origin}+{number.hex()}+{base64.b64encode(typed).decode()}"


def read_ledger(directory: Path, start: int, limit: int) -> list[tuple[int, bytes]]:
    """Return up to `limit` committed entries from `start` on, as (index, canonical JSON).

    Raises:
        EngineError: there is no ledger, or it is damaged.
    """
    with named():
        return _core.read_ledger(str(directory), start, limit)


def ledger_volumes(directory: Path) -> list[Volume]:
    """Return the volumes of a ledger, oldest first.

    Raises:
        EngineError: there is no ledger, or a volume does not begin as one.
    """
    with named():
        found = _core.ledger_volumes(str(directory))
    return [Volume(month, Path(folder), sequence) for month, folder, sequence in found]


def volume_classes(directory: Path) -> tuple[int, int]:
    """Return how many entries of the volume in `directory` are of trade and of security.

    Raises:
        EngineError: it cannot be read, or an entry is not as it was written.
    """
    with named():
        return _core.volume_classes(str(directory))


def drop_volume(directory: Path, month: str | None) -> None:
    """Remove the volume `month` of the ledger in `directory`, and what an earlier call left.

    Raises:
        EngineError: it could not be removed whole; calling again goes on.
    """
    with named():
        _core.drop_volume(str(directory), month)


def erase_personal(directory: Path, commitments: list[str]) -> int:
    """Remove for good what commitments stand for in the volume in `directory`; return how many.

    Raises:
        EngineError: somebody writes the volume, or its file is not as it was written.
    """
    with named():
        return _core.erase_personal(str(directory), commitments)


@dataclass(frozen=True, slots=True)
class Sifted:
    """So many entries, the last of them, and those that show something new."""

    count: int
    last: tuple[int, bytes] | None
    entries: list[tuple[int, bytes]]


class LedgerReader:
    """Reads a ledger's entries in order, also while it grows."""

    def __init__(self, directory: Path, start: int) -> None:
        """Open the ledger in `directory`, to read from entry `start` on.

        Raises:
            EngineError: there is no ledger.
        """
        with named():
            self._reader = _core.LedgerReader(str(directory), start)

    def read(self, limit: int) -> list[tuple[int, bytes]]:
        """Return up to `limit` more entries; none when there are none yet.

        Raises:
            EngineError: an entry is not as it was written.
        """
        with named():
            return self._reader.read(limit)

    def sift(self, limit: int, usual: Usual) -> Sifted:
        """Go on by up to `limit` entries, and return what is not usual of them.

        Raises:
            EngineError: an entry is not as it was written.
        """
        with named():
            return Sifted(*self._reader.sift(limit, usual))


def verify_ledger(
    directory: Path, vkey: str | None, progress: Callable[[int], None] | None = None
) -> LedgerReport:
    """Recompute a whole ledger. `progress` is told the entries done so far.

    Raises:
        EngineError: there is no ledger, or `vkey` is malformed.
    """
    with named():
        found = json.loads(_core.verify_ledger(str(directory), vkey, progress))
    return LedgerReport(**found)
