"""The paper venue's WebSocket side: whoever listens hears what a shape's feed has to tell."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ringfence.venue.book import Fill, Order
from ringfence.venue.exchange import VenueRefusal
from ringfence.venue.identity import Authenticator
from ringfence.venue.keys import VenueKey
from ringfence.venue.shape import Change, Feed, Listener

__all__ = ["Streams"]

MOMENT_SECONDS = 0.1


class Streams:
    """Everybody who listens to one feed."""

    def __init__(self, feed: Feed, caller: Authenticator, keys: Mapping[str, VenueKey]) -> None:
        self._feed = feed
        self._caller = caller
        self._keys = keys
        self._listeners: set[Listener] = set()

    def routes(self) -> list[WebSocketRoute]:
        """Return where clients connect."""
        return [WebSocketRoute(path, self._serve) for path in self._feed.paths]

    def on_trade(self, fill: Fill) -> None:
        """Tell a trade to whoever listens."""
        if self._listeners:
            for topic, event in self._feed.traded(fill):
                self._tell(topic, event)

    def on_change(self, account: str, order: Order | None, fill: Fill | None) -> None:
        """Tell what happened to an account to who listens for it, and to nobody else."""
        for listener in self._listeners:
            if account and listener.account == account:
                for event in self._feed.changed(listener, Change(account, order, fill)):
                    listener.say(event)

    async def run(self) -> None:
        """Tell how things stand ten times a second. Never ends."""
        while True:
            await asyncio.sleep(MOMENT_SECONDS)
            for listener in self._listeners:
                if listener.heart is not None and listener.heart.due <= time.monotonic():
                    listener.heart.beat(listener)
            for topic in {topic for one in self._listeners for topic in one.topics}:
                event = self._feed.moment(topic)
                if event is not None:
                    self._tell(topic, event)

    def _tell(self, topic: str, event: Any) -> None:
        for listener in self._listeners:
            if topic in listener.topics:
                listener.say(self._feed.dress(listener, topic, event))

    async def _serve(self, socket: WebSocket) -> None:
        try:
            account = self._caller.listener(socket)
        except VenueRefusal:
            await socket.close()
            return
        await socket.accept()
        listener = Listener(socket.url.path, dict(socket.query_params))
        listener.account, listener.keys = account, self._keys
        self._listeners.add(listener)
        try:
            self._feed.opened(listener)
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(socket, listener))
                while (event := await listener.queue.get()) is not None:
                    if isinstance(event, str):
                        await socket.send_text(event)
                    else:
                        await socket.send_json(event)
                reading.cancel()
        except* (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._listeners.discard(listener)

    async def _read(self, socket: WebSocket, listener: Listener) -> None:
        """Read what the client says until it goes."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, KeyError):
            while True:
                self._feed.heard(listener, await socket.receive_text())
        listener.say(None)
