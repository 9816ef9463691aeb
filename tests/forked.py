"""Starts `ringfence` commands in processes that need not start Python and import everything first.

multiprocessing's fork server has imported what commands import, and forks for each of them. What
runs is `ringfence.cli.main`, in a process of its own with streams, environment and signals of its
own, as by `python -m ringfence`; tests/cli starts that, too.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import reduction
from pathlib import Path
from typing import IO, Any

__all__ = ["Forked", "run"]

WARM = [
    "alembic.command",
    "ringfence.api.server",
    "ringfence.cli",
    "ringfence.identity.bulk",
    "ringfence.identity.opened",
    "ringfence.venue.serve",
    "ringfence.watch",
    "uvicorn",
]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(WARM)


class Ends:
    """A child's ends of its three streams, on their way to it."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        """Name this process's descriptors."""
        self.descriptors = list(descriptors)

    def __getstate__(self) -> list[Any]:
        return [reduction.DupFd(one) for one in self.descriptors]

    def __setstate__(self, state: list[Any]) -> None:
        self.descriptors = [one.detach() for one in state]


def child(arguments: list[str], ends: Ends, env: dict[str, str], folder: str) -> None:
    """Become the command."""
    for number, descriptor in enumerate(ends.descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    # Whoever runs the tests in the background has it ignored, and so would we.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["ringfence", *arguments]
    from ringfence import cli

    sys.exit(cli.main())


class Forked:
    """One command's process, to be used as a `subprocess.Popen` with pipes of text."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stderr: IO[Any] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
    ) -> None:
        """Start `ringfence` with `arguments`. `stderr`: a file in place of its pipe."""
        self.args = [str(one) for one in arguments]
        pipes = [os.pipe() for _ in range(2 if stderr else 3)]
        ends = [pipes[0][0], *(writing for _, writing in pipes[1:])]
        if stderr:
            ends.append(stderr.fileno())
        about = (dict(os.environ if env is None else env), str(cwd or Path.cwd()))
        self._process = CONTEXT.Process(target=child, args=(self.args, Ends(ends), *about))
        self._process.start()
        for descriptor in ends[: len(pipes)]:
            os.close(descriptor)
        self.stdin: IO[str] = os.fdopen(pipes[0][1], "w")
        self.stdout: IO[str] = os.fdopen(pipes[1][0])
        self.stderr: IO[str] | None = None if stderr else os.fdopen(pipes[2][0])

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process.pid is not None
        return self._process.pid

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and return how.

        Raises:
            subprocess.TimeoutExpired: it has not in `timeout` seconds.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Close our ends of its streams."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def run(
    arguments: Sequence[str],
    *,
    typed: str = "",
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `ringfence` to its end, `typed` on its stdin, as `subprocess.run` does."""
    started = Forked(arguments, env=env, cwd=cwd)
    assert started.stderr is not None
    with ThreadPoolExecutor(2) as readers:
        said = [readers.submit(one.read) for one in (started.stdout, started.stderr)]
        with suppress(BrokenPipeError):
            started.stdin.write(typed)
            started.stdin.close()
        try:
            code = started.wait(timeout)
        finally:
            started.kill()
        stdout, stderr = (one.result() for one in said)
    started.close()
    return subprocess.CompletedProcess(started.args, code, stdout, stderr)
