"""The paper venue's market streams over WebSocket, in Binance's shapes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ringfence.venue import shapes
from ringfence.venue.book import Fill
from ringfence.venue.exchange import Exchange

__all__ = ["Streams"]

BOOK_PERIOD_SECONDS = 0.1
Queue = asyncio.Queue[tuple[str, Any] | None]
"""Events by stream, answers by no stream; None ends it."""

QUEUE_MAX = 1000
"""Messages that a slow reader may be behind; then it is disconnected."""


class Streams:
    """Everybody who listens, by stream name such as `btcusdt@trade`."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self._listeners: dict[str, set[asyncio.Queue[tuple[str, Any] | None]]] = {}
        self._updates = itertools.count(1)

    def routes(self) -> list[WebSocketRoute]:
        return [
            WebSocketRoute("/ws", self._combined),
            WebSocketRoute("/ws/{names:path}", self._raw),
            WebSocketRoute("/stream", self._combined),
        ]

    def on_trade(self, fill: Fill) -> None:
        """Tell a trade to whoever listens."""
        symbol = fill.taker.symbol
        event = {
            "e": "trade", "E": fill.time_ms, "s": symbol, "t": fill.trade_id,
            "p": shapes.text(fill.price), "q": shapes.text(fill.quantity), "T": fill.time_ms,
            "m": fill.maker.side == "BUY", "M": True,
        }  # fmt: skip
        self._tell(f"{symbol.lower()}@trade", event)

    async def run(self) -> None:
        """Tell book streams ten times a second. Never ends."""
        while True:
            await asyncio.sleep(BOOK_PERIOD_SECONDS)
            for name in list(self._listeners):
                event = self._book_event(name)
                if event is not None:
                    self._tell(name, event)

    def _book_event(self, name: str) -> dict[str, Any] | None:
        symbol, _, kind = name.partition("@")
        market = self.exchange.markets.get(symbol.upper()) if self.exchange else None
        if market is None:
            return None
        if kind == "bookTicker":
            full = shapes.ticker(market, 0)
            keys = {"b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}
            rows = {short: full[long] for short, long in keys.items()}
            return {"u": next(self._updates), "s": symbol.upper(), **rows}
        levels = kind.removesuffix("@100ms").removeprefix("depth")
        if not kind.startswith("depth"):
            return None
        book = shapes.depth(market, int(levels or 1000))
        if levels:
            return book
        update = next(self._updates)
        return {
            "e": "depthUpdate", "E": time.time_ns() // 1_000_000, "s": symbol.upper(),
            "U": update, "u": update, "b": book["bids"], "a": book["asks"],
        }  # fmt: skip

    def _tell(self, name: str, event: Any) -> None:
        for queue in self._listeners.get(name, set()).copy():
            try:
                queue.put_nowait((name, event))
            except asyncio.QueueFull:
                self._listeners[name].discard(queue)

    async def _raw(self, socket: WebSocket) -> None:
        await self._serve(socket, socket.path_params["names"].split("/"), wrapped=False)

    async def _combined(self, socket: WebSocket) -> None:
        await self._serve(socket, socket.query_params.get("streams", "").split("/"), wrapped=True)

    async def _serve(self, socket: WebSocket, names: list[str], *, wrapped: bool) -> None:
        await socket.accept()
        queue: Queue = asyncio.Queue(QUEUE_MAX)
        for name in names:
            self._listeners.setdefault(name, set()).add(queue)
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(socket, queue, names))
                while (told := await queue.get()) is not None:
                    name, event = told
                    # What is asked for is answered as it is.
                    wrap = wrapped and name
                    await socket.send_json({"stream": name, "data": event} if wrap else event)
                reading.cancel()
        except* (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            for name in names:
                self._leave(name, queue)

    def _leave(self, name: str, queue: Queue) -> None:
        listeners = self._listeners.get(name, set())
        listeners.discard(queue)
        if not listeners:
            self._listeners.pop(name, None)

    async def _read(self, socket: WebSocket, queue: Queue, names: list[str]) -> None:
        """Read subscriptions until the client goes."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                self._asked(await socket.receive_text(), queue, names)
        with contextlib.suppress(asyncio.QueueFull):
            queue.put_nowait(None)

    def _asked(self, text: str, queue: Queue, names: list[str]) -> None:
        """Do what a client's message asks for, and answer it; what is not known is an error."""
        try:
            wanted = json.loads(text)
            method, params = wanted["method"], list(map(str, wanted.get("params") or []))
        except (ValueError, KeyError, TypeError):
            queue.put_nowait(("", {"error": {"code": 2, "msg": "Invalid request"}}))
            return
        result: Any = None
        if method == "SUBSCRIBE":
            for name in params:
                self._listeners.setdefault(name, set()).add(queue)
            names += [name for name in params if name not in names]
        elif method == "UNSUBSCRIBE":
            for name in params:
                self._leave(name, queue)
                names[:] = [one for one in names if one != name]
        elif method == "LIST_SUBSCRIPTIONS":
            result = names
        queue.put_nowait(("", {"result": result, "id": wanted.get("id")}))
