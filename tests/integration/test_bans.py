"""Who goes on after being refused is kept out, by rule and by hand, also after a restart."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from demo.attack import Key, order_text, post, signed
from demo.stage import LAUNCH, Stage, ringfence, running, set_stage
from ringfence.api.bans import BanService, NewBan, kept_bans
from ringfence.errors import BanError, FileError
from tests.integration.websocket import connect

EXEMPT = 'exempt: [127.0.0.0/8, "::1/128"]'


def strict(text: str, _state: Path) -> str:
    """Return a configuration by which ten wrong signatures from anywhere are one ban."""
    assert EXEMPT in text
    steps = "steps: [{answer: ban, seconds: 600}]"
    text = text.replace("threshold: 1000 ", "threshold: 100 ")
    text = text.replace("leak_per_s: 10 ", "leak_per_s: 0 ")
    return text.replace(EXEMPT, f"exempt: []\n  {steps}")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_stage(tmp_path_factory.mktemp("bans") / "demo", settle=strict) as built:
        yield built


@pytest.fixture(autouse=True)
def nobody_is_banned(stage: Stage) -> Iterator[None]:
    yield
    for one in bans(stage):
        ringfence("ban", "lift", one["target"], "-c", config(stage))


def config(stage: Stage) -> str:
    return str(stage.state / "ringfence.yaml")


def bans(stage: Stage) -> list[dict[str, Any]]:
    found: Any = ringfence("ban", "list", "-c", config(stage))
    return list(found)


def refused(*arguments: str) -> str:
    """Return what a command that fails says."""
    done = LAUNCH.completed([*arguments])
    assert done.returncode == 1
    said: str = done.stderr
    return said


def client(stage: Stage, source: str) -> httpx.Client:
    """Return a client that comes from `source`."""
    tls = ssl.create_default_context(cafile=str(stage.ca))
    transport = httpx.HTTPTransport(verify=tls, local_address=source)
    return httpx.Client(base_url=stage.gateway, transport=transport)


def order(http: httpx.Client, key: Key, secret: str | None = None) -> httpx.Response:
    return post(http, key, signed(order_text(), secret or key.secret))


def ping(stage: Stage, source: str) -> httpx.Response:
    with client(stage, source) as http:
        return http.get("/api/v3/time")


def test_a_forger_is_banned_in_the_venues_words_and_its_neighbour_trades_on(stage: Stage) -> None:
    key, address = stage.trader, "127.0.0.9"
    with client(stage, address) as good, client(stage, address) as bad:
        assert order(good, key).status_code == 200
        answers = [order(bad, key, "not-the-secret") for _ in range(11)]
        assert [one.status_code for one in answers] == [400] * 10 + [418]
        told = answers[-1]
        assert told.json()["code"] == -1003
        until_ms = int(told.json()["msg"].split("IP banned until ")[1].split(".")[0])
        assert 590 < until_ms / 1000 - time.time() < 601
        assert 590 < int(told.headers["retry-after"]) <= 600
        assert all(order(good, key).status_code == 200 for _ in range(20))
    assert ping(stage, address).status_code == 418
    assert ping(stage, "127.0.0.8").status_code == 200
    assert [one["target"] for one in bans(stage)] == [address]


def test_who_is_banned_by_hand_is_out_and_in_again_before_the_command_returns(stage: Stage) -> None:
    with client(stage, "127.0.1.9") as http:
        assert http.get("/api/v3/time").status_code == 200
        added = ringfence(
            "ban", "add", "127.0.1.0/24", "--for", "10m", "--why", "a scan", "-c", config(stage)
        )
        assert added["effective_us"] < 20_000
        assert (added["target"], added["reach"], added["why"]) == ("127.0.1.0/24", "all", "a scan")
        # Signed or not.
        assert order(http, stage.trader).status_code == 418
        assert http.get("/api/v3/time").status_code == 418
        ringfence("ban", "lift", "127.0.1.0/24", "-c", config(stage))
        assert http.get("/api/v3/time").status_code == 200


def test_a_ban_ends_the_streams_of_its_address(stage: Stage) -> None:
    tls = ssl.create_default_context(cafile=str(stage.ca))
    url = stage.gateway.replace("https://", "wss://") + "/ws/btcusdt@bookTicker"
    with connect(url, ssl=tls, source_address=("127.0.4.9", 0)) as opened:
        opened.recv(timeout=5)
        ringfence("ban", "add", "127.0.4.9", "--for", "10m", "-c", config(stage))
        with pytest.raises(ConnectionClosed, match="kept out"):
            while True:
                opened.recv(timeout=5)


def test_a_banned_key_is_out_from_everywhere_and_others_are_not(stage: Stage) -> None:
    ringfence("ban", "add", f"key:{stage.trader.key_id}", "--for", "1h", "-c", config(stage))
    with client(stage, "127.0.2.1") as http:
        assert order(http, stage.trader).status_code == 418
        assert order(http, stage.burst).status_code == 200


def test_no_ban_closes_the_admin_socket(stage: Stage) -> None:
    ringfence("ban", "add", "127.0.0.0/8", "--for", "1h", "-c", config(stage))
    assert ping(stage, "127.0.0.1").status_code == 418
    assert ringfence("status", "-c", config(stage))["bans"] == 1
    ringfence("ban", "lift", "127.0.0.0/8", "-c", config(stage))
    assert ping(stage, "127.0.0.1").status_code == 200


def test_the_ledger_tells_who_banned_whom_and_no_address(stage: Stage) -> None:
    ringfence("ban", "add", "127.0.3.9", "--for", "1h", "--why", "why not", "-c", config(stage))
    ringfence("ban", "lift", "127.0.3.9", "--why", "enough", "-c", config(stage))
    query = "SELECT event, detail FROM entries WHERE event LIKE 'ban.%' ORDER BY time DESC LIMIT 2"
    end = time.monotonic() + 10
    while True:
        lines = LAUNCH.completed(["ledger", "query", str(stage.state), query, "--json"])
        found = [json.loads(line) for line in lines.stdout.splitlines()]
        rows = {one["event"]: json.loads(one["detail"]) for one in found}
        if rows.get("ban.lifted", {}).get("lift_why") == "enough":
            break
        assert time.monotonic() < end, found
        time.sleep(0.05)
    assert rows["ban.added"]["why"] == "why not"
    assert rows["ban.added"]["who"] == rows["ban.lifted"]["who"] != ""
    assert "127.0.3.9" not in json.dumps(rows)


def test_what_cannot_be_banned_is_said(stage: Stage) -> None:
    for target in ("0.0.0.0/0", "somewhere", "key:"):
        assert "/8" in refused("ban", "add", target, "--for", "1h", "-c", config(stage))
    assert "ban_unknown" in refused("ban", "lift", "192.0.2.1", "-c", config(stage))


def test_bans_outlast_the_gateway_and_end_by_themselves(tmp_path: Path) -> None:
    with set_stage(tmp_path / "demo", settle=strict) as built:
        for target, lasting in (("127.0.0.9", "1h"), ("127.0.0.8", "1s")):
            ringfence("ban", "add", target, "--for", lasting, "-c", config(built))
        key = built.trader
        # Whoever is banned is cut off, perhaps before the next answer.
        with client(built, "127.0.0.7") as bad, suppress(httpx.RemoteProtocolError):
            for _ in range(11):
                order(bad, key, "wrong")
    file = built.state / "bans.json"
    assert file.stat().st_mode & 0o777 == 0o600
    with running(tmp_path / "again.log", "serve", "-c", config(built)) as again:
        gateway = f"https://{again['addresses'][-1]}"
        tls = ssl.create_default_context(cafile=str(built.ca))

        def status(source: str) -> int:
            transport = httpx.HTTPTransport(verify=tls, local_address=source)
            with httpx.Client(base_url=gateway, transport=transport) as http:
                return http.get("/api/v3/time").status_code

        assert [status("127.0.0.9"), status("127.0.0.7")] == [418, 418]
        deadline = time.monotonic() + 5
        while status("127.0.0.8") == 418:
            assert time.monotonic() < deadline
            time.sleep(0.05)


class FakeEngine:
    """An engine's bans, and nothing else of it."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        self.found = found

    def bans(self) -> list[dict[str, Any]]:
        return self.found

    def lift_ban(self, _target: str, _detail: object) -> None:
        return None


def test_a_file_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "bans.json"
    assert kept_bans(path) == []
    path.write_text("[{")
    with pytest.raises(FileError):
        kept_bans(path)


def test_bans_are_written_when_they_change(tmp_path: Path) -> None:
    path, engine = tmp_path / "bans.json", FakeEngine([{"target": "192.0.2.1"}])
    service = BanService(engine, path)  # type: ignore[arg-type]
    service.keep()
    assert kept_bans(path) == engine.found
    path.unlink()
    service.keep()
    assert not path.exists()
    engine.found = []
    service.keep()
    assert kept_bans(path) == []
    with pytest.raises(BanError):
        service.lift("192.0.2.1", "", "somebody")
    assert NewBan("192.0.2.1", 60).reach == "all"
