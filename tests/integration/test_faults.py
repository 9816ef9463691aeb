"""A dead, slow or lying venue, a full disk: documented refusals, honest outcomes, no resending."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.attack import Key, order_text, post, signed
from demo.stage import ready_line, ringfence, running
from ringfence.engine import read_ledger
from ringfence.venue.server import PaperVenue, VenueConfig, read_attestation_key

RESPONSE_TIMEOUT_MS = 400
PATIENCE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Bench:
    """A gateway over plain HTTP in front of any upstream, and one trader's key."""

    http: httpx.Client
    key: Key
    state: Path

    def order(self) -> httpx.Response:
        return post(self.http, self.key, signed(order_text(), self.key.secret))

    def read(self) -> httpx.Response:
        text = signed(f"timestamp={int(time.time() * 1000)}", self.key.secret)
        return self.http.get(f"/api/v3/account?{text}", headers={"X-MBX-APIKEY": self.key.key_id})

    def outcome(self) -> dict[str, Any]:
        """Return the only outcome. It is committed within the group's milliseconds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            entries = [json.loads(raw) for _, raw in read_ledger(self.state / "ledger", 0, 1000)]
            found: list[dict[str, Any]] = [e for e in entries if e["kind"] == "outcome"]
            if found:
                assert len(found) == 1
                return found[0]
        raise AssertionError("no outcome was recorded")


def prepare(state: Path, upstream: str) -> Key:
    """Lay a state folder for `upstream` and return a trader's key."""
    ringfence(
        "init", "--profile", "binance-spot", "--plain", "--listen", "127.0.0.1:0",
        "--upstream", upstream, str(state),
    )  # fmt: skip
    config = state / "ringfence.yaml"
    text = config.read_text()
    patched = text.replace(
        "response_timeout_ms: 10000", f"response_timeout_ms: {RESPONSE_TIMEOUT_MS}"
    )
    assert patched != text
    config.write_text(patched)
    made = ringfence(
        "key", "create", "--hmac", "-c", str(config), "--account", "alice", "--scope", "read",
        "--scope", "trade", "--allow", "127.0.0.0/8",
    )  # fmt: skip
    return Key(made["key_id"], made["secret"])


@contextmanager
def gateway(tmp_path: Path, upstream: str) -> Iterator[Bench]:
    state = tmp_path / "state"
    key = prepare(state, upstream)
    arguments = ("serve", "-c", str(state / "ringfence.yaml"))
    with running(tmp_path / "gateway.log", *arguments) as ready:
        base = f"http://{ready['addresses'][0]}"
        with httpx.Client(base_url=base, trust_env=False, timeout=10) as http:
            yield Bench(http, key, state)


@pytest.fixture
def venue() -> Iterator[PaperVenue]:
    """Yield a venue that knows no attestation key yet: `attested` gives it the gateway's."""
    made = PaperVenue(VenueConfig())
    made.start()
    yield made
    made.stop()


@contextmanager
def upstream(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """Serve raw sockets: what came first on each is kept, then `answer` decides."""
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                heard.append(client.recv(65536))
                answer(client)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        listener.shutdown(socket.SHUT_RDWR)


def test_a_dead_venue_is_a_502_and_the_order_was_not_sent(tmp_path: Path) -> None:
    with gateway(tmp_path, "http://127.0.0.1:9") as bench:
        answer = bench.order()
        assert (answer.status_code, answer.json()["code"]) == (502, -1001)
        outcome = bench.outcome()
        assert (outcome["result"], outcome["reason"]) == ("not_sent", "venue_unreachable")


def hang_up(client: socket.socket) -> None:
    """Answer nothing."""


def lie(client: socket.socket) -> None:
    """Answer with what is no HTTP."""
    client.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def break_off(client: socket.socket) -> None:
    """Promise a longer body than comes."""
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def stay_silent(client: socket.socket) -> None:
    """Keep the connection until the other side gives up."""
    client.recv(1)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (hang_up, "connection_lost"),
        (lie, "malformed_answer"),
        (break_off, "connection_lost"),
        (stay_silent, "timeout"),
    ],
)
def test_an_order_whose_fate_is_not_known_is_said_so_and_never_sent_twice(
    tmp_path: Path, behaviour: Callable[[socket.socket], None], reason: str
) -> None:
    with upstream(behaviour) as (url, heard), gateway(tmp_path, url) as bench:
        answer = bench.order()
        # ccxt raises RequestTimeout on -1007: execution status unknown.
        assert (answer.status_code, answer.json()["code"]) == (504, -1007)
        outcome = bench.outcome()
        assert (outcome["result"], outcome["reason"]) == ("unknown", reason)
        assert sum(request.startswith(b"POST") for request in heard) == 1


