"""The ledger as people read it: its size, and its entries in one line each.

Columns (`cache`, `columns`), questions (`query`) and lives of orders (`life`) take libraries that
are slow to load: those modules are imported by who needs them.
"""

from __future__ import annotations

from ringfence.ledger.folder import beside, covers, signed_size
from ringfence.ledger.line import harmless, line, parts

__all__ = ["beside", "covers", "harmless", "line", "parts", "signed_size"]
