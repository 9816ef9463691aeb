"""For all tests: commands run in processes that need not start Python first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from demo.stage import LAUNCH
from tests.forked import Forked, run


def started(arguments: Sequence[str], errors: IO[str]) -> Forked:
    """Start a server, which reads nothing."""
    server = Forked(arguments, stderr=errors)
    server.stdin.close()
    return server


LAUNCH.completed, LAUNCH.started = run, started
