"""Two gateways on one store: what is changed at one is obeyed by both, and a lost store is told.

On both databases: a file that both read, and PostgreSQL.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ccxt
import pytest
from websockets.exceptions import ConnectionClosed

from demo.attack import Key
from demo.stage import Stage, running, set_stage
from ringfence.api import Client, NewKey, NewPrincipal
from ringfence.engine import LedgerReader
from tests import postgres
from tests.integration.test_channels import ORDER, ask, channel, plain, signed
from tests.integration.venues import client
from tests.lost import lost

ELSEWHERE_S = 0.5
"""Within which a revocation is in force on every node."""
PATIENCE_S = 15


@dataclass(frozen=True)
class Pair:
    """Two gateways and where their store is. `here` serves on without it, `there` refuses."""

    here: Stage
    there: Stage
    place: Path | str

    @property
    def admin(self) -> Client:
        """The admin API of the first."""
        return Client(self.here.state / "admin.sock")

    def made(self, account: str = "alice") -> Key:
        """Create a key at the first, and return it when the second knows it."""
        scopes = ["read", "trade"]
        created = self.admin.create(NewKey(account, scopes, ["127.0.0.0/8"]))
        key = Key(created["key_id"], created["secret"])
        until(lambda: reads(self.there, key))
        return key


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("shared")
    if request.param == "sqlite":
        place: Path | str = folder / "demo" / "state" / "ringfence.db"
        with both(folder, place, f"file: {place}") as found:
            yield found
        return
    if (why := postgres.missing()) is not None:
        pytest.skip(why)
    with postgres.running() as server:
        place = server.database()
        with both(folder, place, f"url: {place}") as found:
            yield found


@contextmanager
def both(folder: Path, place: Path | str, store: str) -> Iterator[Pair]:
    """Run two gateways on one store and one master key."""
    lost_soon = f"\nstore:\n  {store}\n  stale_s: 1\n"
    with set_stage(folder / "demo", settle=lambda text, _: text + lost_soon) as here:
        text = (here.state / "ringfence.yaml").read_text() + "  stale: refuse\n"
        with second(here, folder, text) as there:
            yield Pair(here, there, place)


@contextmanager
def second(here: Stage, folder: Path, text: str) -> Iterator[Stage]:
    """Run another gateway with this configuration, on the keys of the first."""
    again = folder / "again"
    again.mkdir()
    (again / "ringfence.yaml").write_text(text)
    for name in ("keys", "tls"):
        (again / name).symlink_to(here.state / name)
    config = str(again / "ringfence.yaml")
    with running(folder / "again.log", "serve", "-c", config) as served:
        yield replace(here, gateway=f"https://{served['addresses'][-1]}", state=again)


def until(held: Callable[[], Any]) -> float:
    """Return after how many seconds something held that comes by itself."""
    start = time.monotonic()
    while not held():
        assert time.monotonic() < start + PATIENCE_S
        time.sleep(0.005)
    return time.monotonic() - start


def reads(stage: Stage, key: Key) -> bool:
    try:
        client(stage, "binance", key).fetch_balance()
    except ccxt.AuthenticationError:
        return False
    return True


def order(stage: Stage, key: Key) -> str:
    """Return as what an order ends: its state, or the refusal's text."""
    try:
        placed = client(stage, "binance", key).create_order(
            "BTC/USDT", "limit", "buy", 0.01, 50_000
        )
    except ccxt.BaseError as e:
        return str(e)
    return str(placed["status"])


def entries(stage: Stage, **wanted: Any) -> list[dict[str, Any]]:
    read = LedgerReader(stage.state / "ledger", 0).read(100_000)
    found = (json.loads(one) for _, one in read)
    return [entry for entry in found if wanted.items() <= entry.items()]


def events(stage: Stage, name: str, **wanted: Any) -> list[dict[str, Any]]:
    found = [entry["detail"] for entry in entries(stage, kind="event", event=name)]
    return [detail for detail in found if wanted.items() <= detail.items()]


def told(stage: Stage, key: Key) -> dict[str, Any]:
    """Return the one entry on a key's suspension, when it is there."""
    wanted = {"credential": key.key_id, "state": "suspended"}
    until(lambda: events(stage, "credential.state", **wanted))
    [found] = events(stage, "credential.state", **wanted)
    return found


def suspended_after(pair: Pair) -> float:
    """Suspend a key at one and return after how many seconds its channel at the other closed."""
    key = pair.made()
    with channel(pair.there) as opened:
        assert ask(opened, signed(key, "session.logon"))["status"] == 200
        assert ask(opened, plain(2, "userDataStream.subscribe"))["status"] == 200
        assert order(pair.there, key) == "open"
        assert "executionReport" in str(opened.recv(timeout=5))
        pair.admin.step(key.key_id, "suspend", "stolen")
        start = time.monotonic()
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                opened.recv(timeout=PATIENCE_S)
        took = time.monotonic() - start
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
    assert not reads(pair.there, key)
    for stage, through in ((pair.here, None), (pair.there, "store")):
        entry = told(stage, key)
        assert (entry["why"], entry.get("through")) == ("stolen", through)
    pair.admin.step(key.key_id, "resume", "found")
    until(lambda: reads(pair.there, key))
    return took


def test_a_suspension_at_one_stops_requests_and_channels_at_the_other(pair: Pair) -> None:
    took = sorted(suspended_after(pair) for _ in range(3))
    # One of them may meet a machine that does something else.
    assert took[1] < ELSEWHERE_S, took


def test_an_order_is_never_accepted_by_a_channel_after_a_principal_s_suspension(
    pair: Pair,
) -> None:
    pair.admin.create_principal(NewPrincipal("firm", "organisation"))
    pair.admin.create_principal(NewPrincipal("firm-desk", "account", "firm"))
    key = pair.made("firm-desk")
    with channel(pair.there) as opened:
        ask(opened, signed(key, "session.logon"))
        assert ask(opened, plain(2, "order.place", **ORDER))["status"] == 200
        pair.admin.step_principal("firm", "suspend", "")
        until(lambda: not reads(pair.there, key))
        with pytest.raises(ConnectionClosed):
            while True:
                assert ask(opened, plain(3, "order.place", **ORDER))["status"] == 401
    pair.admin.step_principal("firm", "resume", "")
    until(lambda: reads(pair.there, key))


def test_without_its_store_one_goes_on_and_the_other_changes_nothing(pair: Pair) -> None:
    there = Client(pair.there.state / "admin.sock")
    key = pair.made()
    with lost(pair.place):
        until(lambda: "store" in order(pair.there, key))
        assert reads(pair.there, key)
        assert order(pair.here, key) == "open"
        until(lambda: events(pair.there, "store.stale"))
        status = there.status()["store"]
        assert status["stale"] and not status["reachable"] and status["problem"]
    until(lambda: order(pair.there, key) == "open")
    until(lambda: events(pair.there, "store.reachable"))
    decided = entries(pair.there, kind="decision", operation="order.place")
    refusals = [entry["refusal"]["code"] for entry in decided if "refusal" in entry]
    assert "store_stale" in refusals, (len(decided), refusals)
    assert there.status()["store"]["lag_ms"] < PATIENCE_S * 1000
