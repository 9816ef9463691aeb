"""What leaves the vault: shares of the master key, for two operators together and nobody alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ringfence.api.clock import now_us
from ringfence.api.telling import read_why
from ringfence.api.twofold import WINDOW_US, DualControl, Person
from ringfence.engine import Detail
from ringfence.errors import SealError
from ringfence.identity.seal.shares import check_counts
from ringfence.identity.secret import MasterKey, RootKey

__all__ = ["Export", "ExportService"]

Record = Callable[[str, Detail], None]
"""Puts an event into the ledger; durable on return."""


@dataclass(frozen=True, slots=True)
class Export:
    """What came of asking: `parts`; or `until_us`, by when another operator must ask, too."""

    until_us: int | None
    parts: tuple[str, ...] = ()


class ExportService:
    """Gives out what the ledger was told of, durably, to the second who asks for it."""

    def __init__(
        self, master: RootKey, record: Record, clock: Callable[[], int] | None = None
    ) -> None:
        """Keep what is needed. `clock` returns microseconds since the Unix epoch."""
        self._master = master
        self._record = record
        self._clock = clock or now_us
        self._control = DualControl()

    def shares(self, threshold: int, count: int, who: Person, why: str) -> Export:
        """Ask for `count` shares of the master key, any `threshold` of which give it back.

        Raises:
            SealError: such shares cannot be made.
            EngineError: the ledger does not take it; then nothing is given out.
        """
        why, asked_us = read_why(why), self._clock()
        check_counts(threshold, count)
        if not isinstance(self._master, MasterKey):
            said = "this gateway has a shard's subtree, and no master key that could be split"
            raise SealError(said, hint="ask the gateway that has it")
        what = f"{threshold} of {count} shares of the master key"
        detail: dict[str, str | int] = {"what": what, "who": who.name}
        detail |= {"why": why} if why else {}
        first = self._control.agreed(what, who, asked_us)
        if first is None:
            self._record("export.asked", detail)
            return Export(asked_us + WINDOW_US)
        self._record("export.made", {**detail, "first": first.name})
        return Export(None, tuple(self._master.split(threshold, count)))
