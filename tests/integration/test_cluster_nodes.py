"""Two gateways of a cluster: what is revoked or banned at one is so at both, or nothing is done.

The second reaches the store and the cluster's server by wires that are cut.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from demo.attack import Key
from demo.stage import Stage, ringfence, set_stage
from ringfence.api import Client, NewKey
from ringfence.api.cluster.hints import Hint
from ringfence.api.cluster.sealed import Sealed
from ringfence.identity import MasterKey
from tests import postgres, redis_server
from tests.integration.test_shared_store import (
    ELSEWHERE_S,
    Pair,
    entries,
    events,
    order,
    reads,
    second,
    suspended_after,
    until,
)
from tests.partition import Wire, wire


@dataclass(frozen=True)
class Cluster(Pair):
    """Two gateways, and the wires of the second."""

    store: Wire
    shared: Wire
    server: redis_server.Server


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    for why in (postgres.missing(), redis_server.missing()):
        if why is not None:
            pytest.skip(why)
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        database = stack.enter_context(postgres.running())
        server = stack.enter_context(redis_server.running())
        store = stack.enter_context(wire(database.port))
        shared = stack.enter_context(wire(server.port))
        place = database.database()
        more = f"\nstore: {{url: {place}}}\ncluster: {{url: {server.url}}}\n"
        here = stack.enter_context(set_stage(folder / "demo", settle=lambda text, _: text + more))
        text = (here.state / "ringfence.yaml").read_text()
        text = text.replace(f":{database.port}/", f":{store.port}/")
        text = text.replace(server.url, f"redis://127.0.0.1:{shared.port}")
        text, named = re.subn(r"(?m)^node: .*$", "node: second", text)
        assert named == 1
        there = stack.enter_context(second(here, folder, text))
        found = Cluster(here, there, place, store, shared, server)
        until(lambda: status(found.there)["others"] == 1)
        yield found


def status(stage: Stage) -> dict[str, object]:
    found: dict[str, object] = Client(stage.state / "admin.sock").status()["nodes"]
    return found


def seen(stage: Stage, source: str) -> int:
    """Return as what a client of `source` is answered; 0: its connection is ended."""
    tls = ssl.create_default_context(cafile=str(stage.ca))
    transport = httpx.HTTPTransport(verify=tls, local_address=source)
    with httpx.Client(base_url=stage.gateway, transport=transport) as http:
        try:
            return http.get("/api/v3/time").status_code
        except httpx.TransportError:
            return 0


def config(stage: Stage) -> str:
    return str(stage.state / "ringfence.yaml")


def trades(stage: Stage, key: Key) -> None:
    """Wait until a key trades there: after a wire was cut, or because this machine is busy."""
    until(lambda: order(stage, key) == "open")


def test_a_suspension_reaches_the_other_before_half_a_second(pair: Cluster) -> None:
    # One of them may meet a machine that does something else.
    took = [suspended_after(pair) for _ in range(3)]
    assert min(took) < ELSEWHERE_S, took


def accepted_for(stage: Stage, key: Key, since_us: int) -> float:
    """Return for how many seconds from then on the gateway accepted orders of a key.

    By its ledger: what a client sees is later by what the client takes.
    """
    wanted = {"kind": "decision", "operation": "order.place", "credential": key.key_id}
    found = entries(stage, **wanted, outcome="permitted")
    last_us: int = max(entry["time_us"] for entry in found)
    return (last_us - since_us) / 1_000_000


def test_without_its_store_one_refuses_the_revoked_key_and_no_other(pair: Cluster) -> None:
    revoked, other = pair.made("alice"), pair.made("bob")
    trades(pair.there, revoked)
    with pair.store.cut():
        time.sleep(ELSEWHERE_S)
        pair.admin.step(revoked.key_id, "deactivate", "stolen")
        since_us = time.time_ns() // 1000
        until(lambda: order(pair.there, revoked) != "open")
        for _ in range(3):
            trades(pair.there, other)
            assert not reads(pair.there, revoked)
        assert events(pair.there, "cluster.closed", first=revoked.key_id)
    assert accepted_for(pair.there, revoked, since_us) < ELSEWHERE_S
    until(lambda: events(pair.there, "credential.state", credential=revoked.key_id))
    assert not reads(pair.there, revoked)


def test_one_that_hears_of_nobody_changes_nothing_within_half_a_second(pair: Cluster) -> None:
    key = pair.made("bob")
    trades(pair.there, key)
    since_us = time.time_ns() // 1000
    with pair.store.cut(), pair.shared.cut():
        until(lambda: "store" in order(pair.there, key))
        assert reads(pair.there, key)
        assert accepted_for(pair.there, key, since_us) < ELSEWHERE_S
        trades(pair.here, key)
        until(lambda: events(pair.there, "store.stale", refuses="yes"))
        assert "store" in order(pair.there, key)
    trades(pair.there, key)


def test_a_forged_announcement_changes_nothing_and_is_told(pair: Cluster) -> None:
    key = pair.made("bob")
    master = MasterKey.read(pair.here.state / "keys" / "master.key")
    hint = Hint("credentials", 10**6, (key.key_id,))
    forged = Sealed(MasterKey(bytes(32)), "ringfence").close("hint", hint.content("x", "y", 1))
    prefix = Sealed(master, "ringfence").prefix
    number = pair.server.client.incr(f"{prefix}:number")
    [there] = pair.server.client.keys(f"{prefix.replace('{', '[{]')}:*:announced")
    pair.server.client.zadd(there, {forged: number})
    until(lambda: events(pair.here, "cluster.refused") and events(pair.there, "cluster.refused"))
    trades(pair.here, key)
    trades(pair.there, key)


def test_a_ban_and_its_end_by_hand_hold_at_both(pair: Cluster) -> None:
    source = "127.0.0.77"
    ringfence("ban", "add", source, "--for", "1h", "--why", "scan", "-c", config(pair.here))
    until(lambda: seen(pair.there, source) == 418)
    [told] = events(pair.there, "ban.added", why="scan")
    assert (told["through"], told["origin"]) == ("cluster", "operator")
    assert seen(pair.there, "127.0.0.78") == 200
    # Lifted by the one that only heard of it.
    ringfence("ban", "lift", source, "-c", config(pair.there))
    until(lambda: seen(pair.here, source) == 200)


def test_with_the_server_lost_each_bans_by_itself_and_both_agree_afterwards(
    pair: Cluster,
) -> None:
    with pair.server.lost():
        until(lambda: events(pair.here, "cluster.lost"))
        ringfence("ban", "add", "127.0.0.79", "--for", "1h", "-c", config(pair.here))
        assert seen(pair.here, "127.0.0.79") == 418
        assert seen(pair.there, "127.0.0.79") == 200
        trades(pair.there, pair.here.trader)
    until(lambda: seen(pair.there, "127.0.0.79") == 418)
    until(lambda: events(pair.here, "cluster.back"))
    # What the server forgets, those remember who said it.
    pair.server.client.flushall()
    until(lambda: events(pair.there, "cluster.emptied"))
    until(lambda: pair.server.client.keys("*banned"))
    ringfence("ban", "lift", "127.0.0.79", "-c", config(pair.here))
    until(lambda: seen(pair.there, "127.0.0.79") == 200)


def test_made_keys_trade_at_both(pair: Cluster) -> None:
    made = pair.admin.create(NewKey("alice", ["read", "trade"], ["127.0.0.0/8"]))
    key = Key(made["key_id"], made["secret"])
    until(lambda: order(pair.there, key) == "open")


def test_no_secret_stands_in_a_log(pair: Cluster) -> None:
    log = (Path(pair.there.state).parent / "again.log").read_text()
    assert str(pair.place).split("@")[0].rpartition(":")[2] not in log
