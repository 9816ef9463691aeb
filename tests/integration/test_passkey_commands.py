"""Commands that send their user to a browser: for the policies that ship, and to open the seal."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from demo.stage import ringfence, running
from ringfence.config.folder import Folder
from ringfence.identity.seal.folder import open_folder
from ringfence.identity.seal.item import is_sealed
from ringfence.identity.seal.passkey import PasskeyKek
from ringfence.identity.seal.unlock import Unlock
from tests import chromium
from tests.chromium import Browser, Tab
from tests.memory import found

EXAMPLE = resources.files("ringfence") / "policy" / "example"
SETTINGS = """
policy: {{path: "{example}"}}
admin:
  pages: {{listen: "127.0.0.1:{port}", origin: "http://localhost:{port}", rp_id: localhost}}
"""
KEY = ["--account", "desk", "--scope", "read", "--allow", "10.0.0.1"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield one Chromium for all of them."""
    if (why := chromium.missing()) is not None:
        pytest.skip(why)
    with chromium.browsing() as started:
        yield started


@pytest.fixture
def config(browser: Browser, tmp_path: Path) -> Path:
    """Return the configuration of a gateway with the example's policies and pages."""
    folder = tmp_path / "state"
    ringfence("init", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", str(folder))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = folder / "ringfence.yaml"
    path.write_text(path.read_text() + SETTINGS.format(example=EXAMPLE, port=port))
    return path


def words(config: Path, *command: str) -> list[str]:
    """Return a command line that answers in JSON."""
    return [sys.executable, "-m", "ringfence", *command, "-c", str(config), "--json"]


def followed(tab: Tab, config: Path, *command: str) -> str:
    """Run a command that prints a link, press the page's button; return what the command says."""
    with subprocess.Popen(words(config, *command), stdout=subprocess.PIPE, text=True) as asked:
        assert asked.stdout is not None
        tab.open(json.loads(asked.stdout.readline())["link"])
        tab.press()
        last = json.loads(asked.stdout.readline())
    assert (asked.returncode, last["state"]) == (0, "done")
    return str(last["said"])


def sent(tab: Tab, asked: subprocess.Popen[str]) -> dict[str, Any]:
    """Do in the browser what a command wants that has no gateway; return its answer."""
    assert asked.stdout is not None and asked.stderr is not None
    tab.open(next(line for line in asked.stderr if "#" in line).strip())
    assert "open" in (said := tab.press()) or "released" in said
    answer: dict[str, Any] = json.loads(asked.stdout.readline())
    return answer


def test_a_key_that_the_policies_want_a_passkey_for_is_made_once_one_was_shown(
    browser: Browser, config: Path, tmp_path: Path
) -> None:
    create = ["key", "create", *KEY, "--hmac"]
    with running(tmp_path / "log", "serve", "-c", str(config)) as ready, browser.tab() as tab:
        assert ready["pages"].startswith("http://localhost:")
        refused = subprocess.run(words(config, *create), capture_output=True, text=True)
        assert "[step_up_required]" in refused.stderr
        assert "`ringfence mfa passkey add` enrols one" in refused.stderr
        said = followed(tab, config, "mfa", "passkey", "add", "--label", "laptop")
        assert said.startswith("the passkey laptop of ")
        assert ringfence(*create, "-c", str(config))["secret"]
        proved = ["mfa", "step-up", "--passkey", "--account", "desk"]
        assert followed(tab, config, *proved).endswith(" for desk")


@pytest.mark.parametrize("runs", [False, True], ids=["stopped", "running"])
def test_a_passkey_seals_the_folder_and_opens_it_and_so_does_the_recovery_passphrase(
    browser: Browser, config: Path, tmp_path: Path, runs: bool
) -> None:
    phrase = tmp_path / "phrase"
    phrase.write_text(secrets.token_urlsafe(32))
    phrase.chmod(0o600)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    rewrap = ["vault", "rewrap", "--to", "passkey", "--new-unlock-file", str(phrase)]

    def seal() -> None:
        with subprocess.Popen(words(config, *rewrap), **pipes) as asked:
            assert sent(tab, asked)["opened_by"][0].startswith("passkey (")

    with browser.tab() as tab:
        with running(tmp_path / "log", "serve", "-c", str(config)):
            followed(tab, config, "mfa", "passkey", "add")
            if runs:
                seal()
                assert ringfence("vault", "status", "-c", str(config))["clear"] == []
        if not runs:
            seal()
        assert is_sealed((config.parent / "keys" / "master.key").read_bytes())
        with subprocess.Popen(words(config, "serve"), **pipes) as gateway:
            assert sent(tab, gateway)["addresses"]
            opening = opened_by(config.parent, phrase)
            if os.geteuid() == 0:
                told = found(gateway.pid, opening)
                assert not any(told.values()), told
            gateway.terminate()


def opened_by(state: Path, phrase: Path) -> dict[str, bytes]:
    """Return what opens a folder behind the passkey: its key, and each data key."""
    with open_folder(Folder(state), Unlock(phrase)) as opening:
        assert opening is not None and isinstance(opening.kek, PasskeyKek)
        known = {name: bytes(one) for name, one in opening.keys.items()}
        known["key encryption key"] = bytes(opening.kek._key)
    return known
