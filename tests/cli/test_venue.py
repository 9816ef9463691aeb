"""`ringfence venue serve` says what is wrong with its options, and ends on SIGTERM."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest

from ringfence.venue.shapes import SHAPES

SERVE = [sys.executable, "-m", "ringfence", "venue", "serve"]


def refused(*options: str) -> str:
    done = subprocess.run([*SERVE, *options], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_an_address_that_cannot_be_had_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        assert f"cannot listen on {where}" in refused("--listen", where)
    assert "HOST:PORT" in refused("--listen", "127.0.0.1:99999")
    assert "HOST:PORT" in refused("--listen", "8080")


def test_a_venue_that_it_does_not_speak_is_named_with_those_that_it_does() -> None:
    said = refused("--venue", "bitmex")
    assert all(name in said for name in SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_it_listens_on_loopback_and_ends_on_sigterm(name: str) -> None:
    options = ["--venue", name, "--listen", "127.0.0.1:0", "--json"]
    server = subprocess.Popen([*SERVE, *options], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    ready = json.loads(server.stdout.readline())
    assert ready["url"].startswith("http://127.0.0.1:")
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0
    server.stdout.close()
