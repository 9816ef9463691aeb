"""Plays Autobahn's cases against a server: its own client, driven by its own case definitions.

Each case judges what came and how the connection ended; nothing is judged here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

__all__ = ["EARLY", "Verdict", "play"]

Verdict = tuple[str, str]
"""What a case says of the messages, and of how the connection was closed."""
EARLY = "EARLY"
"""Not strict only in that the answer to a message ahead of the wrong frame was not waited for."""

AT_ONCE = 24
PATIENCE = 8
"""So many times longer than the suite waits for an answer: a busy machine is no fault."""
NEVER_S = 90


class Peer(WebSocketClientProtocol):  # type: ignore[misc]  # it has no types
    """The suite's fuzzing client, as much of it as the cases use."""

    def __init__(self, case: type) -> None:
        super().__init__()
        self.connectionWasOpen = False
        self.txFrameStats: Counter[int] = Counter()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.case: Any = case(self)

    def onOpen(self) -> None:  # noqa: N802
        self.connectionWasOpen = True
        self.case.onOpen()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        self.case.onMessage(payload.decode("latin-1"), isBinary)

    def onPong(self, payload: bytes) -> None:  # noqa: N802
        self.case.onPong(payload.decode("latin-1"))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803
        self.case.onClose(wasClean, code, reason)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        try:
            self.case.onConnectionLost(self.failedByMe)
            self.ended.set_result(None)
        except Exception as error:
            self.ended.set_exception(error)

    def sendFrame(self, opcode: int, payload: str | bytes = b"", **how: Any) -> None:  # noqa: N802
        self.txFrameStats[opcode] += 1
        super().sendFrame(opcode, octets(payload), **how)

    def sendMessage(self, payload: str | bytes, isBinary: bool = False, **how: Any) -> None:  # noqa: N802, N803
        super().sendMessage(octets(payload), isBinary, **how)

    def sendMessageFrameData(self, payload: str | bytes, sync: bool = False) -> Any:  # noqa: N802
        return super().sendMessageFrameData(octets(payload), sync)

    def sendCloseFrame(  # noqa: N802
        self,
        code: int | None = None,
        reasonUtf8: str | bytes | None = None,  # noqa: N803
        isReply: bool = False,  # noqa: N803
    ) -> None:
        super().sendCloseFrame(code, None if reasonUtf8 is None else octets(reasonUtf8), isReply)

    def killAfter(self, delay: float) -> None:  # noqa: N802
        self.later(delay * PATIENCE, self._fail_connection)

    def closeAfter(self, delay: float) -> None:  # noqa: N802
        self.later(delay, self.sendClose)

    def continueLater(self, delay: float, what: Callable[[], None], _tag: str = "") -> None:  # noqa: N802
        self.later(delay, what)

    def later(self, delay: float, what: Callable[[], None]) -> None:
        """Do `what` after `delay` seconds, unless the connection has gone by then."""

        def unless_gone() -> None:
            if self.state != self.STATE_CLOSED:
                what()

        asyncio.get_running_loop().call_later(delay, unless_gone)


def octets(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def play(address: str, path: str, cases: dict[str, type]) -> dict[str, Verdict]:
    """Play all of `cases` against the server at `address`, some at once."""

    async def all_of_them() -> dict[str, Verdict]:
        places = asyncio.Semaphore(AT_ONCE)
        played = [one(address, path, case, places) for case in cases.values()]
        return dict(zip(cases, await asyncio.gather(*played), strict=True))

    return asyncio.run(all_of_them())


async def one(address: str, path: str, case: type, places: asyncio.Semaphore) -> Verdict:
    host, _, port = address.rpartition(":")
    async with places:
        factory = WebSocketClientFactory(f"ws://{address}{path}")
        factory.protocol = lambda: Peer(case)
        # As the suite's own client: a side that breaks the protocol is told so by a close frame.
        factory.setProtocolOptions(
            failByDrop=False,
            closeHandshakeTimeout=PATIENCE,
            serverConnectionDropTimeout=PATIENCE,
        )
        loop = asyncio.get_running_loop()
        _, peer = await loop.create_connection(factory, host, int(port))
        assert isinstance(peer, Peer)
        await asyncio.wait_for(peer.ended, NEVER_S)
    return behavior(peer.case), peer.case.behaviorClose


def behavior(case: Any) -> str:
    wanted = case.expected.get("OK", [])
    early = case.behavior == "NON-STRICT" and case.received == wanted[: len(case.received)]
    return EARLY if early else str(case.behavior)
