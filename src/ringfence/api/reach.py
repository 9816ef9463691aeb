"""A name for a Unix socket that fits where the kernel wants it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["SOCKET_PATH_BYTES", "reach"]

SOCKET_PATH_BYTES = 107
"""Linux, unix(7): sun_path has 108 bytes, the last of them zero."""


@contextmanager
def reach(path: Path) -> Iterator[str]:
    """Yield a name of at most SOCKET_PATH_BYTES for the socket at `path`, however deep it lies."""
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
