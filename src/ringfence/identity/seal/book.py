"""The seal: which files are sealed, in which version, and their data keys, wrapped.

One slot for each key encryption key that opens it: one, or two while it is rewrapped. What a slot
wraps is bound to all that the seal says: nothing in it can be changed or put back piece by piece.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ringfence.config.folder import replace_private
from ringfence.errors import SealError
from ringfence.identity.seal.item import Item
from ringfence.identity.seal.kek import KEY_BYTES, Kek

__all__ = ["Book", "DataKeys", "Slot"]

FORMAT = "ringfence-seal/1"
FIELDS = {"format", "id", "version", "items", "pending", "slots"}
MAX_BYTES = 1 << 20
MAX_SLOTS = 4

DataKeys = dict[str, bytearray]
"""The data key of each item, by its name: its path in the state folder."""


@dataclass(frozen=True, slots=True)
class Slot:
    """How one key encryption key is reached, and what it wrapped."""

    kek: dict[str, Any]
    wrapped: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Book:
    """A seal. `pending`: items whose files may still lie in the clear."""

    id: str
    version: int
    items: dict[str, int]
    pending: tuple[str, ...]
    slots: tuple[Slot, ...] = ()

    def item(self, name: str) -> Item:
        """Return what the file of an item must be."""
        return Item(self.id, name, self.items[name])

    def about(self, name: str, kek: dict[str, Any]) -> bytes:
        """Return what an item's wrapped data key is bound to."""
        said = {"format": FORMAT, "id": self.id, "version": self.version, "items": self.items}
        said |= {"pending": list(self.pending), "kek": kek, "item": name}
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()

    def under(self, keks: list[Kek], keys: DataKeys) -> Book:
        """Return the seal with `keys` wrapped by each of `keks`, and by no other."""
        slots = []
        for kek in keks:
            said = kek.describe()
            wrapped = {name: kek.wrap(keys[name], self.about(name, said)) for name in self.items}
            slots.append(Slot(said, wrapped))
        return replace(self, slots=tuple(slots))

    def open(self, slot: Slot, kek: Kek) -> DataKeys:
        """Return the data keys; whoever takes them wipes them.

        Raises:
            SealError: it is not this key, or the seal was changed.
        """
        keys: DataKeys = {}
        for name in self.items:
            keys[name] = kek.unwrap(slot.wrapped[name], self.about(name, slot.kek))
            if len(keys[name]) != KEY_BYTES:
                raise SealError(f"the data key of {name} is none", code="seal_damaged")
        return keys

    def write(self, path: Path) -> None:
        """Put the seal in the place of the one that was there, whole or not at all; durable.

        Raises:
            FileError: it cannot be written; then what was there still is.
        """
        slots = [
            {
                "kek": slot.kek,
                "wrapped": {n: base64.b64encode(w).decode() for n, w in slot.wrapped.items()},
            }
            for slot in self.slots
        ]
        said: dict[str, Any] = {"format": FORMAT, "id": self.id, "version": self.version}
        said |= {"items": self.items, "pending": list(self.pending), "slots": slots}
        replace_private(path, json.dumps(said, indent=1).encode() + b"\n")

    @classmethod
    def read(cls, path: Path) -> Book | None:
        """Return the seal at `path`; None: there is none.

        Raises:
            SealError: it cannot be read, or is none.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise SealError(f"cannot read {path}: {e.strerror}") from e
        try:
            return parsed(content)
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            said = f"{path} is damaged: it is no seal"
            raise SealError(said, code="seal_damaged") from None


def parsed(content: bytes) -> Book:
    """Return the seal that `content` is, or fail with what json and dict fail with."""
    found = json.loads(content) if len(content) <= MAX_BYTES else None
    if not isinstance(found, dict) or set(found) != FIELDS or found["format"] != FORMAT:
        raise ValueError
    slots = []
    for slot in found["slots"]:
        raw = {n: base64.b64decode(w, validate=True) for n, w in slot["wrapped"].items()}
        if set(raw) != set(found["items"]) or not isinstance(slot["kek"], dict):
            raise ValueError
        slots.append(Slot(slot["kek"], raw))
    versions = [found["version"], *found["items"].values()]
    good = all(type(version) is int and version > 0 for version in versions)
    if not good or not 0 < len(slots) <= MAX_SLOTS or not set(found["pending"]) <= set(raw):
        raise ValueError
    pending = tuple(str(name) for name in found["pending"])
    return Book(str(found["id"]), found["version"], found["items"], pending, tuple(slots))
