"""Where a ledger lies, and the key that verifies it, found from what a person names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ringfence import config, engine
from ringfence.errors import ConfigError, EngineError, FileError

__all__ = ["Located", "locate"]


@dataclass(frozen=True, slots=True)
class Located:
    """A ledger's folder, and its verifier key where the state folder is at hand."""

    directory: Path
    vkey: str | None


def locate(named: Path) -> Located:
    """Find the ledger of the state folder `named`, or the one or the volume in `named` itself.

    Raises:
        ConfigError, FileError: the state folder's configuration cannot be read.
        EngineError: its ledger key cannot be used.
    """
    if (named / "ringfence.yaml").is_file():
        return configured(named)
    # A ledger on its own, perhaps far from its gateway: then there is no key, and the caller says.
    folder = named.resolve()
    for ledger in (folder, folder.parent):  # The folder may be that of one volume.
        try:
            found = configured(ledger.parent)
        except (ConfigError, EngineError, FileError):
            continue
        if found.directory.resolve() == ledger:
            return Located(named, found.vkey)
    return Located(named, None)


def configured(state: Path) -> Located:
    """Return what the configuration in `state` says."""
    loaded = config.load(state / "ringfence.yaml")
    section = loaded.config.ledger
    vkey = engine.ledger_vkey(Path(loaded.path(section.key)), section.origin)
    return Located(Path(loaded.path(section.directory)), vkey)
