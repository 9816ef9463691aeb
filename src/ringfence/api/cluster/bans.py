"""Bans that gateways share: state, not steps.

Of each target the newest word counts, whoever said it: banned until then, or lifted. Two gateways
that hear each other's words in any order, or twice, end at the same one. Reads no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ringfence.engine import Detail, Engine
from ringfence.errors import ClusterError

__all__ = ["SharedBans", "Word"]

LIFT_KEPT_US = 600_000_000
"""How long a lifted ban's word stays at least: clocks of gateways differ."""


@dataclass(frozen=True, slots=True)
class Word:
    """What is said of one target."""

    target: str
    version: tuple[int, str]
    """When it was said, by the clock of who said it but always after what it answers; and who."""
    until_us: int
    ban: Mapping[str, Any] | None
    """None: lifted."""

    def content(self) -> dict[str, Any]:
        """Return it as it is sealed."""
        return {
            "target": self.target,
            "version": list(self.version),
            "until_us": self.until_us,
            "ban": None if self.ban is None else dict(self.ban),
        }

    @classmethod
    def read(cls, content: dict[str, Any]) -> Word:
        """Read one that was sealed.

        Raises:
            ClusterError: another version of the gateway has written it.
        """
        try:
            time_us, node = content["version"]
            ban = content["ban"]
            word = cls(content["target"], (time_us, node), content["until_us"], ban)
        except (KeyError, TypeError, ValueError) as e:
            raise ClusterError("a ban of another form is there", code="cluster_forged") from e
        return word


class SharedBans:
    """What this gateway and the others have said of targets. One thread."""

    def __init__(self, engine: Engine, node: str) -> None:
        """Begin with what the engine has: nothing of it has been said yet."""
        self._engine = engine
        self._node = node
        self._words: dict[str, Word] = {}
        # Of whom a ban was in force here when that was last looked at.
        self._held: set[str] = set()
        self._unsaid: dict[str, Word] = {}
        # What the engine has, as it was read last.
        self._there: dict[str, Mapping[str, Any]] = {}
        self._changed = -1
        self.learnt = 0

    def hear(self, word: Word, now_us: int) -> None:
        """Take another gateway's word, if it is newer than what was said of its target.

        Raises:
            EngineError: the engine cannot read it, or is not started.
        """
        known = self._words.get(word.target)
        if word.until_us <= now_us or (known is not None and known.version >= word.version):
            if known is not None and known.version > word.version:
                # It came in the newer one's place: two said something at once, or it was put back.
                self._unsaid[word.target] = known
            return
        detail: Detail = {"through": "cluster", "node": word.version[1]}
        there = self._there.get(word.target)
        if word.ban is not None:
            taken = there is not None and told(there) == told(word.ban)
            if not taken:
                taken = self._engine.learn_ban(word.ban, detail).recorded
                self.learnt += 1
            # What is stricter here has stayed, and what there is no room for is not in force.
            if taken or there is not None:
                self._held.add(word.target)
        elif there is not None and there["since_us"] <= word.version[0]:
            self._engine.lift_ban(word.target, detail)
            self._held.discard(word.target)
            self.learnt += 1
        self._words[word.target] = word
        self._unsaid.pop(word.target, None)
        self._changed = -1

    def look(self) -> None:
        """Read what the engine has.

        Raises:
            EngineError: the engine is not started.
        """
        self._there = {ban["target"]: ban for ban in self._engine.bans()}

    def unsaid(self, now_us: int) -> list[Word]:
        """Return what is to be said to the others. What was said is told by `said`.

        Raises:
            EngineError: the engine is not started.
        """
        changed = self._engine.bans_changed()
        if changed != self._changed:
            self._compare(now_us)
            self._changed = changed
        return list(self._unsaid.values())

    def said(self, word: Word) -> None:
        """Note that the others can hear it now."""
        if self._unsaid.get(word.target) is word:
            del self._unsaid[word.target]

    def say_all(self, now_us: int) -> None:
        """Have all said again: the server has lost what was there."""
        self._forget(now_us)
        self._unsaid |= self._words

    def _compare(self, now_us: int) -> None:
        """Find what is in force here, or no longer, and has not been said."""
        self._forget(now_us)
        self.look()
        for target, ban in self._there.items():
            word = self._words.get(target)
            if word is None or word.ban is None or told(word.ban) != told(ban):
                self._say(target, ban["since_us"], ban["until_us"], ban)
            self._held.add(target)
        for target in self._held - self._there.keys():
            self._held.discard(target)
            word = self._words.get(target)
            # One that ended by itself has been said to end.
            if word is not None and word.ban is not None:
                self._say(target, now_us, max(word.until_us, now_us + LIFT_KEPT_US), None)

    def _say(self, target: str, time_us: int, until_us: int, ban: Mapping[str, Any] | None) -> None:
        known = self._words.get(target)
        after_us = 0 if known is None else known.version[0] + 1
        word = Word(target, (max(time_us, after_us), self._node), until_us, ban)
        self._words[target] = self._unsaid[target] = word

    def _forget(self, now_us: int) -> None:
        over = [target for target, word in self._words.items() if word.until_us <= now_us]
        for target in over:
            del self._words[target]
            self._unsaid.pop(target, None)
            self._held.discard(target)


def told(ban: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what of a ban is the same on every gateway."""
    return tuple(ban[name] for name in ("answer", "reach", "since_us", "until_us", "step", "why"))
