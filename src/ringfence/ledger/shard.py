"""The entries of one shard: its decisions, what became of them, and what was done with it."""

from __future__ import annotations

import json
from collections.abc import Iterable

__all__ = ["ShardEntries", "shard_of"]

MARK = b'"shard":'
OUTCOME = b'"kind":"outcome"'


class ShardEntries:
    """Tells the entries of a shard from others, which are read in their order.

    An outcome names its message alone: it belongs to the shard that its decision was seen in.
    """

    def __init__(self, shard: int) -> None:
        """Begin before the first entry."""
        self._shard = shard
        self._under_way: set[str] = set()

    def of(self, entries: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Return those of the next entries that are the shard's."""
        return [(index, content) for index, content in entries if self._is_of(content)]

    def _is_of(self, content: bytes) -> bool:
        if MARK not in content and OUTCOME not in content:
            return False
        entry = json.loads(content)
        if entry.get("kind") == "outcome":
            return self._ends(entry.get("message", ""))
        if shard_of(entry) != self._shard:
            return False
        if entry.get("state_changing") and entry.get("outcome") == "permitted":
            self._under_way.add(entry["message"])
        return True

    def _ends(self, message: str) -> bool:
        known = message in self._under_way
        self._under_way.discard(message)
        return known


def shard_of(entry: dict[str, object]) -> int | None:
    """Return the shard that an entry is of; of an event, the one that it is about."""
    detail = entry.get("detail")
    about = detail if entry.get("kind") == "event" and isinstance(detail, dict) else entry
    shard = about.get("shard")
    return shard if isinstance(shard, int) else None
