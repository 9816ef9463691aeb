"""Reads what a process has in its memory, as a thief with root's rights would."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["found"]

PAGE = 4096
EMPTY = bytes(PAGE)


def writable(pid: int) -> Iterator[bytes]:
    """Yield what a process can write to and has touched, piece by piece."""
    with Path(f"/proc/{pid}/smaps").open() as lines:
        places, start, end, mode = [], 0, 0, ""
        for line in lines:
            head, *rest = line.split()
            if "-" in head and not head.endswith(":"):
                start, end = (int(text, 16) for text in head.split("-"))
                mode = rest[0]
            elif head == "Rss:" and rest[0] != "0" and mode.startswith("rw"):
                places.append((start, end))
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in places:
            memory.seek(start)
            piece = memory.read(end - start)
            pages = (piece[at : at + PAGE] for at in range(0, len(piece), PAGE))
            # Most of what is mapped was never touched.
            yield b"".join(page for page in pages if page != EMPTY)


def found(pid: int, known: Mapping[str, bytes]) -> dict[str, bool]:
    """Return which of the known secrets are in a process's memory, as they are or in base64."""
    told = dict.fromkeys(known, False)
    for piece in writable(pid):
        for name, secret in known.items():
            forms = (secret, base64.b64encode(secret)[:-4], secret.hex().encode())
            told[name] |= any(form in piece for form in forms)
    return told
