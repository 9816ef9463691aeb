"""What a person at a terminal sees: progress, tables, the conditions, and the verdicts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from bench.table import Row, Table
from bench.targets import Verdict

__all__ = ["Progress", "conditions", "show", "show_verdicts"]

WIDTH = 120
"""Of a whole table, and of what goes into a file."""
LATENCIES = {"p50": "p50 µs", "p99": "p99 µs", "p999": "p99.9 µs"}
WIDE_ONLY = ("least – most", "p50 µs", "core 0")


class Progress:
    """One line on standard error that says what is going on; silent where that is no terminal."""

    def __init__(self) -> None:
        """Start the clock."""
        self._console = Console(stderr=True)
        self._status = self._console.status("starting")
        self._start = time.monotonic()
        self.part = "–"

    def __enter__(self) -> Self:
        """Show the line."""
        self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the line."""
        self._status.stop()

    def said(self, text: str) -> None:
        """Say what begins now."""
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        self._status.update(f"[dim]{minutes}:{seconds:02}[/dim] {self.part}  {escape(text)}")


def console() -> Console:
    """Return standard output, wide enough when it is no terminal."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=WIDTH)


def conditions(machine: dict[str, Any], settings: dict[str, Any], left_out: dict[str, str]) -> None:
    """Print what the numbers stand on, and who is missing."""
    out = console()
    peers = ", ".join(f"{name} {version}" for name, version in machine["peers"].items())
    load = machine["load_average"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, load average {load}",
        f"disk: write and fdatasync of 4 KiB in {machine['fdatasync_us']} µs (median)",
        f"ringfence {machine['ringfence']} ({machine['revision'] or 'no revision'}), {peers}",
        "every contender alone on core 1; load generator and upstream share core 0; the last columns "
        "say how busy the two were",
        f"{settings['rounds']} interleaved rounds of {settings['run_ms']} ms; median, and least to "
        "most; ratios are medians of each round's ratio",
        "Ringfence has every control on and the ledger written; quotas are out of reach but counted",
    ]
    for line in lines:
        out.print(f"[dim]{escape(line)}[/dim]")
    if load > 0.5:
        out.print(f"[yellow]the machine was not idle (load average {load}): mistrust this run[/]")
    if settings["quick"]:
        out.print("[yellow]a quick run shows that everything works; its numbers mean nothing[/]")
    for name, why in left_out.items():
        out.print(f"[yellow]{escape(name)} is left out:[/] {escape(why)}")


def show(table: Table) -> None:
    """Print one scenario's table; a narrow terminal gets the columns that matter most."""
    out = console()
    names = ["", table.unit, "least – most", table.compares, *LATENCIES.values()]
    names += ["CPU µs", "core 1", "core 0"]
    rows = [cells(row) for row in table.rows]
    shown = [n for n, name in enumerate(names) if out.width >= WIDTH or name not in WIDE_ONLY]
    grid = Grid(title=escape(table.title), title_justify="left", box=box.SIMPLE_HEAD)
    grid.title_style = "bold"
    for n in shown:
        grid.add_column(names[n], justify="right" if n else "left", no_wrap=True)
    for row in rows:
        grid.add_row(*(row[n] for n in shown))
    out.print(grid)
    for note in table.notes:
        out.print(Padding(Text(note, style="dim"), (0, 0, 0, 2)))


def cells(row: Row) -> list[Text]:
    """Return a row's cells."""
    content = row.content()
    rates = content["rate"]
    # Without a process of its own there is no CPU time to tell: direct.
    alone = any(one.cpu_us for one in row.answers)
    texts = [
        row.name,
        f"{rates['median']:,}",
        f"{rates['min']:,} – {rates['max']:,}",
        "–" if row.ratio is None else f"{row.ratio:.2f}",
        *(f"{content[name]:,.0f}" for name in LATENCIES),
        f"{content['cpu_us']:.1f}" if alone else "–",
        f"{content['busy']:.0%}" if alone else "–",
        f"{content['load_busy']:.0%}",
    ]
    ours = row.name.startswith("ringfence")
    return [Text(text, style="bold cyan" if ours else "") for text in texts]


def show_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print each target as reached or missed."""
    if not verdicts:
        return
    out = console()
    out.print("\n[bold]targets[/bold]")
    for verdict in verdicts:
        mark = "[green]✔[/green]" if verdict.met else "[red]✘[/red]"
        out.print(f" {mark} {escape(verdict.said())}")
