"""This gateway among those of its cluster: what it tells them, and what it makes of what they tell.

One thread says that we are here, and reads all that came since: bans, which it has the engine
take; and hints of whom something has changed, whom it has the store asked about at once. What the
store does not answer in time for is taken out of use until it does. With the server lost, each
gateway bans by itself and follows the store as it would without.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from ringfence.api.applying import Touched
from ringfence.api.clock import now_us
from ringfence.api.cluster.bans import SharedBans, Word
from ringfence.api.cluster.hints import Hint
from ringfence.api.cluster.link import Found, Link, Marks, Place
from ringfence.api.cluster.members import Beat, Members
from ringfence.api.cluster.sealed import Sealed
from ringfence.api.following import Following
from ringfence.api.keys import KeyService
from ringfence.api.repeating import repeating
from ringfence.config import Loaded
from ringfence.engine import Detail, Engine
from ringfence.errors import ClusterError, EngineError, GatewayError
from ringfence.identity.feed import Feed, News
from ringfence.identity.shards import ISOLATED
from ringfence.identity.tree import Tree

__all__ = ["Node"]

PERIOD_S = 0.025
GRACE_S = 0.15
"""How long the store may take to answer for what was announced."""
LOST_S = 0.5
"""How long the server may not answer before somebody hears of it."""
TOLD_AGAIN_S = 60.0
"""How often it is told that something forged is there."""
NAMES_AT_ONCE = 500
SAID_AT_ONCE = 100
MOST_UNSENT = 10_000
"""Announcements that wait for the server; the oldest go when there are more."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A hint that the store has not told of yet."""

    hint: Hint
    since_s: float


