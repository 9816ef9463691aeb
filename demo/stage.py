"""Sets the stage: a paper venue, a gateway with TLS in front of it, and three credentials."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from demo.attack import Key

__all__ = ["LAUNCH", "Stage", "ringfence", "set_stage"]

READY_SECONDS = 20
DRAIN_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Stage:
    """What the client and the attacker need, and where the ledger lies."""

    gateway: str
    ca: Path
    state: Path
    trader: Key
    burst: Key
    elsewhere: Key
    streams: str = ""
    """The same address for WebSockets."""


def completed(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run `ringfence` to its end."""
    command = [sys.executable, "-m", "ringfence", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def started(arguments: Sequence[str], errors: IO[str]) -> subprocess.Popen[str]:
    """Start `ringfence`, whose stderr goes to `errors`."""
    return subprocess.Popen(
        [sys.executable, "-m", "ringfence", *arguments],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


@dataclass(slots=True)
class Launch:
    """How `ringfence` is run. Tests have a quicker way to processes that do the same."""

    completed: Callable[[Sequence[str]], subprocess.CompletedProcess[str]]
    started: Callable[[Sequence[str], IO[str]], Any]


LAUNCH = Launch(completed, started)


def ringfence(*arguments: str, check: bool = True) -> dict[str, Any]:
    """Run one `ringfence` command with `--json` and return its answer."""
    done = LAUNCH.completed([*arguments, "--json"])
    if check and done.returncode != 0:
        raise SystemExit(f"ringfence {arguments[0]} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@contextmanager
def running(log: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """Run a `ringfence` server, yield its ready line, and stop it with SIGTERM."""
    with log.open("w") as errors:
        server = LAUNCH.started([*arguments, "--json"], errors)
        try:
            yield ready_line(server.stdout, log)
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                code = server.wait(DRAIN_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                raise SystemExit(f"ringfence {arguments[0]} did not drain; see {log}") from None
            finally:
                if server.stdout:
                    server.stdout.close()
    if code != 0:
        raise SystemExit(f"ringfence {arguments[0]} ended with {code}; see {log}")


def ready_line(stdout: IO[str] | None, log: Path) -> dict[str, Any]:
    """Return the first line that the server prints, which says that it is ready."""
    line = stdout.readline() if stdout else ""
    if not line:
        raise SystemExit(f"a server did not start:\n{log.read_text()}")
    answer: dict[str, Any] = json.loads(line)
    return answer


def key(state: Path, account: str, scopes: list[str], allow: str) -> Key:
    """Create a credential and return it as its owner sees it, once."""
    wanted = [word for scope in scopes for word in ("--scope", scope)]
    created = ringfence(
        "key", "create", "--hmac", "-c", str(state / "ringfence.yaml"), "--account", account,
        "--allow", allow, *wanted,
    )  # fmt: skip
    return Key(created["key_id"], created["secret"])


@contextmanager
def set_stage(
    folder: Path,
    profile: str = "binance-spot",
    venue_name: str = "binance",
    settle: Callable[[str, Path], str] = lambda text, _: text,
) -> Iterator[Stage]:
    """Build everything under `folder` (emptied first), yield it running, and take it down again.

    `settle` has the last word on the configuration's text, given the state folder.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    state = folder / "state"
    config = state / "ringfence.yaml"
    ringfence(
        "init", "--profile", profile, "--listen", "127.0.0.1:0",
        "--upstream", "http://127.0.0.1:1", str(state),
    )  # fmt: skip
    attestation = str(state / "keys" / "attestation.key")
    venue_log, gateway_log = folder / "venue.log", folder / "gateway.log"
    with running(
        venue_log, "venue", "serve", "--venue", venue_name, "--listen", "127.0.0.1:0",
        "--attestation-key", attestation,
    ) as venue:  # fmt: skip
        # The venue chose its own port, so that nothing on this machine is in the way.
        written = config.read_text().replace("http://127.0.0.1:1", venue["url"])
        config.write_text(settle(written, state))
        stage_keys = {
            "trader": key(state, "alice", ["read", "trade"], "127.0.0.0/8"),
            "burst": key(state, "bob", ["read", "trade"], "127.0.0.0/8"),
            "elsewhere": key(state, "alice", ["read", "trade"], "203.0.113.0/24"),
        }
        with running(gateway_log, "serve", "-c", str(config)) as gateway:
            yield Stage(
                gateway=f"https://{gateway['addresses'][-1]}",
                streams=f"wss://{gateway['addresses'][0]}",
                ca=state / "tls" / "ca.pem",
                state=state,
                **stage_keys,
            )
