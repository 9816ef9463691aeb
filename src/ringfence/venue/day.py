"""What happened in a market lately, as tickers and candles tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from ringfence.venue.book import SIDES, ZERO, Fill
from ringfence.venue.exchange import Market

__all__ = ["DAY_MS", "Candle", "Day", "candles", "day"]

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Day:
    """The last day, as far as the venue remembers it. Prices in quote, sizes in base currency."""

    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_size: Decimal
    volume: Decimal
    value: Decimal
    """What was paid in quote currency."""
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal

    @property
    def average(self) -> Decimal:
        """The mean price, weighted by volume."""
        return self.value / self.volume if self.volume else self.last

    @property
    def change(self) -> Decimal:
        """Part of the opening price by which it rose or fell."""
        return (self.last - self.open) / self.open


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices and volumes of one interval; flat where nothing was traded."""

    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    value: Decimal
    count: int


def day(market: Market) -> Day:
    """Return the last day of a market."""
    candle = _candle(market, 0, list(market.trades))
    (bid, bid_size), (ask, ask_size) = (
        (market.book.levels(side, 1) or [(ZERO, ZERO)])[0] for side in SIDES
    )
    return Day(
        candle.open, candle.high, candle.low, candle.close,
        market.trades[-1].quantity if market.trades else ZERO,
        candle.volume, candle.value, bid, bid_size, ask, ask_size,
    )  # fmt: skip


def candles(market: Market, length_ms: int, count: int, now_ms: int) -> Iterator[Candle]:
    """Yield the last `count` candles of `length_ms` each, oldest first."""
    last = now_ms // length_ms * length_ms
    for n in reversed(range(count)):
        start = last - n * length_ms
        inside = [f for f in market.trades if start <= f.time_ms < start + length_ms]
        yield _candle(market, start, inside)


def _candle(market: Market, start_ms: int, fills: list[Fill]) -> Candle:
    prices = [fill.price for fill in fills] or [market.instrument.mid]
    volume = sum((fill.quantity for fill in fills), ZERO)
    value = sum((fill.price * fill.quantity for fill in fills), ZERO)
    high, low = max(prices), min(prices)
    return Candle(start_ms, prices[0], high, low, prices[-1], volume, value, len(fills))
