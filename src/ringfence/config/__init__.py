"""The configuration: a YAML file in, a checked and immutable snapshot for the engine out."""

from __future__ import annotations

from ringfence.config.load import Loaded, check, load, shipped_dialects
from ringfence.config.model import Config

__all__ = ["Config", "Loaded", "check", "load", "shipped_dialects"]
