"""A request on the wire, and what the shipped Binance dialect sees of it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ringfence.config.load import shipped_dialects
from ringfence.config.text import read_document
from ringfence.engine import read_dialect

DIALECT: dict[str, Any] = read_document(shipped_dialects()["binance"]).value
Seen = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """A request as it stood on the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def read(self) -> Seen:
        return read_dialect(DIALECT, self.method, self.target, list(self.headers), self.body)


def by_secret(secret: str) -> Callable[[Seen], bool]:
    def fits(seen: Seen) -> bool:
        tag = hmac.new(secret.encode(), seen["payload"].encode(), hashlib.sha256).hexdigest()
        return bool(seen["signature"].lower() == tag)

    return fits
