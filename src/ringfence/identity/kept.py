"""A connection that is kept: it notices a database that is gone, and waits for no answer long."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

from ringfence.errors import StoreError

__all__ = ["keep", "there"]

T = TypeVar("T")


def keep(engine: Engine, place: Path | str, patience_s: float) -> None:
    """Have an engine's connections notice what is lost."""
    if isinstance(place, Path):
        event.listen(engine, "connect", lambda _, record: record.info.update(file=which(place)))
        event.listen(engine, "checkout", lambda _, record, __: same(record.info["file"], place))
        return
    event.listen(engine, "do_connect", lambda *about: connected(about[2], about[3], patience_s))


def which(file: Path) -> tuple[int, int] | None:
    """Return by what one sees that a file is another one; None: it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def there(file: Path) -> None:
    """Make sure that there is a file: SQLite would lay one, or go on with what has no name.

    Raises:
        StoreError: there is none.
    """
    if which(file) is None:
        raise StoreError(f"the store {file} is gone")


def same(opened: tuple[int, int] | None, file: Path) -> None:
    """Have another connection made where the file is not the one that was opened."""
    if opened != which(file):
        raise DisconnectionError("another file has its name")


def connected(arguments: Any, named: Any, patience_s: float) -> Any:
    """Return a connection to PostgreSQL that is closed when an answer takes longer."""
    import psycopg

    class Patient(psycopg.Connection[Any]):
        """Waits for so long."""

        def wait(self, gen: Any, *rest: Any, **more: Any) -> Any:
            until = time.monotonic() + patience_s
            return super().wait(bounded(gen, lambda: self.give_up(until)), *rest, **more)

        def give_up(self, until: float) -> None:
            if time.monotonic() > until:
                self.close()
                raise psycopg.OperationalError(f"no answer in {patience_s:g} s")

    return Patient.connect(*arguments, **named)


def bounded(inner: Generator[Any, Any, T], look: Callable[[], None]) -> Generator[Any, Any, T]:
    """Go on as `inner` does, and `look` whenever it is resumed."""
    try:
        state = next(inner)
        while True:
            ready = yield state
            look()
            state = inner.send(ready)
    except StopIteration as e:
        found: T = e.value
        return found
