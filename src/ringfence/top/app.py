"""The live picture: panes on a terminal, drawn anew with every look at the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ringfence.errors import GatewayError
from ringfence.top.line import Line, line
from ringfence.top.measure import Answer, Measured, measure
from ringfence.top.panes import PANES, History, Pane, overview
from ringfence.top.picture import clock

__all__ = ["Top"]

MOODS = {
    "bad": "bold red",
    "dim": "dim",
    "good": "green",
    "head": "bold cyan",
    "warn": "yellow",
    "": "",
}
KEYS = "q quit  tab pane  s sort  p pause  ? help"
HELP = """\
tab  →  ]      the next pane
shift+tab ← [  the pane before
1 … 5          a pane by its place
↑ ↓ PgUp PgDn  scroll in it
s              sort it by something else
p  space       pause, and go on
?              this help
q              quit

Rates are those since the last look. In limits, # and
a number stand for somebody who is not known by name.
"""
WIDE, TALL = 120, 34
"""From here on all panes are on the screen at once."""


def styled(lines: list[Line]) -> Text:
    """Return lines as a terminal shows them."""
    text = Text(no_wrap=True, overflow="crop")
    for number, pieces in enumerate(lines):
        if number:
            text.append("\n")
        for piece, mood in pieces:
            text.append(piece, MOODS[mood])
    return text


class View(VerticalScroll, can_focus=True):
    """One pane, which scrolls where it is longer than its place."""

    def __init__(self, pane: Pane) -> None:
        """Keep what it shows."""
        super().__init__(id=pane.name, classes="view")
        self.pane = pane
        self.order = pane.orders[0]
        self.content = Static(id=f"{pane.name}-lines")

    def compose(self) -> ComposeResult:
        """Return its only part."""
        yield self.content

    def show(self, seen: Measured) -> None:
        """Draw it anew."""
        width = max(self.scrollable_content_region.width or self.size.width, 20)
        self.content.update(styled(self.pane.lines(seen, self.order, width)))
        self.border_title = self.pane.title(seen)
        if len(self.pane.orders) > 1:
            self.border_subtitle = f"by {self.order}"

    def sort(self) -> None:
        """Order it by what comes next."""
        orders = self.pane.orders
        self.order = orders[(orders.index(self.order) + 1) % len(orders)]


class Help(ModalScreen[None]):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "close")
    ]
    CSS = """
    Help { align: center middle; }
    #keys { width: 60; height: auto; border: round $accent; padding: 1 2; background: $surface; }
    """

    def compose(self) -> ComposeResult:
        """Return the text."""
        yield Static(HELP, id="keys", markup=False)


class Top(App[None]):
    """What goes through a gateway, live. `ask` returns what the gateway answers to GET /top."""

    TITLE = "ringfence top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #head { height: 1; text-style: bold; }
    #gone { height: 1; display: none; text-style: bold reverse; color: red; }
    #gone.shown { display: block; }
    #overview { height: 4; }
    #tabs { height: 1; }
    #keyline { height: 1; dock: bottom; color: $text-muted; }
    #panes { height: 1fr; }
    .view { display: none; border: none; padding: 0; scrollbar-size-vertical: 1; }
    .view.current { display: block; }
    .view > Static { width: 100%; height: auto; }
    Screen.-wide.-tall #tabs { display: none; }
    Screen.-wide.-tall #panes { layout: grid; grid-size: 2 3; grid-rows: 1fr 1fr 1fr; }
    Screen.-wide.-tall .view { display: block; border: round $panel; padding: 0 1; }
    Screen.-wide.-tall .view.current { border: round $accent; }
    Screen.-wide.-tall #health { column-span: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", "quit"),
        Binding("tab,right,right_square_bracket", "turn(1)", "next", priority=True),
        Binding("shift+tab,left,left_square_bracket", "turn(-1)", "before", priority=True),
        *(
            Binding(str(number + 1), f"go({number})", pane.name)
            for number, pane in enumerate(PANES)
        ),
        Binding("s", "sort", "sort"),
        Binding("p,space", "pause", "pause", priority=True),
        Binding("question_mark,h", "help", "help"),
    ]

    def __init__(self, ask: Callable[[], Answer], where: str, every_s: float) -> None:
        """Keep whom to ask, what it is called, and how often to ask."""
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL, "-tall")]
        self._ask, self._where, self._every_s = ask, where, every_s
        self._history = History([], [])
        self._before: Answer | None = None
        self._seen: Measured | None = None
        self._current = 0
        self.paused = False
        # Kept, because who looks may come back when the screen is another, or is being taken down.
        self._head, self._overview, self._tabs = (
            Static(id="head"),
            Static(id="overview"),
            Static(id="tabs"),
        )
        self._gone = Static(id="gone", markup=False)
        self._views = [View(pane) for pane in PANES]

    def compose(self) -> ComposeResult:
        """Return the screen's parts, from the top."""
        yield from (self._head, self._gone, self._overview, self._tabs)
        with Container(id="panes"):
            yield from self._views
        yield Static(KEYS, id="keyline", markup=False)

    def on_mount(self) -> None:
        """Begin to look."""
        self.action_go(0)
        self.run_worker(self._look(), name="look")

    def on_resize(self) -> None:
        """Draw for the new size, once it is known to all parts."""
        self.call_after_refresh(self.draw)

    async def _look(self) -> None:
        """Look again and again. A gateway that is gone may come back."""
        while True:
            try:
                answer = await asyncio.to_thread(self._ask)
            except GatewayError as e:
                self._before = None
                self._tell(f" gateway gone, trying again: {e}")
            else:
                self._tell("")
                self.take(answer)
            await asyncio.sleep(self._every_s)

    def _tell(self, what: str) -> None:
        """Say what is wrong, or that nothing is."""
        if self._gone.is_attached:
            self._gone.update(styled([line(what)]))
            self._gone.set_class(bool(what), "shown")

    def take(self, answer: Answer) -> None:
        """Measure what was answered, and show it unless people want to read on."""
        seen = measure(self._before, answer)
        self._before = answer
        self._history.add(seen)
        if not self.paused:
            self._seen = seen
            self.draw()

    def draw(self) -> None:
        """Draw what was seen last."""
        if (seen := self._seen) is None or not self._head.is_attached:
            return
        width = self.size.width
        paused = "  PAUSED" if self.paused else ""
        left, right = f"ringfence top · {self._where}{paused}", clock(seen.at_us)
        room = max(width - len(right) - 1, 0)
        self._head.update(styled([line(f"{left[:room]:<{room}} {right}")]))
        self._overview.update(styled(overview(seen, self._history, width)))
        pieces: Line = []
        for place, view in enumerate(self._views):
            view.show(seen)
            name = f"{place + 1} {view.pane.title(seen)}"
            here = place == self._current
            pieces.append((f"[{name}]" if here else f" {name} ", "head" if here else "dim"))
        self._tabs.update(styled([pieces]))

    def action_go(self, place: int) -> None:
        """Go to a pane."""
        self._current = place % len(PANES)
        for number, view in enumerate(self._views):
            view.set_class(number == self._current, "current")
            if number == self._current:
                view.focus()
        self.call_after_refresh(self.draw)

    def action_turn(self, step: int) -> None:
        """Go to the next pane, or the one before."""
        self.action_go(self._current + step)

    def action_sort(self) -> None:
        """Order the pane by something else."""
        self._views[self._current].sort()
        self.draw()

    def action_pause(self) -> None:
        """Stop drawing what comes, or go on."""
        self.paused = not self.paused
        self.draw()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(Help())
