"""The ledger as people read it: its size, and its entries in one line each."""

from __future__ import annotations

from ringfence.ledger.folder import signed_size
from ringfence.ledger.line import line, parts

__all__ = ["line", "parts", "signed_size"]
