"""A key encryption key in a file: on a medium that is taken out, or a mount from elsewhere."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from ringfence.config.folder import write_private
from ringfence.errors import SealError
from ringfence.identity.seal.kek import KEY_BYTES, LocalKek
from ringfence.identity.seal.unlock import read_private, wiped

__all__ = ["make", "open_again"]


def make(path: Path) -> LocalKek:
    """Return the key in a file, which is written if there is none.

    Raises:
        SealError: no file is named, or what is there is no key.
        FileError: it cannot be written.
    """
    if not path.name:
        raise SealError("no file is named", hint="file:/media/key/ringfence.kek")
    path = path.absolute()
    if not path.exists():
        write_private(path, secrets.token_hex(KEY_BYTES).encode() + b"\n")
    return open_again(path, {"kind": "file", "path": str(path)})


def open_again(path: Path, described: dict[str, Any]) -> LocalKek:
    """Return the key in a file.

    Raises:
        SealError: it cannot be read, or is no line of 64 hexadecimal digits.
    """
    with wiped(read_private(path, "key encryption key")) as text:
        try:
            key = bytearray.fromhex(text.decode("ascii"))
        except ValueError:
            key = bytearray()
        if len(key) != KEY_BYTES:
            said = f"{path} is not a line of {2 * KEY_BYTES} hexadecimal digits"
            raise SealError(said, code="seal_wrong_key")
    return LocalKek(key, described)
