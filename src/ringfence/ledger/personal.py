"""What the commitments in a ledger's entries stand for, read from the files beside its volumes.

The format is described in docs/ledger.md; a line that is no longer there was erased.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ringfence import engine
from ringfence.engine import Volume
from ringfence.errors import FileError, LedgerError

__all__ = ["ERASED", "Personal", "disclosed", "places", "sizes"]

FILE = "personal"
COMMITTED = "sha256:"
ERASED = "erased"
"""What is shown where a value was erased."""


class Personal:
    """The values of one ledger's commitments; read again when a new one is met."""

    def __init__(self, ledger: Path) -> None:
        """Read them.

        Raises:
            EngineError: there is no ledger.
            FileError: a file cannot be read.
        """
        self._ledger = ledger
        self._sizes: dict[Path, int] = {}
        self.values: dict[str, str] = {}
        self._read()

    def resolved(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return `entry` with values in the place of commitments."""
        detail = entry.get("detail")
        if isinstance(detail, dict) and isinstance(detail.get("address"), str):
            return {**entry, "detail": {**detail, "address": self.shown(detail["address"])}}
        shown = self.shown(entry.get("address"))
        return {**entry, "address": shown} if shown is not None else entry

    def shown(self, text: str | None) -> str | None:
        """Return what a commitment stands for, `ERASED` where that is gone; other texts as is."""
        if text is None or not text.startswith(COMMITTED):
            return text
        if text not in self.values:
            self._read()
        return self.values.get(text, ERASED)

    def _read(self) -> None:
        """Read every file that is another size than it was."""
        for volume, (file, size) in sizes(self._ledger):
            if size != self._sizes.get(file, 0):
                rows = lines(volume)
                self.values.update({row["commitment"]: row["value"] for row in rows})
                self._sizes[file] = size


def sizes(ledger: Path) -> list[tuple[Volume, tuple[Path, int]]]:
    """Return each volume's file and its size: lines are added, or erased."""
    files = [(volume, volume.directory / FILE) for volume in engine.ledger_volumes(ledger)]
    return [(volume, (file, file.stat().st_size if file.exists() else 0)) for volume, file in files]


def lines(volume: Volume) -> Iterator[dict[str, str]]:
    """Yield the lines of a volume's file: commitment, field, salt and value.

    Raises:
        FileError: it cannot be read or understood.
    """
    file = volume.directory / FILE
    try:
        content = file.read_text("utf-8") if file.exists() else ""
        # What stands behind the last line feed is being written.
        for line in content.split("\n")[:-1]:
            yield json.loads(line)
    except (OSError, ValueError) as e:
        hint = "`ringfence ledger verify` tells what is wrong with it"
        raise FileError(f"{file} cannot be read: {e}", hint=hint) from e


def places(ledger: Path, address: str) -> list[tuple[Volume, list[str]]]:
    """Return the volumes that know `address`, oldest first, with its commitments in each.

    Raises:
        LedgerError: it is no address.
        EngineError: there is no ledger.
    """
    try:
        read = ipaddress.ip_address(address)
        wanted = {str(read)}
        if read.version == 6:
            # What is counted by network is called by its first address.
            wanted.add(str(ipaddress.ip_network((read, 64), strict=False).network_address))
    except ValueError as e:
        hint = "write it as 203.0.113.9 or 2001:db8::1"
        raise LedgerError(f"{address!r} is not an address", hint=hint, code=CODE) from e
    found = []
    for volume in engine.ledger_volumes(ledger):
        rows = [row["commitment"] for row in lines(volume) if row["value"] in wanted]
        if rows:
            found.append((volume, rows))
    return found


def disclosed(ledger: Path, commitment: str) -> dict[str, str]:
    """Return the line of a commitment: who is given it can check what it stands for.

    Raises:
        LedgerError: it was erased.
    """
    for volume in reversed(engine.ledger_volumes(ledger)):
        for row in lines(volume):
            if row["commitment"] == commitment:
                return row
    hint = "`ringfence ledger query` finds ledger.erased: who erased it, when and why"
    raise LedgerError("what this entry is committed to was erased", hint=hint, code=CODE)


CODE = "ledger_personal"
