"""Does something again and again beside what else is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["repeating"]


@contextmanager
def repeating(
    do: Callable[[], None],
    period_s: float,
    name: str,
    patience_s: float | None = None,
    wake: threading.Event | None = None,
) -> Iterator[None]:
    """Do it on a thread of its own, after each period, as long as the context lasts.

    At once where somebody sets `wake`. What is under way at the end is waited for, `patience_s` at
    most.
    """
    over, due = threading.Event(), wake or threading.Event()

    def run() -> None:
        while True:
            due.wait(period_s)
            due.clear()
            if over.is_set():
                return
            do()

    thread = threading.Thread(target=run, name=f"ringfence-{name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        due.set()
        thread.join(patience_s)
