"""`serve` as operators meet it: one gateway per folder, keys changed while it runs, a clean end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.stage import ringfence, running
from ringfence.cli import attach
from ringfence.cli.key import keys
from ringfence.config.folder import Folder
from ringfence.errors import RunningError


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Lay a state folder and return its configuration."""
    arguments = ["--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--plain"]
    return str(ringfence("init", *arguments, str(tmp_path / "state"))["config"])


def refused(*arguments: str) -> str:
    """Run a command that must fail with 1 and return what it says."""
    command = [sys.executable, "-m", "ringfence", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def create(config: str) -> str:
    """Create a credential and return its id."""
    wanted = ["--account", "alice", "--scope", "read", "--allow", "127.0.0.0/8"]
    return str(ringfence("key", "create", "--hmac", "-c", config, *wanted)["key_id"])


def test_keys_change_in_the_running_gateway_and_stay_changed(config: str, tmp_path: Path) -> None:
    before = create(config)
    with running(tmp_path / "log", "serve", "-c", config):
        assert ringfence("status", "-c", config)["credentials"] == 1
        made = create(config)
        assert ringfence("status", "-c", config)["credentials"] == 2
        for command in ("suspend", "resume", "revoke"):
            changed = ringfence("key", command, "-c", config, made, "--why", "test")
            assert changed["effective_us"] < 1_000
        assert "key_state" in refused("key", "resume", "-c", config, made)
    states = {one["key_id"]: one["state"] for one in ringfence_list(config)}
    assert states == {before: "active", made: "deactivated"}

    ledger = str(Path(config).parent / "ledger")
    vkey = ringfence("ledger", "vkey", str(Path(config).parent))["vkey"]
    report = ringfence("ledger", "verify", ledger, "--vkey", vkey)
    assert (report["fault"], report["size"] - report["heartbeats"]["count"]) == (None, 11)
    # opened, start, configuration loaded, operator, account, both keys created (one before),
    # three changes, stop
    with running(tmp_path / "log", "serve", "-c", config):
        assert ringfence("status", "-c", config)["credentials"] == 2
        assert "key_state" in refused("key", "resume", "-c", config, made)


def ringfence_list(config: str) -> list[dict[str, str]]:
    """Return `key list`, which answers with a list."""
    return list(ringfence("key", "list", "-c", config))  # type: ignore[arg-type]


def test_a_command_waits_for_who_holds_the_folder(
    config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(Path(config).parent)
    with folder.held():
        command = [sys.executable, "-m", "ringfence", "key", "list", "-c", config, "--json"]
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(2)
    assert waiting.communicate(timeout=15)[0] == b"[]\n"
    monkeypatch.setattr(attach, "WAIT_SECONDS", 0.1)
    with folder.held(), pytest.raises(RunningError), keys(Path(config)):
        raise AssertionError


def test_a_folder_is_served_once(config: str, tmp_path: Path) -> None:
    with running(tmp_path / "log", "serve", "-c", config):
        assert "[gateway_running]" in refused("serve", "-c", config)


def test_a_port_in_use_is_said_and_leaves_no_socket(config: str, tmp_path: Path) -> None:
    file = Path(config)
    file.write_text(file.read_text().replace("127.0.0.1:0", "192.0.2.1:1"))
    assert "error: listening on 192.0.2.1:1" in refused("serve", "-c", config)
    assert not (file.parent / "admin.sock").exists()


def test_an_interrupt_ends_it_well_too(config: str) -> None:
    command = [sys.executable, "-m", "ringfence", "serve", "-c", config, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        assert server.stdout.readline()
        server.send_signal(signal.SIGINT)
        assert server.wait(15) == 0
        assert server.stderr.read() == b""


def test_after_a_kill_the_folder_can_be_served_again(config: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ringfence", "serve", "-c", config, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline()
        server.kill()
    made = create(config)  # the socket of the dead one is there, and is not taken for a gateway
    with running(tmp_path / "log", "serve", "-c", config):
        assert ringfence("key", "revoke", "-c", config, made)["effective_us"] < 1_000
