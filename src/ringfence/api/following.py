"""Follows a store that others change too: other gateways on it, and commands beside them.

One thread asks the store whether there is anything new, and has the engine take it; another looks
whether the first gets on. What the store does not say any more, the engine goes on with; where the
configuration wants it, the engine itself stops changing anything at the venue when nobody has told
it for `stale_s` that it is up to date. So nothing that may hang here keeps it going.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ringfence.api.addresses import AddressService, told_address
from ringfence.api.applying import Applying, Touched
from ringfence.api.keys import KeyService
from ringfence.api.repeating import repeating
from ringfence.api.shards import told_shard
from ringfence.api.telling import told_credential, told_principal
from ringfence.engine import Detail, Engine
from ringfence.errors import EngineError, GatewayError
from ringfence.identity.address import Addresses
from ringfence.identity.feed import Feed, News
from ringfence.identity.shards import ISOLATED
from ringfence.identity.store import Store

__all__ = ["PATIENCE_S", "FollowRules", "Following"]

PATIENCE_S = 1.0
"""How long an answer of the store may take."""
UNREACHABLE_S = 2.0
"""How long it may not be followed before somebody hears of it."""
WATCH_S = 0.1
MOST_UNTOLD = 65_536
"""Events that wait for the ledger; the oldest go when there are more."""

Event = tuple[str, Detail]


@dataclass(frozen=True, slots=True)
class FollowRules:
    """How often the store is asked, and what it means when it says nothing for `stale_s`."""

    period_s: float = 0.1
    stale_s: float = 10.0
    refuses: bool = False
    """Whether nothing that changes state goes to the venue then."""

    @property
    def unreachable_s(self) -> float:
        """How long the store may not be followed before somebody hears of it."""
        return min(UNREACHABLE_S, self.stale_s)


class Following:
    """Keeps an engine as its store is."""

    def __init__(
        self,
        feed: Feed,
        store: Store,
        keys: KeyService,
        addresses: AddressService,
        engine: Engine,
        rules: FollowRules,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep what is needed. `feed` reads `store`, and began before the engine was filled."""
        self._feed = feed
        self._store = store
        self._addresses = Addresses(store.database, keys.master)
        self._applying = Applying(store, keys.master, engine)
        self._keys = keys
        self._order = addresses.order
        self._engine = engine
        self._rules = rules
        self._tell = tell
        self._clock = clock
        self._untold: deque[Event] = deque(maxlen=MOST_UNTOLD)
        # Written by who follows; a number and a text are whole whenever they are read.
        self._seen = clock()
        self._problem = ""
        self._refused = ""
        self._followed = 0
        # Written by whoever else knows that nothing has changed.
        self._vouched = self._seen
        # What was taken out of use until the store says how it is, by sort and number there.
        self._closed: dict[tuple[str, int], Touched] = {}
        self._closing = threading.Lock()
        self.wake = threading.Event()
        """Set it to have the store asked at once."""
        self.relay: Callable[[News], None] | None = None
        """Hears of what others changed, when it is in force here."""
        # Of who watches.
        self._lost: float | None = None
        self._stale = False

    def once(self) -> None:
        """Look once, and have the engine take what is new. Never raises for the store."""
        asked = self._clock()
        try:
            while self._feed.moved():
                self._take()
            self._reopen()
        except GatewayError as e:
            self._problem = str(e)
            return
        self._seen, self._problem = asked, ""
        self._renew(asked)
        self._record()

    @property
    def seen(self) -> float:
        """When the store was last asked, and known as it was."""
        return self._seen

    def vouch(self, asked: float) -> None:
        """Take somebody's word that all that had changed by then is known here, or is closed."""
        self._vouched = max(self._vouched, asked)
        self._renew(asked)

    def _renew(self, asked: float) -> None:
        if self._rules.refuses:
            age_ms = int((self._clock() - asked) * 1000)
            with suppress(EngineError):
                self._engine.renew(age_ms, int(self._rules.stale_s * 1000))

    def covers(self, sort: str, serial: int) -> bool:
        """Tell whether a change has been taken, by its sort and its number."""
        mark: int = getattr(self._feed.mark, sort)
        return mark >= serial

    def close_until(self, sort: str, serial: int, touched: Touched) -> bool:
        """Take these out of use until this change has been taken; False if it has been."""
        with self._closing:
            if self.covers(sort, serial):
                return False
            held = Touched(
                touched.credentials,
                [*touched.principals, *touched.accounts],
                touched.moved,
                touched.accounts,
                shards=touched.shards,
            )
            self._closed[sort, serial] = held
            for key_id in held.credentials:
                # One that is not known here is of no use as it is; nor is one at its end.
                with suppress(EngineError):
                    self._engine.put_credential_state(key_id, "suspended")
            if held.principals:
                with suppress(EngineError):
                    self._engine.hold_accounts(list(held.principals), True)
            for shard in held.shards:
                with suppress(EngineError):
                    self._engine.set_shard(shard, ISOLATED)
            return True

    def _reopen(self) -> None:
        """Have the engine take as it stands what was closed, once that has been followed."""
        with self._closing:
            due = {at: held for at, held in self._closed.items() if self.covers(*at)}
            for at in due:
                del self._closed[at]
        for at, held in due.items():
            try:
                with self._keys.order, self._order:
                    self._refuse(self._applying.apply(held))
            except GatewayError:
                with self._closing:
                    self._closed.setdefault(at, held)
                raise

    def _take(self) -> None:
        """Have the engine take the oldest news. In one order with what is changed here."""
        with self._keys.order, self._order:
            found = self._feed.news()
            theirs = found.without(self._keys.own.has)
            self._refuse(self._applying.apply(self._touched(theirs)))
            events = self._told(theirs)
            # Only now: what failed before is read again.
            self._feed.mark = found.mark
            self._keys.own.forget(found.mark)
        self._untold.extend(events)
        self._followed += len(events)
        if self.relay is not None:
            self.relay(theirs)

    def _touched(self, news: News) -> Touched:
        """Return of what news are."""
        steps = [one for one in news.principals if one.before is not None]
        states = [one for one in news.shards if one.principal is None]
        return Touched(
            credentials=[one.key_id for one in news.credentials],
            principals=[one.principal for one in steps],
            moved=[one.principal for one in steps if one.what],
            accounts=[self._addresses.account(one.address) for one in news.addresses],
            placed=[one.principal for one in news.shards if one.principal is not None],
            shards=[one.shard for one in states if one.shard is not None],
        )

    def _told(self, news: News) -> list[Event]:
        """Return what the ledger is told of news: what a gateway is told of its own."""
        tree = self._store.principals
        credentials = self._store.some([one.key_id for one in news.credentials])
        events = [
            *(told_principal(one, tree.one(one.principal)) for one in news.principals),
            *(told_credential(one, credentials[one.key_id]) for one in news.credentials),
            *(told_address(one, self._addresses.one(one.address)) for one in news.addresses),
            *(told_shard(one) for one in news.shards),
        ]
        return [(name, {**detail, "through": "store"}) for name, detail in events]

    def _refuse(self, problems: Sequence[str]) -> None:
        for problem in problems:
            self._refused = problem
            self._tell(f"the store has a change that the engine does not take: {problem}")
            self._untold.append(("store.refused", {"what": problem[:500]}))

    def _record(self) -> None:
        """Tell the ledger what it was not told yet, as far as it takes it."""
        with suppress(EngineError):
            while self._untold:
                self._engine.event(*self._untold[0])
                self._untold.popleft()

    def watch(self) -> None:
        """Look whether the store is being followed, and tell when it is not, or is again."""
        now, seen = self._clock(), self._seen
        lag_s = now - seen
        if lag_s <= self._rules.unreachable_s:
            self._back(now)
            return
        what = self._problem or "it does not answer"
        about: dict[str, str | int] = {"what": what[:500], "lag_ms": int(lag_s * 1000)}
        if self._lost is None:
            self._lost = seen
            self._tell(f"the store is not followed: {what}")
            self._event("store.unreachable", about)
        if not self._stale and self._is_stale(now, seen):
            self._stale = True
            stopped = (
                "nothing that changes state is accepted" if self._rules.refuses else "we go on"
            )
            self._tell(f"ALARM: the store is lost for {lag_s:.0f} s; {stopped}")
            self._event("store.stale", about | {"refuses": "yes" if self._rules.refuses else "no"})

    def _is_stale(self, now: float, seen: float) -> bool:
        return now - max(seen, self._vouched) > self._rules.stale_s

    def _back(self, now: float) -> None:
        if self._lost is None:
            return
        lost_ms = int((now - self._lost) * 1000)
        self._lost, self._stale = None, False
        self._tell(f"the store is followed again, after {lost_ms} ms")
        self._event("store.reachable", {"lost_ms": lost_ms})

    def _event(self, name: str, detail: Detail) -> None:
        # The ledger tells elsewhere that it takes nothing.
        with suppress(EngineError):
            self._engine.event(name, detail)

    def status(self) -> dict[str, Any]:
        """Return how far behind the store the engine may be, and what is wrong."""
        now = self._clock()
        lag_s = now - self._seen
        about: dict[str, Any] = {
            "lag_ms": int(lag_s * 1000),
            "reachable": lag_s <= self._rules.unreachable_s,
            "stale": self._is_stale(now, self._seen),
            "followed": self._followed,
        }
        found = {"problem": self._problem, "refused": self._refused}
        return about | {name: text for name, text in found.items() if text}

    @contextmanager
    def going(self) -> Iterator[Following]:
        """Follow and watch, each on a thread of its own."""
        patience_s = PATIENCE_S * 4
        self.once()
        try:
            with (
                repeating(self.once, self._rules.period_s, "following", patience_s, self.wake),
                repeating(self.watch, WATCH_S, "watching", patience_s),
            ):
                yield self
        finally:
            self._store.database.close()
