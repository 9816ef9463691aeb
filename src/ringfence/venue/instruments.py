"""What the paper venue trades: data from instruments.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from pathlib import Path
from typing import Any

import yaml

__all__ = ["EXACT", "Instrument", "load_instruments", "load_start"]

EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])
"""Arithmetic that raises rather than rounds."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One symbol. Steps and bounds are exact decimals; `mid` is where the house quotes around."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    mid: Decimal
    code: str = ""
    """The venue's number of it, where messages may have that in place of the symbol."""


def load_instruments(venue: str = "binance") -> dict[str, Instrument]:
    """Return the instruments of a venue by symbol."""
    return {row["symbol"]: _instrument(row) for row in _read()[venue]["instruments"]}


def load_start(venue: str = "binance") -> dict[str, Decimal]:
    """Return the play money that an account starts with, by currency."""
    return {currency: Decimal(free) for currency, free in _read()[venue]["start"].items()}


def _read() -> dict[str, Any]:
    tables: dict[str, Any] = yaml.safe_load(
        Path(__file__).with_name("instruments.yaml").read_text()
    )
    return tables


def _instrument(row: dict[str, str]) -> Instrument:
    names = (row["symbol"], row["base"], row["quote"])
    exact = ("tick", "lot", "min_quantity", "max_quantity", "min_notional", "mid")
    numbers: dict[str, Any] = {name: Decimal(row[name]) for name in exact}
    return Instrument(*names, **numbers, code=row.get("code", ""))
