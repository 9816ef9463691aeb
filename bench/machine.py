"""What the numbers were measured on: they mean little without it."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["facts", "fdatasync_us"]

PROBES = 300


def facts(folder: Path, versions: dict[str, str], load: float) -> dict[str, Any]:
    """Return the machine's facts; `folder` is on the disk that the ledgers are on.

    `load` is the load average before anything was started.
    """
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    disk_us = fdatasync_us(folder)
    return {
        "cores": os.cpu_count(),
        "cpu": cpu_model(),
        "kernel": platform.release(),
        "load_average": round(load, 2),
        "memory_mb": int(memory[1]) // 1024 if memory else None,
        "fdatasync_us": round(disk_us),
        "fdatasync_per_s": round(1e6 / disk_us),
        "python": platform.python_version(),
        "revision": revision(),
        "ringfence": version("ringfence"),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "peers": versions,
    }


def cpu_model() -> str:
    """Return the processor's own name."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def revision() -> str | None:
    """Return the commit that was measured, with a + when files differ from it; None outside git."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty=+"]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=Path(__file__).parent
    )
    return done.stdout.strip() or None


def fdatasync_us(folder: Path) -> float:
    """Return the median microseconds of a 4 KiB write and fdatasync on the disk under `folder`."""
    path = folder / "probe"
    times = []
    with path.open("wb", buffering=0) as probe:
        for _ in range(PROBES):
            start = time.perf_counter()
            probe.write(b"x" * 4096)
            os.fdatasync(probe.fileno())
            times.append((time.perf_counter() - start) * 1e6)
    path.unlink()
    return statistics.median(times)
