"""The loop between a consumer and its receiver: one batch under way, tried until it is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from ringfence.ledger.bus import Consumer
from ringfence.ledger.export import record
from ringfence.ledger.personal import Personal
from ringfence.ledger.ship.receiver import Receiver, Unreached

__all__ = ["Progress", "ship"]

BATCH = 1_000
"""Entries sent at once: one batch in memory, whatever the receiver does."""
POLL_SECONDS = 0.2
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where shipping stands: the next entry to send, and why the last try failed, if it did."""

    next: int
    trouble: str | None


def ship(
    consumer: Consumer,
    receive: Receiver,
    stop: Event,
    tell: Callable[[Progress], None],
    *,
    personal: Personal | None = None,
    once: bool = False,
) -> None:
    """Send entries until `stop` is set; with `once`, until there are no more.

    Raises:
        EngineError, FileError: the ledger cannot be read, or the cursor not be written.
    """
    while not stop.is_set():
        entries = consumer.take(BATCH)
        if not entries:
            if once:
                return
            stop.wait(POLL_SECONDS)
            continue
        records = [record(index, content, personal) for index, content in entries]
        pause = FIRST_PAUSE_SECONDS
        while not stop.is_set():
            try:
                receive(records)
            except Unreached as e:
                tell(Progress(consumer.next, str(e)))
                stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            consumer.done(entries)
            tell(Progress(consumer.next, None))
            break
