"""A program that listens, pinned to cores: started, waited for, watched by process id, and ended."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BenchError", "Server", "free_address", "serving"]

PATIENCE_S = 30.0
LOG_LINES = 12


class BenchError(Exception):
    """Why there is no result; the text is for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running program."""

    name: str
    process: subprocess.Popen[bytes]

    def pids(self) -> list[int]:
        """Return its process id and those of all its descendants."""
        parents: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # proc_pid_stat(5): the command in parentheses may hold spaces; the parent is second after it.
                parent = int(stat.read_text().rpartition(") ")[2].split()[1])
                parents.setdefault(parent, []).append(int(stat.parent.name))
        found = [self.process.pid]
        for pid in found:
            found.extend(parents.get(pid, []))
        return found

    def resident_bytes(self) -> int:
        """Return the memory that it and its descendants have in core."""
        pages = 0
        for pid in self.pids():
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def free_address(taken: set[str]) -> str:
    """Return a loopback address that nobody listens on, and add it to `taken`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        if address not in taken:
            taken.add(address)
            return address


@contextmanager
def serving(
    name: str,
    cores: str,
    command: Sequence[str | Path],
    addresses: Sequence[str],
    log: Path,
    patience_s: float = PATIENCE_S,
) -> Iterator[Server]:
    """Run `command` on `cores` until the block ends; enter it once all `addresses` accept.

    Raises:
        BenchError: it ended, or did not listen in time; the message ends with its last words.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["taskset", "-c", cores, *command], stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
    try:
        until = time.monotonic() + patience_s
        for address in addresses:
            while not accepts(address):
                if process.poll() is not None:
                    raise BenchError(f"{name} ended with {process.returncode}: {tail(log)}")
                if time.monotonic() > until:
                    raise BenchError(f"{name} does not listen on {address}: {tail(log)}")
                time.sleep(0.02)
        yield Server(name, process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def accepts(address: str) -> bool:
    """Tell whether somebody listens on `address`."""
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def tail(log: Path) -> str:
    """Return the end of a program's output."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return "\n".join(lines[-LOG_LINES:]) or "it said nothing"
