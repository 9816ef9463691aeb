"""A real Chromium without a window, driven by its own protocol, with a passkey that it simulates.

Source: Chrome DevTools Protocol, domains Target, Page, Runtime and WebAuthn.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

__all__ = ["Tab", "browsing", "missing"]

START_SECONDS = 45.0
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.05
OPTIONS = [
    "--headless",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--remote-debugging-port=0",
]


def program() -> str | None:
    """Return where Chromium is."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


def missing() -> str | None:
    """Return why none can be started here, if so."""
    return None if program() else "Chromium is not installed: apt-get install chromium"


class Browser:
    """A running Chromium."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def do(self, method: str, session: str | None = None, **about: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": about}
        if session is not None:
            message["sessionId"] = session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(WAIT_SECONDS))
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    @contextmanager
    def tab(self, **authenticator: Any) -> Iterator[Tab]:
        """Yield a tab of its own profile, with one simulated authenticator."""
        profile = self.do("Target.createBrowserContext")["browserContextId"]
        target = self.do("Target.createTarget", url="about:blank", browserContextId=profile)
        attached = self.do("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        try:
            yield Tab(self, attached["sessionId"], authenticator)
        finally:
            self.do("Target.disposeBrowserContext", browserContextId=profile)


class Tab:
    """One tab."""

    def __init__(self, browser: Browser, session: str, authenticator: dict[str, Any]) -> None:
        self._browser, self._session = browser, session
        self.do("Page.enable")
        self.do("Runtime.enable")
        self.do("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
            "hasPrf": True,
        }
        made = self.do("WebAuthn.addVirtualAuthenticator", options=options | authenticator)
        self.authenticator = made["authenticatorId"]

    def do(self, method: str, **about: Any) -> dict[str, Any]:
        """Send one command to this tab."""
        return self._browser.do(method, self._session, **about)

    def open(self, link: str) -> None:
        """Go to a page and wait until it shows what it is for, or why not."""
        # Of two links that differ behind the # only, the second would not be loaded.
        self.do("Page.navigate", url="about:blank")
        self.do("Page.navigate", url=link)
        self.until("document.querySelector('#task:not([hidden]), #problem p')")

    def value(self, expression: str) -> Any:
        """Return what an expression evaluates to in the page."""
        found = self.do("Runtime.evaluate", expression=expression, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def text(self, name: str) -> str:
        """Return what people read in the part of the page called `name`."""
        return str(self.value(f"document.getElementById({name!r}).textContent"))

    def until(self, expression: str) -> None:
        """Wait until an expression holds."""
        until = time.monotonic() + WAIT_SECONDS
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < until, (expression, self.value("document.body.innerText"))
            time.sleep(POLL_SECONDS)

    def press(self) -> str:
        """Press the button, and return what the page says when it is over."""
        self.do("Runtime.evaluate", expression="go.click()", userGesture=True)
        self.until("document.querySelector('#problem p, #status.good')")
        return self.text("problem") or self.text("status")


@contextmanager
def browsing(*more: str) -> Iterator[Browser]:
    """Yield a Chromium, started with `more` options, that is good as long as the context lasts."""
    folder, found = Path(tempfile.mkdtemp(prefix="ringfence-chromium-")), program()
    assert found is not None
    # Chromium's sandbox does not start for root, nor in most containers.
    sandbox = ["--no-sandbox"] if os.getuid() == 0 else []
    command = [found, *OPTIONS, *sandbox, *more, f"--user-data-dir={folder}", "about:blank"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(address(folder / "DevToolsActivePort", running), max_size=None) as socket:
            yield Browser(socket)
    finally:
        running.terminate()
        running.wait()
        shutil.rmtree(folder, ignore_errors=True)


def address(path: Path, running: subprocess.Popen[bytes]) -> str:
    """Return where Chromium says that it listens, once it does."""
    until = time.monotonic() + START_SECONDS
    while not path.exists() or path.read_text().count("\n") < 1:
        assert running.poll() is None, "Chromium ended"
        assert time.monotonic() < until, "Chromium did not start"
        time.sleep(POLL_SECONDS)
    port, place = path.read_text().splitlines()
    return f"ws://127.0.0.1:{port}{place}"
