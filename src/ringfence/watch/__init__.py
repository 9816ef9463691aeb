"""Detectors: they read committed ledger entries and write what they find into the ledger."""

from __future__ import annotations

from pathlib import Path

from ringfence.config import Loaded
from ringfence.config.folder import Folder
from ringfence.watch.takeover import Rules, Takeover
from ringfence.watch.watcher import Record, Tell, Watcher

__all__ = ["Rules", "Takeover", "Watcher", "watching"]


def watching(loaded: Loaded, folder: Folder, record: Record, tell: Tell) -> Watcher | None:
    """Return who watches as the configuration says, None if nobody is to; enter it to begin.

    Raises:
        EngineError: there is no ledger.
        FileError, LedgerError, StoreError: the GeoIP file, or what was learnt, cannot be used.
    """
    rules = loaded.config.watch.takeover
    if rules is None:
        return None
    from ringfence.watch.places import Places
    from ringfence.watch.seen import Seen

    places = None if rules.geoip is None else Places(Path(loaded.path(rules.geoip)))
    named = rules.model_dump(exclude={"geoip"})
    seen = Seen(folder.seen)
    takeover = Takeover(Rules(**named), seen, places)
    ledger = Path(loaded.path(loaded.config.ledger.directory))
    return Watcher(ledger, folder.watched, seen, takeover, record=record, tell=tell)
