"""A Redis of the tests' own: on loopback, keeping nothing, ended with the context."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from tests.ports import free_port

__all__ = ["Server", "missing", "running"]

PATIENCE_S = 10


def missing() -> str | None:
    """Return why none can be started here, if so."""
    if shutil.which("redis-server"):
        return None
    return "Redis is not installed: apt-get install redis-server"


class Server:
    """A running one."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}"
        self.client = redis.Redis.from_url(self.url)
        self._process = process

    @contextmanager
    def lost(self) -> Iterator[None]:
        """Have it answer nobody as long as the context lasts, and break no connection."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def running(*more: str) -> Iterator[Server]:
    """Yield a server that is good as long as the context lasts; `more` goes on its command line."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    process = subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL)
    server = Server(port, process)
    try:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                server.client.ping()
                break
            except redis.ConnectionError:
                assert time.monotonic() < end
                time.sleep(0.02)
        yield server
    finally:
        server.client.close()
        process.kill()
        process.wait(PATIENCE_S)
