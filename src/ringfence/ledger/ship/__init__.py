"""Sending committed entries to another system, at least once, for as long as it takes."""

from __future__ import annotations

from ringfence.ledger.ship.receiver import Receiver, Unreached, receiver
from ringfence.ledger.ship.run import Progress, ship

__all__ = ["Progress", "Receiver", "Unreached", "receiver", "ship"]
