"""What a gateway tells the others at once: of whom something has changed in the store.

A hint says where to look, never what to find there. Whoever cannot look takes those out of use
that it names, until it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ringfence.errors import ClusterError
from ringfence.identity.feed import Mark

__all__ = ["Hint"]

SORTS = Mark._fields


@dataclass(frozen=True, slots=True)
class Hint:
    """A change in the store, by its sort and number there."""

    sort: str
    serial: int
    names: tuple[str, ...]
    """A credential; a principal and all below it; the account that had a withdrawal address; the
    number of a shard that is isolated, or who was moved to another."""
    takes_away: bool = True
    """Whether somebody may do less since. What is new can wait."""

    def content(self, node: str, boot: str, number: int) -> dict[str, Any]:
        """Return it as it is sealed: who announces it, and the how-manieth of theirs it is."""
        return {
            "node": node,
            "boot": boot,
            "number": number,
            "sort": self.sort,
            "serial": self.serial,
            "names": list(self.names),
            "takes_away": self.takes_away,
        }

    @classmethod
    def read(cls, content: dict[str, Any]) -> Hint:
        """Read one that was sealed.

        Raises:
            ClusterError: another version of the gateway has written it.
        """
        try:
            sort, names = content["sort"], content["names"]
            if sort not in SORTS or not isinstance(names, Sequence):
                raise ValueError(sort)
            return cls(sort, int(content["serial"]), tuple(names), bool(content["takes_away"]))
        except (KeyError, TypeError, ValueError) as e:
            said = "an announcement of another form is there"
            raise ClusterError(said, code="cluster_forged") from e
