"""The timeline of an order's life as SVG, readable on light and dark pages."""

from __future__ import annotations

from html import escape

from ringfence.ledger.life import Life, Stage

__all__ = ["timeline"]

WIDTH, LEFT, RIGHT, ROW, TOP = 960, 300, 40, 30, 64
GOOD, BAD = "#2f9e6e", "#d9534f"
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#57606a}.t{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#adb5bd}}"
)


def timeline(life: Life) -> str:
    """Return a picture: a row for each stage, its bar from its start to its end."""
    start = life.stages[0].time
    ends = [offset_us(life, stage) + (stage.lasted_us or 0) for stage in life.stages]
    whole_us = max([*ends, 1])
    height = TOP + ROW * len(life.stages) + 40
    about = " ".join(str(value) for value in life.about.values())
    rows = [row(life, number, whole_us) for number in range(len(life.stages))]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>Order {escape(life.order)}</title><style>{STYLE}</style>",
            f'<text class="t" x="16" y="24">{escape(life.order)} {escape(about)}</text>',
            f'<text x="16" y="44">from {start:%Y-%m-%d %H:%M:%S.%f} UTC, {whole_us:,} µs</text>',
            *rows,
            "</svg>\n",
        ]
    )


def offset_us(life: Life, stage: Stage) -> int:
    """Return the microseconds from the first stage's start to this one's."""
    return round((stage.time - life.stages[0].time).total_seconds() * 1e6)


def row(life: Life, number: int, whole_us: int) -> str:
    """Return one stage: its name, its bar, and how long it took."""
    stage = life.stages[number]
    span = WIDTH - LEFT - RIGHT - 90
    x = LEFT + span * offset_us(life, stage) / whole_us
    width = max(span * (stage.lasted_us or 0) / whole_us, 3)
    y = TOP + ROW * number
    colour = GOOD if stage.good else BAD
    lasted = "" if stage.lasted_us is None else f"{stage.lasted_us:,} µs"
    return (
        f'<text x="16" y="{y + 14}">{escape(stage.name)}</text>'
        f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="16" rx="3" fill="{colour}">'
        f"<title>{escape(stage.what)}</title></rect>"
        f'<text x="{x + width + 6:.1f}" y="{y + 14}">{lasted}</text>'
    )