class Node:
    """One gateway of a cluster. `once` is for one thread; `announce` for any."""

    def __init__(
        self,
        name: str,
        link: Link,
        sealed: Sealed,
        following: Following,
        tree: Tree,
        engine: Engine,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        time_us: Callable[[], int] = now_us,
    ) -> None:
        """Keep what is needed. `tree` is asked by whoever announces."""
        self._name = name
        self._boot = secrets.token_hex(8)
        self._link = link
        self._sealed = sealed
        self._following = following
        self._tree = tree
        self._engine = engine
        self._tell = tell
        self._clock = clock
        self._time_us = time_us
        self.bans = SharedBans(engine, name)
        self._members = Members()
        self.wake = threading.Event()
        # Appended by whoever announces, taken out by who sends.
        self._unsent: deque[Hint] = deque()
        self._sent = 0
        self._marks = Marks()
        self._awaited: list[Awaited] = []
        self._hearing = threading.Lock()
        self._heard: deque[tuple[str, int]] = deque(maxlen=4096)
        self._forged_s: float | None = None
        self._forged = 0
        # When it was asked before: what is new now came after that. A number and a text are whole
        # whenever they are read.
        self._seen = clock()
        self._problem = ""
        self._lost = False

    def announce(self, sort: str, serial: int, name: str, takes_away: bool) -> None:
        """Have the others told of a change in the store. Waits for nothing but this store."""
        names = [name]
        if sort == "principals" and takes_away:
            with suppress(GatewayError):
                names = [name, *self._tree.below(name)]
        for start in range(0, len(names), NAMES_AT_ONCE):
            some = tuple(names[start : start + NAMES_AT_ONCE])
            self._unsent.append(Hint(sort, serial, some, takes_away))
        self.wake.set()

    def relay(self, news: News) -> None:
        """Announce what the store told of, and nobody else did: a command beside the gateways."""
        with self._hearing:
            heard = set(self._heard)
        changed = [("credentials", one.serial, one.key_id, one.before) for one in news.credentials]
        changed += [
            ("principals", one.serial, one.principal, one.before) for one in news.principals
        ]
        isolated = [one for one in news.shards if one.state == ISOLATED]
        changed += [("shards", one.serial, str(one.shard), "") for one in isolated]
        for sort, serial, name, before in changed:
            if (sort, serial) not in heard and before is not None:
                self.announce(sort, serial, name, True)

    def once(self) -> None:
        """Say what is to be said, and take what the others have. Never raises for the server."""
        asked = self._clock()
        try:
            self._say_hints()
            self._take(self._link.ask(self._name, self._beat(), self._marks))
            self._say_bans()
        except ClusterError as e:
            self._problem = str(e)
            self._close_late()
            self._look()
            return
        except EngineError as e:
            # It is being stopped.
            self._problem = str(e)
            return
        self._seen, self._problem = asked, ""
        self._close_late()
        self._look()
        whole_at = self._members.whole_at(asked, self._following.seen)
        if whole_at is not None:
            self._following.vouch(whole_at)

    def _beat(self, *, bye: bool = False) -> bytes:
        owes = bool(self._unsent)
        beat = Beat(self._boot, self._time_us(), self._sent, owes, bye)
        content = {name: getattr(beat, name) for name in beat.__slots__}
        return self._sealed.close("node", {"node": self._name, **content})

    def _say_hints(self) -> None:
        while len(self._unsent) > MOST_UNSENT:
            # The others will miss its number, until the store has told them of it.
            self._unsent.popleft()
            self._sent += 1
        while self._unsent:
            hint = self._unsent[0]
            content = hint.content(self._name, self._boot, self._sent + 1)
            self._link.announce(self._sealed.close("hint", content))
            self._sent += 1
            self._unsent.popleft()

    def _take(self, found: Found) -> None:
        if self._marks.lost(found):
            self._tell("the cluster's server has lost what was there; bans are told again")
            self._event("cluster.emptied", {})
            self._marks = Marks()
            self.bans.say_all(self._time_us())
        self._marks.begun = found.begun
        for number, sealed in found.announced:
            self._each("hint", sealed, self._hear_hint)
            self._marks.announced = number
        # Behind the announcements that they count.
        for node, sealed in found.nodes.items():
            self._each("node", sealed, partial(self._hear_node, node.decode(errors="replace")))
        if found.bans:
            self.bans.look()
        for number, sealed in found.bans:
            self._each("ban", sealed, self._hear_ban)
            self._marks.bans = number

    def _each(self, sort: str, sealed: bytes, take: Callable[[dict[str, Any]], None]) -> None:
        """Take one thing that is there, if one of the cluster has said it."""
        try:
            take(self._sealed.open(sort, sealed))
        except (GatewayError, KeyError, TypeError, ValueError) as e:
            # Forged; or of another version of the gateway.
            self._forged += 1
            now = self._clock()
            if self._forged_s is None or now - self._forged_s > TOLD_AGAIN_S:
                self._forged_s = now
                self._tell(f"ALARM: refused on the cluster's server: {e}")
                self._event("cluster.refused", {"what": str(e)[:500], "count": self._forged})

    def _hear_node(self, field: str, content: dict[str, Any]) -> None:
        if content.pop("node", None) != field:
            raise ClusterError("one gateway's sign stands as another's", code="cluster_forged")
        if field != self._name:
            self._members.heard(field, Beat.read(content), self._seen)

    def _hear_hint(self, content: dict[str, Any]) -> None:
        hint = Hint.read(content)
        if content["boot"] == self._boot:
            return
        self._members.arrived(content["node"], content["boot"], content["number"])
        with self._hearing:
            self._heard.append((hint.sort, hint.serial))
        if not self._following.covers(hint.sort, hint.serial):
            self._awaited.append(Awaited(hint, self._clock()))
            self._following.wake.set()

    def _hear_ban(self, content: dict[str, Any]) -> None:
        self.bans.hear(Word.read(content), self._time_us())

    def _say_bans(self) -> None:
        for word in self.bans.unsaid(self._time_us())[:SAID_AT_ONCE]:
            sealed = self._sealed.close("ban", word.content())
            name = self._sealed.name("ban", word.target)
            self._link.put_ban(name, sealed, word.until_us // 1_000_000 + 1)
            self.bans.said(word)

    def _close_late(self) -> None:
        """Take out of use what the store has not told of in time."""
        now, waiting = self._clock(), []
        for one in self._awaited:
            if self._following.covers(one.hint.sort, one.hint.serial):
                continue
            if now - one.since_s < GRACE_S:
                waiting.append(one)
            elif one.hint.takes_away:
                self._close(one.hint)
        self._awaited = waiting

    def _close(self, hint: Hint) -> None:
        touched = touched_by(hint)
        if self._following.close_until(hint.sort, hint.serial, touched):
            named = ", ".join(hint.names[:8])
            self._tell(f"out of use until the store tells how it stands: {hint.sort} {named}")
            about: Detail = {"sort": hint.sort, "change": hint.serial, "count": len(hint.names)}
            self._event("cluster.closed", {**about, "first": hint.names[0]})

    def _look(self) -> None:
        """Tell when the server is lost, or is back."""
        lag_s = self._clock() - self._seen
        if not self._lost and lag_s > LOST_S:
            self._lost = True
            self._tell(f"bans and revocations are not shared: {self._problem}")
            about: Detail = {"what": self._problem[:500], "part": "bans and revocations"}
            self._event("cluster.lost", about)
        elif self._lost and not self._problem:
            self._lost = False
            self._tell("bans and revocations are shared again")
            self._event("cluster.back", {"part": "bans and revocations"})

    def _event(self, name: str, detail: Detail) -> None:
        # The ledger tells elsewhere that it takes nothing.
        with suppress(EngineError):
            self._engine.event(name, detail)

    def status(self) -> dict[str, Any]:
        """Return how this gateway stands among the others."""
        now = self._clock()
        about: dict[str, Any] = {
            "reachable": not self._lost and now - self._seen <= LOST_S,
            "lag_ms": int((now - self._seen) * 1000),
            "others": self._members.count(),
            "silent": self._members.silent(now),
            "learnt_bans": self.bans.learnt,
            "refused": self._forged,
        }
        return about | ({"problem": self._problem} if self._problem else {})

    @classmethod
    def of(
        cls,
        loaded: Loaded,
        keys: KeyService,
        feed: Feed,
        following: Following,
        engine: Engine,
        tell: Callable[[str], None],
    ) -> Node | None:
        """Make the one that the configuration says; None: the gateway is in no cluster.

        Raises:
            StoreError: the store cannot be read.
        """
        cluster = loaded.config.cluster
        if cluster is None:
            return None
        sealed = Sealed(keys.master, cluster.prefix)
        place = Place(
            cluster.url.get_secret_value(),
            sealed.prefix,
            sealed.name("store", feed.origin()),
            loaded.cluster_roots(),
        )
        tree = keys.store.principals
        made = cls(loaded.config.node, Link(place), sealed, following, tree, engine, tell)
        keys.own.announce = made.announce
        following.relay = made.relay
        return made

    @contextmanager
    def going(self) -> Iterator[Node]:
        """Take part on a thread of its own, as long as the context lasts; then say that we end."""
        self.once()
        try:
            with repeating(self.once, PERIOD_S, "cluster", 1.0, self.wake):
                yield self
        finally:
            with suppress(ClusterError):
                self._say_hints()
                self._link.ask(self._name, self._beat(bye=True), self._marks)
            self._link.close()


def touched_by(hint: Hint) -> Touched:
    """Return of what a hint says that it has changed."""
    numbers = [int(name) for name in hint.names if name.isdecimal()]
    return {
        "credentials": Touched(credentials=hint.names),
        "principals": Touched(principals=hint.names),
        "addresses": Touched(accounts=hint.names),
        "shards": Touched(shards=numbers),
    }[hint.sort]
