"""A witness: what it keeps, how it answers, and how a log asks one."""

from __future__ import annotations

from ringfence.witness.ask import ask
from ringfence.witness.folder import Folder
from ringfence.witness.server import app
from ringfence.witness.state import Seen, State

__all__ = ["Folder", "Seen", "State", "app", "ask"]
