"""An HAProxy of the tests' own: on loopback, in the foreground, ended with the context."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

__all__ = ["balanced", "missing"]

CONFIG = """\
global
    stats socket {stats} mode 600
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend clients
    bind 127.0.0.1:{port}
    default_backend gateways
backend gateways
    server one {to} {how} inter 50ms fall 1 rise 1
"""
PATIENCE_S = 10


def missing() -> str | None:
    """Return why none can be started here, if so."""
    return None if shutil.which("haproxy") else "HAProxy is not installed: apt-get install haproxy"


class Balancer:
    """A running one, and what it makes of the server behind it."""

    def __init__(self, port: int, stats: Path) -> None:
        self.port = port
        self._stats = stats

    def state(self) -> str:
        """Return what its health check says: `UP`, `DOWN`, …"""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self._stats))
            asked.sendall(b"show stat\n")
            with asked.makefile() as answer:
                names, *rows = [line.split(",") for line in answer if line.strip()]
        [server] = [dict(zip(names, row, strict=False)) for row in rows if row[1] == "one"]
        return server["status"].partition(" ")[0]

    def until(self, wanted: str) -> None:
        """Wait until the server stands there."""
        end = time.monotonic() + PATIENCE_S
        while (state := self.state()) != wanted:
            assert time.monotonic() < end, state
            time.sleep(0.02)


@contextmanager
def balanced(folder: Path, to: str, how: str) -> Iterator[Balancer]:
    """Pass connections on to `to`, checked and sent as `how` says in a server's line."""
    port = free_port()
    config, stats = folder / "haproxy.cfg", folder / "s"
    config.write_text(CONFIG.format(stats=stats, port=port, to=to, how=how))
    with (folder / "haproxy.log").open("w") as log:
        running = subprocess.Popen(["haproxy", "-db", "-f", config], stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE_S
        while not stats.exists():
            assert running.poll() is None, (folder / "haproxy.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)
        yield Balancer(port, stats)
    finally:
        running.terminate()
        running.wait(PATIENCE_S)
