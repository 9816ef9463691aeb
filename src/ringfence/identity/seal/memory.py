"""Keeping secrets out of images of this process."""

from __future__ import annotations

import ctypes
import resource
import sys

from ringfence.errors import SealError

__all__ = ["forbid_dumps", "scrub", "wipe"]

PR_SET_DUMPABLE = 4
"""prctl(2)."""
CACHED_BYTES, CACHED_BLOCKS, STEP_BYTES = 1_032, 7, 16
"""Blocks that glibc keeps of each size for a thread (malloc/malloc.c, "tcache")."""


def forbid_dumps() -> None:
    """Let no core file of this process be written, and no other process of its user read it.

    Root still can.

    Raises:
        SealError: the system does not do it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not sys.platform.startswith("linux"):
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        said = f"this process cannot be kept from being dumped: errno {ctypes.get_errno()}"
        raise SealError(said)


def scrub() -> None:
    """Write over the blocks that this thread has freed last.

    OpenSSL frees the copies that it makes of parameters as they are, and glibc keeps small blocks
    for the thread: whoever asks for one of that size gets it back, and so do we.
    """
    system = ctypes.CDLL(None)
    system.malloc.restype, system.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    for size in range(STEP_BYTES + 8, CACHED_BYTES + 1, STEP_BYTES):
        blocks = [system.malloc(size) for _ in range(CACHED_BLOCKS)]
        for block in filter(None, blocks):
            ctypes.memset(block, 0, size)
            system.free(block)


def wipe(secret: bytes) -> None:
    """Write over bytes that a library has made for us and that nobody else has.

    Python takes bytes for unchangeable: whoever calls lets go of them at once.
    """
    # Python has one object for all bytes of length 0, and of 1 with the same content.
    if len(secret) > 1:
        ctypes.memset(id(secret) + bytes.__basicsize__ - 1, 0, len(secret))
