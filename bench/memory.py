"""`python -m bench.memory CONFIG COUNT`: prints the bytes that a credential takes in the engine.

Run as a process of its own, because only a process that does nothing else can be weighed. Nothing
is listened for: the engine takes credentials in small batches, so that what Python needs to hand
them over is used again and again and does not weigh.
"""

from __future__ import annotations

import ctypes
import gc
import os
import secrets
import sys
from pathlib import Path

from bench.gateway import BATCH, credential
from ringfence import config
from ringfence.engine import Engine
from ringfence.identity import MasterKey

__all__ = ["main", "resident_bytes", "weigh"]


def resident_bytes() -> int:
    """Return this process's memory in core, without what was freed but kept at hand."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def weigh(path: Path, count: int) -> float:
    """Return how many bytes the process grows by for each of `count` credentials."""
    engine = Engine(config.load(path).snapshot())
    master = MasterKey(secrets.token_bytes(32))
    # One batch first: what the first one brings along is not the credentials' weight.
    engine.start([credential(n).for_engine(master) for n in range(BATCH)])
    try:
        before = resident_bytes()
        for start in range(0, count, BATCH):
            batch = [credential(n) for n in range(BATCH + start, BATCH + start + BATCH)]
            engine.put_credentials([one.for_engine(master) for one in batch])
        return (resident_bytes() - before) / count
    finally:
        engine.stop(0)


def main() -> None:
    """Weigh and print."""
    print(weigh(Path(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