def test_the_venue_never_sees_the_clients_credentials(tmp_path: Path) -> None:
    with upstream(hang_up) as (url, heard), gateway(tmp_path, url) as bench:
        body = signed(order_text(), bench.key.secret)
        bench.http.post(
            "/api/v3/order",
            content=body,
            headers={
                "X-MBX-APIKEY": bench.key.key_id,
                "Content-Type": "application/x-www-form-urlencoded",
                "Authorization": "Bearer of-nothing",
                "Cookie": "session=1",
                "X-Ringfence-Attestation": "forged",
                "Connection": "close, X-Ringfence-Attestation, User-Agent",
            },
        )
        (request,) = heard
        signature = body.rpartition("signature=")[2].encode()
        for secret in (signature, b"signature=", b"x-mbx-apikey", b"bearer", b"cookie", b"forged"):
            assert secret not in request.lower()
        assert request.lower().count(b"x-ringfence-attestation: ") == 1
        assert b"user-agent" not in request.lower()  # the client said that it ends at the gateway


def test_orders_reach_an_attested_venue_in_the_accounts_name(
    tmp_path: Path, venue: PaperVenue
) -> None:
    with gateway(tmp_path, venue.url) as bench:
        # Without the key the venue believes nobody.
        assert bench.read().status_code == 401
        key = read_attestation_key(bench.state / "keys" / "attestation.key")
        venue.trust(key)
        assert bench.order().status_code == 200
        assert {order.account for order in venue.exchange.orders.values()} == {"house", "alice"}


def limit_files() -> None:
    """Let no file of this process grow past 40 kB: writing the ledger fails with EFBIG."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))


def test_a_full_disk_refuses_orders_and_lets_reads_go_on(tmp_path: Path, venue: PaperVenue) -> None:
    state = tmp_path / "state"
    key = prepare(state, venue.url)
    venue.trust(read_attestation_key(state / "keys" / "attestation.key"))
    log = tmp_path / "gateway.log"
    with log.open("w") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", "ringfence", "serve", "-c", state / "ringfence.yaml", "--json"],
            stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=limit_files,
        )  # fmt: skip
    try:
        base = f"http://{ready_line(server.stdout, log)['addresses'][0]}"
        with httpx.Client(base_url=base, trust_env=False, timeout=10) as http:
            bench = Bench(http, key, state)
            answers = []
            for number in range(95):
                # Two orders in one millisecond would otherwise carry the same signature.
                text = f"newClientOrderId=full-{number}&{order_text()}"
                answers.append(post(http, key, signed(text, key.secret)))
            last = answers[-1]
            assert (last.status_code, last.json()["code"]) == (503, -1008)
            assert bench.read().status_code == 200
    finally:
        server.terminate()
        server.wait(20)
    assert "ALARM" in log.read_text()
    placed = sum(order.account == "alice" for order in venue.exchange.orders.values())
    assert placed == sum(answer.status_code == 200 for answer in answers)


def test_a_damaged_ledger_refuses_orders_and_lets_reads_go_on(
    tmp_path: Path, venue: PaperVenue
) -> None:
    state = tmp_path / "state"
    key = prepare(state, venue.url)
    venue.trust(read_attestation_key(state / "keys" / "attestation.key"))
    config, said = str(state / "ringfence.yaml"), tmp_path / "gateway.log"

    @contextmanager
    def started() -> Iterator[Bench]:
        with running(said, "serve", "-c", config) as ready:
            base = f"http://{ready['addresses'][0]}"
            with httpx.Client(base_url=base, trust_env=False, timeout=10) as http:
                yield Bench(http, key, state)

    with started() as bench:
        assert bench.order().status_code == 200
    log = next((state / "ledger").glob("*/entries.log"))
    content = bytearray(log.read_bytes())
    content[700] ^= 1
    log.write_bytes(content)
    with started() as bench:
        refused = bench.order()
        assert (refused.status_code, refused.json()["code"]) == (503, -1008)
        assert bench.read().status_code == 200
        status = ringfence("status", "-c", config)["ledger"]
        assert "entries.log at byte 700" in status["damage"]
        assert not status["healthy"]
    assert "ALARM" in said.read_text()
    assert f"`ringfence ledger verify {state / 'ledger'}` shows what is safe" in said.read_text()
    assert log.read_bytes() == content
    assert sum(order.account == "alice" for order in venue.exchange.orders.values()) == 1


def test_a_slow_client_is_cut_off(tmp_path: Path, venue: PaperVenue) -> None:
    state = tmp_path / "state"
    prepare(state, venue.url)
    config = state / "ringfence.yaml"
    config.write_text(
        config.read_text().replace("header_timeout_ms: 5000", "header_timeout_ms: 300")
    )
    with running(tmp_path / "gateway.log", "serve", "-c", str(config)) as ready:
        host, _, port = ready["addresses"][0].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as slow:
            slow.sendall(b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\n")
            assert b"200" not in slow.recv(4096)


def test_status_is_json(tmp_path: Path, venue: PaperVenue) -> None:
    with gateway(tmp_path, venue.url) as bench:
        bench.http.get("/nowhere")
        status = ringfence("status", "-c", str(bench.state / "ringfence.yaml"))
        assert status["refused"] == {"route_unknown": 1}
        assert json.dumps(status)
