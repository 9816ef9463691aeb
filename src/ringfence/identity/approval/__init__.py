"""What needs more than one person: described exactly, voted on, and then done exactly so, once."""

from __future__ import annotations

from ringfence.identity.approval.description import Description, Vote, standing
from ringfence.identity.approval.store import Approvals

__all__ = ["Approvals", "Description", "Vote", "standing"]
