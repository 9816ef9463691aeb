"""Which gateways there are, and whether all that they announced has arrived. Reads no clock.

Each of them says again and again that it is here, and how much it has announced so far. One that
falls silent may be changing things that nobody hears of; one whose announcements are missing has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ringfence.errors import ClusterError

__all__ = ["BEAT_S", "GONE_S", "Beat", "Members"]

BEAT_S = 0.25
"""After so long without a sign a gateway is silent."""
GONE_S = 3_600.0
"""After so long one is no longer waited for that ended without saying so."""


@dataclass(frozen=True, slots=True)
class Beat:
    """What a gateway says of itself: which start of it, the how-manieth sign, announcements."""

    boot: str
    time_us: int
    announced: int
    owes: bool = False
    """Whether something was changed there that is still to be announced."""
    bye: bool = False

    @classmethod
    def read(cls, content: dict[str, Any]) -> Beat:
        """Read one that was sealed.

        Raises:
            ClusterError: another version of the gateway has written it.
        """
        try:
            return cls(**content)
        except TypeError as e:
            said = "a sign of another form is there"
            raise ClusterError(said, code="cluster_forged") from e


@dataclass(slots=True)
class Member:
    """Another gateway, as it was last heard."""

    beat: Beat
    heard_s: float
    arrived: int
    """Announcements of this start that have arrived, or that the store has told of."""
    missing_s: float | None = None
    """Since when some are missing."""
    early: set[int] = field(default_factory=set)

    def whole_at(self, now_s: float, read_s: float) -> float | None:
        """As `Members.whole_at`."""
        if self.missing_s is not None and read_s > self.missing_s:
            # The store has told of whatever it was.
            self.arrived = max(self.arrived, self.beat.announced)
            self.early.clear()
        if self.beat.announced > self.arrived:
            self.missing_s = now_s if self.missing_s is None else self.missing_s
            return None
        self.missing_s = None
        # Whoever has said that it ends changes nothing any more.
        return now_s if self.beat.bye else self.heard_s


class Members:
    """All gateways but this one."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[str, Member] = {}

    def heard(self, node: str, beat: Beat, since_s: float) -> None:
        """Take a sign of one, which it gave after `since_s`. What was said before is no sign."""
        known = self._known.get(node)
        if known is not None and beat.time_us <= known.beat.time_us:
            return
        if known is None or known.beat.boot != beat.boot:
            # What it announced before we knew of it, the store had already.
            self._known[node] = Member(beat, since_s, beat.announced)
            return
        known.beat = beat
        if not beat.owes:
            known.heard_s = since_s

    def arrived(self, node: str, boot: str, number: int) -> None:
        """Note that an announcement arrived."""
        known = self._known.get(node)
        if known is None or known.beat.boot != boot or number <= known.arrived:
            return
        known.early.add(number)
        while known.arrived + 1 in known.early:
            known.arrived += 1
            known.early.discard(known.arrived)

    def whole_at(self, now_s: float, read_s: float) -> float | None:
        """Return up to when all has arrived that they announced; None: something is missing.

        `read_s`: when the store was last asked and known as a whole.
        """
        gone = [node for node, one in self._known.items() if now_s - one.heard_s > GONE_S]
        for node in gone:
            del self._known[node]
        ends = [one.whole_at(now_s, read_s) for one in self._known.values()]
        times = [end for end in ends if end is not None]
        return min(times, default=now_s) if len(times) == len(ends) else None

    def silent(self, now_s: float) -> list[str]:
        """Return the names of those of whom there is no sign."""
        return sorted(
            node
            for node, one in self._known.items()
            if not one.beat.bye and now_s - one.heard_s > BEAT_S
        )

    def count(self) -> int:
        """Return how many are here."""
        return sum(not one.beat.bye for one in self._known.values())
