"""The ledger as people read it: its entries in one line each."""

from __future__ import annotations

from ringfence.ledger.line import line
from ringfence.ledger.size import size

__all__ = ["line", "size"]
