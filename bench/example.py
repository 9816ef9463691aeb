"""Rust examples that measure a part by itself, pinned to one core: each prints lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from bench.drive import Answer
from bench.server import BenchError

__all__ = ["NOTHING", "lines"]

EXAMPLES = (
    Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parent.parent / "target"))
    / "release"
    / "examples"
)
CORE = "1"
NOTHING = Answer(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {})


def built(name: str) -> Path:
    """Return where an example is.

    Raises:
        BenchError: it is not built.
    """
    example = EXAMPLES / name
    if not example.is_file():
        raise BenchError(f"there is no {name}; start with `make bench`")
    return example


def lines(name: str, *args: str, given: str | None = None) -> list[dict[str, Any]]:
    """Run an example once, with `given` as its input, and return its lines.

    Raises:
        BenchError: it is not built, or failed.
    """
    command = ["taskset", "-c", CORE, str(built(name)), *args]
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"the example {name} failed: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]
