"""A picture of the throughput and of the latency, as SVG without any library.

No background and only middle tones, so that it can be read on light and on dark pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

__all__ = ["plot"]

WIDTH = 860
LEFT, RIGHT = 150, 90
BAR, GAP, GROUP = 15, 3, 14
PANEL_TOP = 46
GREY = "#7b8086"
OURS, THEIRS = ("#14978a", "#63bdb2"), ("#7f8997", "#aab2bd")
FONT = "ui-sans-serif,system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif"


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars side by side: for each name, as many values as there are `series`."""

    title: str
    series: tuple[str, ...]
    bars: dict[str, list[float | None]]

    @property
    def height(self) -> int:
        """Pixels from its title to its last bar."""
        group = len(self.series) * (BAR + GAP) + GROUP
        return PANEL_TOP + len(self.bars) * group

    def draw(self, top: int) -> list[str]:
        """Return its elements, from `top` downwards."""
        most = max((v for values in self.bars.values() for v in values if v), default=1.0)
        scale = (WIDTH - LEFT - RIGHT) / most
        out = [text(0, top + 16, self.title, weight=600, size=15)]
        places = ("upper bar: ", "lower bar: ") if len(self.series) > 1 else ("",)
        said = [place + one for place, one in zip(places, self.series, strict=True)]
        out.append(text(0, top + 34, "; ".join(said), size=12))
        y = top + PANEL_TOP
        for name, values in self.bars.items():
            colours = OURS if name.startswith("ringfence") else THEIRS
            middle = y + len(values) * (BAR + GAP) / 2 + 3
            weight = 600 if colours is OURS else 400
            out.append(text(LEFT - 10, middle, name, anchor="end", weight=weight))
            for place, value in enumerate(values):
                if value is not None:
                    out.append(bar(y, value * scale, colours[place % len(colours)]))
                    out.append(
                        text(LEFT + value * scale + 6, y + BAR - 3, f"{value:,.0f}", size=12)
                    )
                y += BAR + GAP
            y += GROUP
        return out


def text(
    x: float, y: float, words: str, *, anchor: str = "start", weight: int = 400, size: int = 13
) -> str:
    """Return a piece of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'font-size="{size}">{escape(words)}</text>'
    )


def bar(y: float, width: float, colour: str) -> str:
    """Return a bar from the left edge of the panel."""
    return (
        f'<rect x="{LEFT}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{BAR}" '
        f'rx="2" fill="{colour}"/>'
    )


def plot(results: dict[str, Any]) -> str | None:
    """Return the picture of `results`, or None when nothing that it shows was measured."""
    panels = [panel for panel in (throughput(results), latencies(results)) if panel is not None]
    if not panels:
        return None
    machine, settings = results["machine"], results["settings"]
    top, body = 0, []
    for panel in panels:
        body.extend(panel.draw(top))
        top += panel.height + 18
    foot = (
        f"{machine['cpu']}, one core for each contender, load and upstream on another; "
        f"median of {settings['rounds']} rounds; {machine['time'][:10]}"
    )
    body.append(text(0, top + 6, foot, size=11))
    height = top + 16
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="{FONT}" fill="{GREY}" role="img">'
    )
    title = "<title>Throughput and latency of Ringfence and other proxies</title>"
    return "\n".join([head, title, *body, "</svg>"]) + "\n"


def throughput(results: dict[str, Any]) -> Panel | None:
    """Return orders and reads per second of each contender."""
    found = [results["scenarios"].get(key) for key in ("orders", "reads")]
    names = list(dict.fromkeys(name for table in found if table for name in table["rows"]))
    if not names:
        return None
    series = [
        f"signed {key}" for key, table in zip(("orders", "reads"), found, strict=True) if table
    ]
    bars: dict[str, list[float | None]] = {
        name: [
            table["rows"][name]["rate"]["median"] if name in table["rows"] else None
            for table in found
            if table
        ]
        for name in names
    }
    return Panel("Requests per second, 32 connections, one core", tuple(series), bars)


def latencies(results: dict[str, Any]) -> Panel | None:
    """Return the 99th percentile of each contender at half load."""
    table = results["scenarios"].get("latency")
    if table is None:
        return None
    bars: dict[str, list[float | None]] = {
        name: [row["p99"]] for name, row in table["rows"].items()
    }
    said = "signed orders at a fixed rate, half of each one's own maximum; shorter is better"
    return Panel("99th percentile of the latency, µs", (said,), bars)
