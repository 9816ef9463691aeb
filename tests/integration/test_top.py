"""`ringfence top` shows what a gateway does under a client's load, and survives its end."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from demo.attack import order_text, post, signed
from demo.stage import LAUNCH, Stage, ringfence, running, set_stage
from ringfence.api import Client
from ringfence.top.app import Help, Top, View

SOON_S = 20
EVERY_S = 0.2
PAUSE_S = 0.15


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_stage(tmp_path_factory.mktemp("top") / "demo") as built:
        yield built


def config(stage: Stage) -> str:
    return str(stage.state / "ringfence.yaml")


@contextmanager
def load(stage: Stage) -> Iterator[None]:
    """Send orders and reads, and what is refused, until the context ends.

    Slower than any limit allows: what goes over is refused, and at last banned, and then nothing is
    permitted.
    """
    begun, over = threading.Event(), threading.Event()

    def trade() -> None:
        tls = ssl.create_default_context(cafile=str(stage.ca))
        with httpx.Client(base_url=stage.gateway, verify=tls, trust_env=False) as http:
            while not over.wait(PAUSE_S):
                post(http, stage.burst, signed(order_text(), stage.burst.secret))
                http.get("/api/v3/time")
                http.get("/none")
                begun.set()

    thread = threading.Thread(target=trade)
    thread.start()
    assert begun.wait(SOON_S)
    try:
        yield
    finally:
        over.set()
        thread.join()


def shown(app: Top, of: str) -> str:
    """Return what a part of the screen shows."""
    return str(app.query_one(of, Static).render())


async def until(pilot: Pilot[None], what: Callable[[], bool]) -> None:
    """Wait until something holds."""
    since = time.monotonic()
    while not what():
        assert time.monotonic() < since + SOON_S, what
        await pilot.pause(0.02)


def watch(
    stage: Stage, act: Callable[[Top, Pilot[None]], Awaitable[None]], size: tuple[int, int]
) -> None:
    """Watch a stage on a terminal of a size, and act there."""

    async def run() -> None:
        app = Top(Client(stage.state / "admin.sock").top, "here", EVERY_S)
        async with app.run_test(size=size) as pilot:
            await act(app, pilot)

    asyncio.run(run())


def test_a_small_terminal_shows_pane_after_pane_of_what_goes_on(stage: Stage) -> None:
    ringfence("ban", "add", "192.0.2.7", "--for", "1h", "--why", "a scan", "-c", config(stage))

    async def act(app: Top, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "order.place" in shown(app, "#traffic-lines"))
        await until(pilot, lambda: bool(re.search(r"permitted +[1-9]", shown(app, "#overview"))))
        assert [view.id for view in app.query(View) if view.display] == ["traffic"]
        await pilot.press("tab")
        assert [view.id for view in app.query(View) if view.display] == ["limits"]
        # Of a known account, by name; the address, too.
        await until(pilot, lambda: "key-orders-1d" in shown(app, "#limits-lines"))
        await until(pilot, lambda: "127.0.0.1" in shown(app, "#limits-lines"))
        account = Client(stage.state / "admin.sock").one(stage.burst.key_id)["account"]
        assert re.search(rf"200,000 +orders-1d +{account} ", shown(app, "#limits-lines"))
        assert stage.burst.key_id[:20] in shown(app, "#limits-lines")
        await pilot.press("right")
        await until(pilot, lambda: "route_unknown" in shown(app, "#refusals-lines"))
        await pilot.press("4")
        assert re.search(
            r"192\.0\.2\.7 +ban +operator +59m \d+s +a scan", shown(app, "#bans-lines")
        )
        await pilot.press("left", "left", "left", "shift+tab")
        assert [view.id for view in app.query(View) if view.display] == ["health"]
        assert re.search(r"✔ +ledger +.*healthy yes", shown(app, "#health-lines"))
        assert "[5 health]" in shown(app, "#tabs")

    with load(stage):
        watch(stage, act, (80, 24))


def test_a_large_terminal_shows_all_of_it(stage: Stage) -> None:
    async def act(app: Top, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "ledger" in shown(app, "#health-lines"))
        assert all(view.display for view in app.query(View))
        assert not app.query_one("#tabs").display
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: sum(view.display for view in app.query(View)) == 1)

    watch(stage, act, (160, 48))


def test_keys_sort_pause_help_and_quit(stage: Stage) -> None:
    async def act(app: Top, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "order.place" in shown(app, "#traffic-lines"))
        order = [line.split()[0] for line in shown(app, "#traffic-lines").splitlines()[1:]]
        await pilot.press("s", "s")
        by_name = [line.split()[0] for line in shown(app, "#traffic-lines").splitlines()[1:]]
        assert by_name == sorted(order)
        await pilot.press("p")
        assert "PAUSED" in shown(app, "#head")
        drawn = shown(app, "#traffic-lines")
        await pilot.pause(EVERY_S * 4)
        assert shown(app, "#traffic-lines") == drawn
        await pilot.press("p")
        await until(pilot, lambda: shown(app, "#traffic-lines") != drawn)
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        await pilot.press("escape")
        assert not isinstance(app.screen, Help)
        await pilot.press("q")
        assert not app.is_running

    with load(stage):
        watch(stage, act, (80, 24))


def test_numbers_for_programs_say_what_clients_did(stage: Stage) -> None:
    with load(stage):
        seen = ringfence("top", "-c", config(stage))
    assert 0.9 < seen["seconds"] < 5
    assert seen["permitted_per_s"] > 0
    rows = {one["name"]: one for one in seen["operations"]}
    assert rows["market.read"]["permitted_per_s"] > 0
    assert rows["none"]["refused_per_s"] > 0
    assert {one["code"] for one in seen["refusals"]} >= {"route_unknown"}
    assert 0 < seen["decided"]["p50_us"] <= seen["decided"]["p99_us"]
    # Counted one after the other, while clients go on.
    assert abs(seen["permitted"] - seen["status"]["permitted"]) < 0.1 * seen["permitted"]
    whose = [one["whose"] for one in seen["limits"]["near"] if one["limit"] == "key-orders-1d"]
    assert {"credential": stage.burst.key_id} in whose


def test_a_picture_for_scripts_needs_no_terminal(stage: Stage) -> None:
    done = LAUNCH.completed(["top", "--once", "-c", config(stage)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"ringfence top · {stage.state}"[:56])
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "── traffic" in done.stdout and "── health" in done.stdout


def test_without_a_terminal_it_says_what_else_there_is(stage: Stage) -> None:
    done = LAUNCH.completed(["top", "-c", config(stage)])
    assert done.returncode == 1
    assert "[terminal_missing]" in done.stderr and "--once" in done.stderr


def test_a_gateway_that_goes_and_comes_back_is_told(tmp_path: Path) -> None:
    arguments = ["--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--plain"]
    state = tmp_path / "state"
    file = str(ringfence("init", *arguments, str(state))["config"])
    down = LAUNCH.completed(["top", "--json", "-c", file])
    assert (down.returncode, "[gateway_down]" in down.stderr) == (1, True)

    async def act(app: Top, pilot: Pilot[None]) -> None:
        with running(tmp_path / "log", "serve", "-c", file):
            await until(pilot, lambda: "ledger" in shown(app, "#health-lines"))
            assert not app.query_one("#gone").display
        await until(pilot, lambda: app.query_one("#gone").display)
        assert "gateway gone, trying again" in shown(app, "#gone")
        with running(tmp_path / "log", "serve", "-c", file):
            await until(pilot, lambda: not app.query_one("#gone").display)

    watch(Stage("", Path(), state, *[None] * 3), act, (80, 24))  # type: ignore[arg-type]


def test_it_takes_a_real_terminal_and_gives_it_back(stage: Stage) -> None:
    command = [sys.executable, "-m", "ringfence", "top", "-c", config(stage)]
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    drawn = b""

    def read(wanted: bytes) -> None:
        nonlocal drawn
        since = time.monotonic()
        while wanted not in drawn:
            assert time.monotonic() < since + SOON_S, drawn[-2000:]
            try:
                drawn += os.read(ours, 65_536)
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:
                break

    try:
        read(b"quit  tab pane")
        # The other screen, and back from it at the end.
        assert b"\x1b[?1049h" in drawn
        os.write(ours, b"q")
        read(b"\x1b[?1049l")
        assert process.wait(SOON_S) == 0
    finally:
        process.kill()
        os.close(ours)


def test_a_line_for_each_look_until_it_is_interrupted(stage: Stage, tmp_path: Path) -> None:
    words = ["top", "--json", "--every", "1s", "-c", config(stage)]
    with (tmp_path / "log").open("w") as errors:
        process = LAUNCH.started(words, errors)
        try:
            looks: list[dict[str, Any]] = [json.loads(process.stdout.readline()) for _ in range(2)]
            process.send_signal(signal.SIGINT)
            assert process.wait(SOON_S) == 130
        finally:
            process.kill()
            process.stdout.close()
    assert looks[1]["at_us"] - looks[0]["at_us"] > 900_000
    assert looks[1]["permitted_per_s"] is not None
