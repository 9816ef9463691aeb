"""What can be done with shards: looked at, filled otherwise, drained, isolated, resumed.

The store first, then the engine, then the ledger: as with credentials, a crash leaves a change that
the next start applies, never one that it forgets.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from ringfence.api.clock import now_us
from ringfence.api.keys import KeyService, unfollowed
from ringfence.api.telling import read_why
from ringfence.engine import Detail, Engine
from ringfence.errors import EngineError, ShardError
from ringfence.identity.placement import ShardChange
from ringfence.identity.shards import ISOLATED, SERVING
from ringfence.identity.stepup import May, refused

__all__ = ["STEPS", "AskedShards", "ShardBook", "ShardService", "told_shard"]

STEPS = {"drain": "draining", "isolate": ISOLATED, "resume": SERVING}
"""What is asked for, and how a shard stands then."""


class ShardBook(Protocol):
    """What the service in this process, for one person, and a client of a gateway both do."""

    def shards(self) -> list[dict[str, Any]]:
        """Return all shards."""
        ...

    def move_to_shard(self, principal: str, shard: int | None, why: str) -> dict[str, Any]:
        """Put a principal, and all below it, into a shard; None: back to where it stood."""
        ...

    def step_shard(self, shard: int, asked: str, why: str) -> dict[str, Any]:
        """Drain, isolate or resume a shard."""
        ...


class ShardService:
    """Changes shards in the store, and in the engine when one runs in this process."""

    def __init__(self, keys: KeyService, clock: Callable[[], int] = now_us) -> None:
        """Keep the keys' store, engine and order: what stands in a shard are keys."""
        self._keys = keys
        self._shards = keys.store.shards
        self._clock = clock

    def all(self) -> list[dict[str, Any]]:
        """Return all shards; what only a running engine counts is None without one.

        Raises:
            ShardError: `shards_off`.
        """
        rules, engine = self._shards.rules, self._keys.engine
        rules.check()
        moved, states = self._shards.moved(), self._shards.states()
        counted = {} if engine is None else {one["shard"]: one for one in engine.shards()}
        nothing = dict.fromkeys(COUNTED)
        return [
            {
                **nothing,
                "shard": shard,
                "state": states.get(shard, SERVING),
                "pinned": sorted(name for name, there in rules.pins.items() if there == shard),
                "moved": sorted(name for name, there in moved.items() if there == shard),
                **counted.get(shard, {}),
            }
            for shard in range(rules.count)
        ]

    def move(self, principal: str, shard: int | None, why: str, who: str) -> dict[str, Any]:
        """Put a principal, with all below it, into a shard; None: to where pins and hash say.

        When this returns the engine counts and refuses what they ask as that shard has it.

        Raises:
            ShardError: `shards_off`, `shard_unknown`.
            PrincipalMissingError: there is none of this name.
            KeyTextError: it is an operator; the reason cannot be kept.
            EngineError: the running engine does not follow; the store has the change.
        """
        self._shards.rules.check(shard)
        why = read_why(why)
        with self._keys.order:
            change = self._shards.move(principal, shard, who, why, self._clock())
            placed = self._shards.below(principal)
            took_us = self._follow(change, lambda engine: engine.place(placed))
        return {"principal": principal, "shard": placed[principal], "effective_us": took_us}

    def step(self, shard: int, asked: str, why: str, who: str) -> dict[str, Any]:
        """Drain, isolate or resume a shard, in the engine too.

        When this returns nobody in a shard that is isolated is served, on what is open neither.

        Raises:
            ShardError: `shards_off`, `shard_unknown`.
            KeyTextError: the reason cannot be kept.
            EngineError: the running engine does not follow; the store has the change.
        """
        self._shards.rules.check(shard)
        if (state := STEPS.get(asked)) is None:
            hint = "what can be asked: " + ", ".join(STEPS)
            raise ShardError(f"{asked!r} is nothing that a shard does", hint=hint)
        why = read_why(why)
        with self._keys.order:
            change = self._shards.stand(shard, state, who, why, self._clock())
            took_us = self._follow(change, lambda engine: engine.set_shard(shard, state))
        return {"shard": shard, "state": state, "effective_us": took_us}

    def record_earlier(self) -> None:
        """Record in the ledger what was changed while no gateway ran.

        Raises:
            EngineError: the ledger does not take entries; the next start tries again.
        """
        with self._keys.order:
            for change in self._shards.unrecorded():
                self._record(change)

    def _follow(self, change: ShardChange | None, follow: Callable[[Engine], int]) -> int | None:
        """Let the engine follow, whether or not the store has changed; return its µs."""
        engine = self._keys.engine
        if engine is None:
            return None
        try:
            took_us = follow(engine)
        except EngineError as e:
            raise unfollowed(e) from e
        if change is not None:
            isolates = change.state == ISOLATED
            of = {change.serial: change.principal or str(change.shard)}
            self._keys.own.add("shards", of, takes_away=isolates)
            # The store has it as not recorded.
            with suppress(EngineError):
                self._record(change)
        return took_us

    def _record(self, change: ShardChange) -> None:
        if self._keys.engine is not None:
            self._keys.engine.event(*told_shard(change))
            self._shards.mark_recorded(change.serial)


COUNTED = (
    "accounts",
    "credentials",
    "permitted",
    "refused",
    "replay_claims",
    "replay_room",
    "limits",
)
"""What a running engine says of a shard."""


def told_shard(change: ShardChange) -> tuple[str, Detail]:
    """Return what the ledger says of a change: the event's name and its detail."""
    about: dict[str, str | int] = {
        "change": change.serial,
        "changed_us": change.time_us,
        "who": change.who,
    }
    if change.shard is not None:
        about["shard"] = change.shard
    about |= {"why": change.why} if change.why else {}
    if change.principal is None:
        return "shard.state", about | {"state": change.state or SERVING}
    return "shard.moved", about | {"principal": change.principal}


@dataclass(frozen=True, slots=True)
class AskedShards:
    """`ShardBook` of a service in this process, on behalf of one person.

    `may` judges their step-up, as at the admin API.
    """

    service: ShardService
    who: str
    may: May = refused

    def shards(self) -> list[dict[str, Any]]:
        """As `ShardService.all`."""
        return self.service.all()

    def move_to_shard(self, principal: str, shard: int | None, why: str) -> dict[str, Any]:
        """As `ShardService.move`, after the step-up that it needs."""
        self.may("shard.move", "")
        return self.service.move(principal, shard, why, self.who)

    def step_shard(self, shard: int, asked: str, why: str) -> dict[str, Any]:
        """As `ShardService.step`; what brings a shard back needs a step-up."""
        if asked == "resume":
            self.may("shard.resume", "")
        return self.service.step(shard, asked, why, self.who)
