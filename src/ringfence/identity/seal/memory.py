"""Keeping secrets out of images of this process."""

from __future__ import annotations

import ctypes
import resource
import sys

from ringfence.errors import SealError

__all__ = ["forbid_dumps"]

PR_SET_DUMPABLE = 4
"""prctl(2)."""


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
