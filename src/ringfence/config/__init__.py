"""The configuration: a YAML file in, a checked and immutable snapshot for the engine out."""

from __future__ import annotations

from ringfence.config.load import ADMIN_DIALECT, Loaded, check, encoded, load, shipped_dialects
from ringfence.config.model import Config

__all__ = ["ADMIN_DIALECT", "Config", "Loaded", "check", "encoded", "load", "shipped_dialects"]
