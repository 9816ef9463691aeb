"""One plain picture of everything, for scripts and for terminals that cannot be drawn on."""

from __future__ import annotations

from datetime import UTC, datetime

from ringfence.top.line import Line, clean
from ringfence.top.measure import Measured
from ringfence.top.panes import PANES, History, overview

__all__ = ["clock", "picture"]

ROWS_MAX = 16
"""Of a pane: a picture is to be read at a glance."""
ASCII = str.maketrans(
    {"█": "#", "░": ".", "…": "~", "µ": "u", "✔": "+", "✗": "x", "─": "-", "·": "-"}
    | dict.fromkeys("▏▎▍▌▋▊▉", "#")
    | dict(zip("▁▂▃▄▅▆▇", "_.:-=+*", strict=True))
)
"""For an output that has nothing else."""


def clock(at_us: int) -> str:
    """Return a time of day as people read it."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def picture(seen: Measured, where: str, width: int = 80, *, plain: bool = False) -> str:
    """Return the whole picture as text; `plain`: in ASCII."""
    # One look has no history.
    history = History([], [])
    title = "ringfence top · " + clean(where)
    lines = [f"{title:<{max(width - 24, 0)}} {clock(seen.at_us)}"[:width]]
    lines += (flat(line)[:width] for line in overview(seen, history, width))
    for pane in PANES:
        title = f"── {pane.title(seen)} "
        lines += ["", title.ljust(width, "─")]
        shown = pane.lines(seen, pane.orders[0], width)
        lines += map(flat, shown[: ROWS_MAX + 1])
        if (more := len(shown) - ROWS_MAX - 1) > 0:
            lines.append(f"and {more:,} more")
    drawn = "\n".join(line.rstrip() for line in lines)
    if not plain:
        return drawn
    # Names may be in any script.
    return drawn.translate(ASCII).encode("ascii", "replace").decode()


def flat(line: Line) -> str:
    """Return a line without moods."""
    return "".join(text for text, _ in line)
