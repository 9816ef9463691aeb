"""A change at one gateway is announced to the others, who look in the store or close what it names.

With a real server between them, and clocks that stand until they are set.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ringfence.api import NewPrincipal, ensure_owner
from ringfence.api.cluster.hints import Hint
from ringfence.api.cluster.link import Link, Marks, Place
from ringfence.api.cluster.members import Beat, Members
from ringfence.api.cluster.node import GRACE_S, LOST_S, Node
from ringfence.api.cluster.sealed import Sealed
from ringfence.api.following import FollowRules
from ringfence.config.certificate import issue
from ringfence.engine import Engine
from ringfence.errors import ClusterError
from ringfence.identity import MasterKey, Store
from ringfence.identity.address import NewAddress
from tests import redis_server
from tests.lost import lost
from tests.ports import free_port
from tests.unit.test_following import MASTER, Told
from tests.unit.test_following import Node as Gateway

RULES = FollowRules(stale_s=0.45, refuses=True)


@pytest.fixture(scope="module")
def server() -> Iterator[redis_server.Server]:
    if (why := redis_server.missing()) is not None:
        pytest.skip(why)
    with redis_server.running() as found:
        yield found


class Member:
    """A gateway with its part of the cluster."""

    def __init__(self, name: str, place: Path, url: str, root: bytes = MASTER) -> None:
        self.gateway = Gateway(place, rules=RULES)
        self.engine: Told = self.gateway.engine
        self.sealed = Sealed(MasterKey(root), "test")
        store = self.sealed.name("store", self.gateway.following._feed.origin())
        self.link = Link(Place(url, self.sealed.prefix, store))
        self.time_us = 1
        self.node = Node(
            name,
            self.link,
            self.sealed,
            self.gateway.following,
            self.gateway.store.principals,
            cast("Engine", self.engine),
            self.gateway.said.append,
            lambda: self.gateway.now_s,
            self._time_us,
        )
        self.gateway.keys.own.announce = self.node.announce
        self.gateway.following.relay = self.node.relay

    def _time_us(self) -> int:
        self.time_us += 1
        return self.time_us

    def tick(self, after_s: float = 0.0) -> None:
        """Let time pass, then say and hear."""
        self.gateway.now_s += after_s
        self.node.once()

    def vouched(self) -> bool:
        """Let time pass, and tell whether the engine was told to go on by the cluster alone."""
        before = len(self.engine.renewed)
        self.tick(0.025)
        return len(self.engine.renewed) > before

    def close(self) -> None:
        self.gateway.close()
        self.link.close()


Make = Callable[..., Member]


@pytest.fixture
def member(tmp_path: Path, server: redis_server.Server) -> Iterator[Make]:
    """Return what makes gateways on one store and one server, which is empty."""
    server.client.flushall()
    place = tmp_path / "state.db"
    Store.create(place)
    ensure_owner(Store(place).principals, 0)
    made: list[Member] = []

    def make(name: str, **more: Any) -> Member:
        made.append(Member(name, place, server.url, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def pair(member: Make) -> tuple[Member, Member, str]:
    """Return two gateways that know each other, and a key that both know."""
    a, b = member("a"), member("b")
    key = a.gateway.key()
    for _ in range(2):
        a.tick()
        b.tick()
        b.gateway.follow()
    return a, b, key


def test_an_announcement_has_the_store_asked_at_once(member: Make) -> None:
    a, b, key = pair(member)
    b.gateway.following.wake.clear()
    a.gateway.keys.step(key, "suspend", "", "ann")
    assert a.node.wake.is_set()
    a.tick()
    b.tick()
    assert b.gateway.following.wake.is_set()
    b.gateway.follow()
    b.tick(2 * GRACE_S)
    assert b.gateway.states() == {key: "suspended"}
    assert "cluster.closed" not in b.engine.names()


def test_what_the_store_does_not_tell_of_is_closed_until_it_does(member: Make, place: Path) -> None:
    a, b, key = pair(member)
    other = a.gateway.key()
    b.gateway.follow()
    a.gateway.keys.rescope(key, ["read"], "", "ann")
    a.tick()
    with lost(place):
        b.tick()
        b.gateway.following.once()
        assert b.gateway.states()[key] == "active"
        b.tick(2 * GRACE_S)
        assert b.gateway.states() == {key: "suspended", other: "active"}
        assert b.engine.events[-1] == (
            "cluster.closed",
            {"sort": "credentials", "change": 3, "count": 1, "first": key},
        )
    b.gateway.follow()
    # As it stands in the store: it may read.
    assert b.gateway.states()[key] == "active"
    assert b.engine.known[key]["scopes"] == ["read"]


def test_all_below_a_principal_are_closed_with_it(member: Make, place: Path) -> None:
    a, b, _ = pair(member)
    a.gateway.principals.create(NewPrincipal("firm", "organisation"), "ann")
    a.gateway.principals.move("desk", "firm", "", "ann")
    b.gateway.follow()
    a.gateway.principals.step("firm", "suspend", "", "ann")
    a.gateway.principals.step("firm", "resume", "", "ann")
    a.tick()
    with lost(place):
        b.tick()
        b.tick(2 * GRACE_S)
    assert b.engine.held["firm"] and b.engine.held["desk"]
    b.gateway.follow()
    assert not b.engine.held["firm"] and not b.engine.held["desk"]


def test_an_account_is_closed_that_lost_an_address_and_not_one_that_got_one(
    member: Make, place: Path
) -> None:
    a, b, _ = pair(member)
    added = a.gateway.addresses.add(NewAddress("desk", "BTC", "bc1qhome"), "ann")
    a.tick()
    with lost(place):
        b.tick()
        b.tick(2 * GRACE_S)
    assert b.engine.held == {}
    b.gateway.follow()
    a.gateway.addresses.remove(added["id"], "", "ann")
    a.tick()
    with lost(place):
        b.tick()
        b.tick(2 * GRACE_S)
    assert b.engine.held == {"desk": True}
    b.gateway.follow()
    assert b.engine.held == {"desk": False}
    assert b.engine.addresses == {"desk": []}


def test_a_change_by_a_command_is_announced_by_whoever_hears_of_it(
    member: Make, place: Path
) -> None:
    a, b, key = pair(member)
    command = Gateway(place, engine=False)
    command.keys.step(key, "suspend", "", "ann")
    command.close()
    a.gateway.follow()
    a.tick()
    with lost(place):
        b.tick()
        b.tick(2 * GRACE_S)
    assert b.gateway.states() == {key: "suspended"}


def test_a_forged_announcement_is_refused_and_told(member: Make, place: Path) -> None:
    a, b, key = pair(member)
    forger = Sealed(MasterKey(b"\1" * 32), "test")
    hint = Hint("credentials", 99, (key,))
    forged = forger.close("hint", hint.content("a", "00", 1))
    a.link.announce(forged)
    a.link.announce(b"nonsense")
    a.link.announce(json.dumps(hint.content("a", "00", 1)).encode())
    # What was said as something else does not open as this.
    a.link.announce(a.sealed.close("ban", hint.content("a", "00", 1)))
    with lost(place):
        b.tick()
        b.tick(2 * GRACE_S)
    assert b.gateway.states() == {key: "active"}
    assert b.node.status()["refused"] == 4
    told = [detail for name, detail in b.engine.events if name == "cluster.refused"]
    assert len(told) == 1 and "no gateway of this cluster" in str(told[0]["what"])


def test_gateways_with_another_root_key_are_another_cluster(member: Make) -> None:
    a, b = member("a"), member("b", root=b"\2" * 32)
    for one in (a, b, a, b):
        one.tick()
    assert a.node.status()["others"] == b.node.status()["others"] == 0
    assert a.node.status()["refused"] == 0


def test_with_the_store_lost_it_goes_on_as_long_as_all_others_are_heard(
    member: Make, place: Path
) -> None:
    a, b, _ = pair(member)
    with lost(place):
        for _ in range(20):
            a.tick(0.025)
            assert b.vouched()
        # The other falls silent: it may be changing what nobody hears of.
        age_ms = 0
        for _ in range(20):
            b.tick(0.025)
            age_ms, _ = b.engine.renewed[-1]
        assert age_ms >= 450
        assert b.node.status()["silent"] == ["a"]


def test_whoever_ended_is_not_waited_for(member: Make, place: Path) -> None:
    a, b, _ = pair(member)
    with a.node.going():
        pass
    b.tick()
    with lost(place):
        for _ in range(20):
            assert b.vouched()
        assert b.engine.renewed[-1][0] < 50
    assert b.node.status()["others"] == 0


def test_an_announcement_that_is_taken_away_is_missed(
    member: Make, place: Path, server: redis_server.Server
) -> None:
    a, b, key = pair(member)
    a.gateway.keys.step(key, "suspend", "", "ann")
    a.tick()
    [there] = server.client.keys("*announced")
    server.client.delete(there)
    with lost(place):
        assert not b.vouched()
        a.tick()
        assert not b.vouched()
    # The store tells of whatever it was.
    b.gateway.now_s += 0.01
    b.gateway.follow()
    a.tick()
    assert b.vouched()


def test_a_lost_server_is_told_and_taken_up_again_by_itself(
    member: Make, server: redis_server.Server
) -> None:
    _, b, _ = pair(member)
    told = len(b.engine.events)
    with server.lost():
        for _ in range(3):
            b.tick(LOST_S)
        assert b.node.status()["reachable"] is False and b.node.status()["problem"]
    b.tick()
    assert b.node.status()["reachable"]
    assert b.engine.names()[told:] == ["cluster.lost", "cluster.back"]


def test_a_server_is_asked_by_tls_with_a_password_and_no_word_of_a_failure_has_it(
    tmp_path: Path,
) -> None:
    if (why := redis_server.missing()) is not None:
        pytest.skip(why)
    issued, password = issue("127.0.0.1:0"), "not-for-logs"
    for name, content in (("pem", issued.certificate), ("key", issued.key), ("ca", issued.ca)):
        (tmp_path / name).write_bytes(content)
    files = [f"--tls-cert-file {tmp_path}/pem", f"--tls-key-file {tmp_path}/key"]
    files += [f"--tls-ca-cert-file {tmp_path}/ca", "--tls-auth-clients no"]
    port = free_port()
    user = f"--user ringfence on >{password} ~* +@all"
    options = [word for option in files for word in option.split(" ", 1)]
    with redis_server.running("--tls-port", str(port), *options, *user.split(" ")):
        url = f"rediss://ringfence:{password}@127.0.0.1:{port}"
        place = Place(url, "{x}", "y", str(tmp_path / "ca"))
        link = Link(place)
        assert link.ask("a", b"beat", Marks()).nodes == {b"a": b"beat"}
        link.close()
        wrong = [replace(place, ca=None), replace(place, url=url.replace(password, "another"))]
        for one in wrong:
            with pytest.raises(ClusterError) as refused:
                Link(one).ask("a", b"beat", Marks())
            assert password not in str(refused.value) and "another" not in str(refused.value)


def test_what_was_said_before_is_no_sign_of_life() -> None:
    members = Members()
    beat = Beat("boot", 10, 0)
    members.heard("a", beat, 1.0)
    members.heard("a", beat, 2.0)
    members.heard("a", Beat("older", 5, 0), 3.0)
    assert members.whole_at(4.0, 0.0) == 1.0
    members.heard("a", Beat("boot", 11, 0), 3.5)
    assert members.whole_at(4.0, 0.0) == 3.5
    # It has something to tell.
    members.heard("a", Beat("boot", 12, 0, owes=True), 3.9)
    assert members.whole_at(4.0, 0.0) == 3.5


def test_nothing_on_the_server_can_be_read_or_be_of_use_to_others(
    member: Make, server: redis_server.Server
) -> None:
    a, _, key = pair(member)
    a.gateway.keys.step(key, "suspend", "", "ann")
    a.tick()
    everything = b"".join(server.client.dump(name) or b"" for name in server.client.scan_iter("*"))
    assert key.encode() not in everything and b"desk" not in everything
    with pytest.raises(ClusterError):
        Sealed(MasterKey(MASTER), "other").open("hint", a.sealed.close("hint", {}))
    assert "0000" not in repr(a.sealed)
