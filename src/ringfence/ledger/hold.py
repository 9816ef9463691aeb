"""Legal holds: volumes that must not be dropped, however old they are.

They are in one file of the state folder; that they were placed and lifted is in the ledger.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ringfence.errors import FileError, LedgerError

__all__ = ["Hold", "read_holds", "write_holds"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
CODE = "ledger_hold"


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. `since` and `until` are its first and last month; None leaves that side open."""

    name: str
    since: str | None
    until: str | None
    who: str
    why: str
    placed_us: int

    def __post_init__(self) -> None:
        """Refuse what nobody could find again, or what covers nothing.

        Raises:
            LedgerError: with what is wrong.
        """
        hint = "a hold has a name such as case-2026-17, and months such as 2026-01"
        if not NAME.fullmatch(self.name):
            raise LedgerError(f"{self.name!r} cannot be a hold's name", hint=hint, code=CODE)
        for month in (self.since, self.until):
            if month is not None and not MONTH.fullmatch(month):
                raise LedgerError(f"{month!r} is not a month", hint=hint, code=CODE)
        if self.since is not None and self.until is not None and self.since > self.until:
            said = f"hold {self.name} ends before it begins"
            raise LedgerError(said, hint="--from is the first month, --to the last", code=CODE)

    def covers(self, month: str) -> bool:
        """Tell whether the volume of `month` is held."""
        return (self.since or month) <= month <= (self.until or month)


def read_holds(file: Path) -> list[Hold]:
    """Return the holds in `file`, in the order in which they were placed; none without a file.

    Raises:
        FileError: it cannot be read, or not understood: then nothing may be dropped.
    """
    try:
        return [Hold(**one) for one in json.loads(file.read_text("utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, LedgerError) as e:
        hint = "put it back from a copy; the ledger tells what was placed: event ledger.hold_placed"
        raise FileError(f"the holds in {file} cannot be read: {e}", hint=hint) from e


def write_holds(file: Path, holds: Sequence[Hold]) -> None:
    """Replace `file` whole or not at all; durable on return.

    Raises:
        FileError: it cannot be written.
    """
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump([asdict(hold) for hold in holds], out, ensure_ascii=False, indent=1)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as e:
        raise FileError(f"cannot write {file}: {e.strerror}") from e
