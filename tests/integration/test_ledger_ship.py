"""A receiver that is away or refuses loses nothing: every entry arrives, in order."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from demo.stage import ringfence, running
from ringfence.config.certificate import issue
from ringfence.config.folder import write_private
from ringfence.engine import LedgerReader
from ringfence.errors import FileError, LedgerError
from ringfence.ledger.bus import Consumer
from ringfence.ledger.ship import receiver

PEOPLE = 12


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of a gateway that has run: its ledger tells of many credentials."""
    folder = tmp_path_factory.mktemp("ship") / "state"
    wanted = ["--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--plain"]
    config = str(ringfence("init", *wanted, str(folder))["config"])
    with running(folder.parent / "log", "serve", "-c", config):
        for number in range(PEOPLE):
            account = ["--account", f"person-{number}", "--scope", "read", "--allow", "10.0.0.0/8"]
            ringfence("key", "create", "--hmac", "-c", config, *account)
    return folder


def entries(state: Path) -> list[tuple[int, bytes]]:
    return LedgerReader(state / "ledger", 0).read(100_000)


def command(state: Path, to: str, cursor: Path, *more: str) -> list[str]:
    head = [sys.executable, "-m", "ringfence", "ledger", "ship", str(state)]
    return [*head, "--to", to, "--cursor", str(cursor), *more]


class Syslog:
    """A syslog server over TLS (RFC 5425), which can be ended and begun again on its port."""

    def __init__(self, folder: Path) -> None:
        issued = issue("127.0.0.1:0")
        for name, content in (("ca", issued.ca), ("pem", issued.certificate), ("key", issued.key)):
            write_private(folder / f"syslog.{name}", content)
        self.ca = folder / "syslog.ca"
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "syslog.pem", folder / "syslog.key")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.messages: list[str] = []

    @contextmanager
    def up(self) -> Iterator[None]:
        listener = socket.create_server(("127.0.0.1", self.port))
        thread = threading.Thread(target=self._serve, args=[listener], daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with self._tls.wrap_socket(plain, server_side=True) as connection:
                content = b""
                while more := connection.recv(65_536):
                    content += more
                while content:
                    length, _, content = content.partition(b" ")
                    self.messages.append(content[: int(length)].decode())
                    content = content[int(length) :]
                connection.unwrap()


def test_a_syslog_server_that_comes_late_gets_everything(state: Path, tmp_path: Path) -> None:
    server = Syslog(tmp_path)
    to = f"syslog+tls://127.0.0.1:{server.port}"
    asked = command(state, to, tmp_path / "cursor", "--ca", str(server.ca), "--once")
    with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True) as shipping:
        assert shipping.stderr is not None
        assert "entries from 0 on wait" in shipping.stderr.readline()
        with server.up():
            assert shipping.wait(30) == 0
        assert "the receiver is back" in shipping.stderr.read()
    found = [json.loads(message.partition("] ")[2]) for message in server.messages]
    assert found == [json.loads(content) for _, content in entries(state)]
    # All is sent: a second run has nothing to say.
    with server.up():
        assert subprocess.run(asked, timeout=30).returncode == 0
    assert len(server.messages) == len(found)


def test_a_server_whose_certificate_is_not_trusted_gets_nothing(
    state: Path, tmp_path: Path
) -> None:
    server = Syslog(tmp_path)
    with server.up():
        asked = command(state, f"syslog+tls://127.0.0.1:{server.port}", tmp_path / "cursor")
        with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True) as shipping:
            assert shipping.stderr is not None
            assert "CERTIFICATE_VERIFY_FAILED" in shipping.stderr.readline()
            shipping.send_signal(signal.SIGTERM)
            assert shipping.wait(15) == 0
    assert server.messages == []
    assert not (tmp_path / "cursor").exists()


class Hook(HTTPServer):
    """Takes batches; refuses the first ones, and keeps what came with them."""

    refuse = 2

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HookRequest)
        self.bodies: list[Any] = []
        self.tokens: set[str] = set()


class HookRequest(BaseHTTPRequestHandler):
    """One batch."""

    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tokens.add(self.headers["Authorization"])
        self.server.refuse -= 1
        refused = self.server.refuse >= 0
        if not refused:
            self.server.bodies.append((self.path, json.loads(body)))
        self.send_response(503 if refused else 204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as its base has it
        """Say nothing."""


@pytest.mark.parametrize("kind", ["webhook", "otlp"])
def test_what_an_http_receiver_refused_is_sent_again(
    state: Path, tmp_path: Path, kind: str
) -> None:
    hook = Hook()
    thread = threading.Thread(target=hook.serve_forever, daemon=True)
    thread.start()
    write_private(tmp_path / "token", b"made-for-this-test\n")
    to = f"{kind}+http://127.0.0.1:{hook.server_port}"
    asked = command(state, to, tmp_path / "c", "--token-file", str(tmp_path / "token"), "--once")
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    hook.shutdown()
    hook.server_close()
    assert done.returncode == 0
    assert "answered 503" in done.stderr
    assert "made-for-this-test" not in done.stdout + done.stderr
    assert hook.tokens == {"Bearer made-for-this-test"}
    told = [json.loads(content) for _, content in entries(state)]
    ((path, body),) = hook.bodies
    if kind == "webhook":
        assert [row["entry"] for row in body] == told
        return
    assert path == "/v1/logs"
    logs = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert [json.loads(log["body"]["stringValue"]) for log in logs] == told


def test_what_was_not_done_is_given_again(state: Path, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor"
    first = Consumer(state / "ledger", cursor)
    taken = first.take(5)
    first.done(taken[:3])
    again = Consumer(state / "ledger", cursor).take(100_000)
    assert taken[:3] + again == entries(state)


def test_a_cursor_of_another_ledger_is_refused(state: Path, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor"
    cursor.write_text(json.dumps({"next": 3, "leaf": "00" * 32}))
    with pytest.raises(LedgerError, match="another ledger"):
        Consumer(state / "ledger", cursor)
    cursor.write_text(json.dumps({"next": 10_000_000, "leaf": "00" * 32}))
    with pytest.raises(LedgerError, match="another ledger"):
        Consumer(state / "ledger", cursor)
    cursor.write_text("{")
    with pytest.raises(FileError, match="cannot be read"):
        Consumer(state / "ledger", cursor)


@pytest.mark.parametrize(
    "url", ["syslog://a", "syslog+tcp://a:1", "https://a", "otlp+https://", "webhook+https://u:p@a"]
)
def test_what_is_no_safe_receiver_is_refused(url: str) -> None:
    with pytest.raises(LedgerError) as refused:
        receiver(url)
    assert re.search(r"syslog\+tls|--token-file", refused.value.hint)


def test_shipping_goes_on_while_entries_come(state: Path, tmp_path: Path) -> None:
    hook = Hook()
    hook.refuse = 0
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    to = f"webhook+http://127.0.0.1:{hook.server_port}/in?a=b"
    with subprocess.Popen(command(state, to, tmp_path / "c"), stdout=subprocess.PIPE) as shipping:
        with running(tmp_path / "log", "serve", "-c", str(state / "ringfence.yaml")):
            pass
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if sum(len(body) for _, body in hook.bodies) >= len(entries(state)):
                break
            time.sleep(0.05)
        shipping.send_signal(signal.SIGTERM)
        assert shipping.wait(15) == 0
    hook.shutdown()
    hook.server_close()
    assert {path for path, _ in hook.bodies} == {"/in?a=b"}
    found = [row["index"] for _, body in hook.bodies for row in body]
    assert found == list(range(len(entries(state))))
