"""A wire to a server that can be cut: nothing passes then, and no connection breaks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Wire", "wire"]


class Wire:
    """Passes connections on to a port of this machine."""

    def __init__(self, to: int) -> None:
        self.port = 0
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Let nothing pass as long as the context lasts."""
        self._loop.call_soon_threadsafe(self._whole.clear)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._whole.set)

    def run(self, ready: threading.Event) -> None:
        """Pass on until the loop is stopped."""
        asyncio.set_event_loop(self._loop)
        self._whole.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._passed, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _passed(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        try:
            far, on = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            back.close()
            return
        for come, go in ((near, on), (far, back)):
            task = self._loop.create_task(self._pump(come, go))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, come: asyncio.StreamReader, go: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await come.read(65_536):
                await self._whole.wait()
                go.write(data)
                await go.drain()
        go.close()


@contextmanager
def wire(to: int) -> Iterator[Wire]:
    """Yield a wire to a port, as long as the context lasts."""
    made, ready = Wire(to), threading.Event()
    thread = threading.Thread(target=made.run, args=[ready], daemon=True)
    thread.start()
    ready.wait()
    try:
        yield made
    finally:
        made.stop()
        thread.join()
