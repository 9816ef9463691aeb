"""Autobahn's WebSocket cases end through the gateway at least as well as at the venue alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from demo.stage import ringfence, running
from tests.conformance.autobahn_cases import cases
from tests.conformance.autobahn_peer import EARLY, Verdict, play

ROOT = Path(__file__).parents[2]
SUITE = ROOT / ".autobahn" / "autobahntestsuite" / "case"
CATEGORIES = ("1", "2", "3", "4", "5", "6", "7", "10")
DIALECT = ROOT / "tests" / "vectors" / "echo.yaml"

BADNESS = {
    "OK": 0,
    EARLY: 0,
    "INFORMATIONAL": 0,
    "NON-STRICT": 1,
    "UNCLEAN": 2,
    "WRONG CODE": 3,
    "FAILED": 4,
}
"""Whether an answer was back before the next frame was found wrong is chance, alone too."""

pytestmark = pytest.mark.skipif(not SUITE.exists(), reason="the suite could not be downloaded")


@contextmanager
def venue() -> Iterator[str]:
    """Serve a library's WebSocket that says everything back; yield its address."""

    async def echo(opened: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in opened:
                await opened.send(message)

    started: list[int] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    ending = asyncio.Event()

    async def listen() -> None:
        async with serve(echo, "127.0.0.1", 0, ping_interval=None, compression=None) as server:
            started.append(next(iter(server.sockets)).getsockname()[1])
            ready.set()
            await ending.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[listen()])
    thread.start()
    try:
        assert ready.wait(10)
        yield f"127.0.0.1:{started[0]}"
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join()
        loop.close()


@contextmanager
def gateway(folder: Path, upstream: str) -> Iterator[str]:
    """Run a gateway that passes any message of a stream to `upstream`; yield its address."""
    state = folder / "state"
    ringfence(
        "init", "--plain", "--listen", "127.0.0.1:0", "--upstream", f"http://{upstream}", str(state)
    )  # fmt: skip
    config = state / "ringfence.yaml"
    text = config.read_text().replace("dialect: binance", f"dialect: {DIALECT}")
    # The suite's longest message; a case sends at most a few.
    text = text.replace("stream_message_bytes: 16384", "stream_message_bytes: 65536")
    config.write_text(text)
    with running(folder / "gateway.log", "serve", "-c", str(config)) as ready:
        yield str(ready["addresses"][0])


def is_worse(verdict: Verdict, alone: Verdict) -> bool:
    return any(BADNESS[one] > BADNESS[other] for one, other in zip(verdict, alone, strict=True))


def test_no_case_ends_worse_through_the_gateway(tmp_path: Path) -> None:
    found = cases(SUITE, CATEGORIES)
    assert len(found) == 247
    with venue() as upstream:
        alone = play(upstream, "/echo", found)
        with gateway(tmp_path, upstream) as address:
            through = play(address, "/echo", found)
    worse = {
        number: (alone[number], verdict)
        for number, verdict in through.items()
        if is_worse(verdict, alone[number])
    }
    assert not worse


def test_the_suite_finds_what_is_wrong_with_a_venue(tmp_path: Path) -> None:
    found = cases(SUITE, ("6", "7"))
    with venue() as upstream:
        alone = play(upstream, "/echo", found)
        with gateway(tmp_path, upstream) as address:
            through = play(address, "/echo", found)
    # It reads a text only once it is whole, and goes on after a close frame.
    wrong = {"6.4.1", "6.4.2", "6.4.3", "6.4.4", "7.1.5"}
    assert {number for number, (said, _) in alone.items() if BADNESS[said]} == wrong
    assert {number for number, (said, _) in through.items() if BADNESS[said]} == set()
