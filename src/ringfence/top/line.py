"""Lines of a picture: pieces of text with a mood, cut to a width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "GAP",
    "Column",
    "Line",
    "Mood",
    "Row",
    "bar",
    "clean",
    "count",
    "lasting",
    "line",
    "per_second",
    "spark",
    "table",
    "took",
]

Mood = Literal["", "bad", "dim", "good", "head", "warn"]
Line = list[tuple[str, Mood]]
SPARKS = "▁▂▃▄▅▆▇█"
PARTS = " ▏▎▍▌▋▊▉█"
GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column: numbers stand to the right, and one column gives way when there is no room."""

    head: str
    right: bool = False
    gives_way: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row's cells, and the mood of all of them."""

    cells: tuple[str, ...]
    mood: Mood = ""


def clean(text: str) -> str:
    """Return text that does nothing to a terminal: what came from outside may hold anything."""
    return "".join(symbol if symbol.isprintable() else "?" for symbol in text)


def line(text: str, mood: Mood = "") -> Line:
    """Return one piece as a line."""
    return [(clean(text), mood)]


def fitted(text: str, width: int, right: bool) -> str:
    """Return text in so many columns, cut with an ellipsis."""
    if len(text) > width:
        return text[: max(width - 1, 0)] + "…" if width else ""
    return text.rjust(width) if right else text.ljust(width)


def table(columns: Sequence[Column], rows: Iterable[Row], width: int) -> list[Line]:
    """Return rows below their heads, each at most `width` wide."""
    rows = [Row(tuple(clean(cell) for cell in row.cells), row.mood) for row in rows]
    heads = [column.head for column in columns]
    texts = [heads, *(row.cells for row in rows)]
    wide = [max(len(cells[place]) for cells in texts) for place in range(len(columns))]
    over = sum(wide) + len(GAP) * (len(columns) - 1) - width
    giving = [place for place, column in enumerate(columns) if column.gives_way]
    for _ in range(over):
        # The widest gives way first, down to what still says something.
        widest = max(giving, key=lambda place: wide[place], default=None)
        if widest is not None and wide[widest] > 8:
            wide[widest] -= 1

    def drawn(cells: Sequence[str], mood: Mood) -> Line:
        parts = (
            fitted(cell, room, column.right)
            for cell, room, column in zip(cells, wide, columns, strict=True)
        )
        return [(GAP.join(parts).rstrip()[:width], mood)]

    return [drawn(heads, "head"), *(drawn(row.cells, row.mood) for row in rows)]


def bar(part: float, width: int = 10) -> str:
    """Return a bar that is filled by `part` of 1."""
    eighths = round(min(max(part, 0.0), 1.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    drawn = "█" * whole + (PARTS[rest] if rest else "")
    return drawn.ljust(width, "░")


def spark(values: Sequence[float], width: int) -> str:
    """Return the last values as little columns, the highest of them full."""
    last = list(values)[-width:]
    most = max(last, default=0.0)
    if most <= 0:
        return SPARKS[0] * len(last)
    return "".join(SPARKS[min(int(value / most * 8), 7)] for value in last)


def count(number: float) -> str:
    """Return a number as people read it."""
    return f"{number:,.0f}"


def per_second(rate: float | None) -> str:
    """Return a rate; a slow one to a tenth."""
    if rate is None:
        return "-"
    return f"{rate:,.1f}" if 0 < rate < 10 else count(rate)


def took(us: int) -> str:
    """Return how long something took."""
    if us < 1_000:
        return f"{us} µs"
    return f"{us / 1_000:.1f} ms" if us < 1_000_000 else f"{us / 1_000_000:.1f} s"


def lasting(ms: float) -> str:
    """Return how long something will last."""
    seconds = max(ms, 0) / 1_000
    if seconds < 10:
        return f"{seconds:.1f}s"
    for size, name, less, smaller in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if seconds >= size:
            return f"{int(seconds // size)}{name} {int(seconds % size // less)}{smaller}"
    return f"{int(seconds)}s"
