"""What can be done with bans: listed, added, lifted; and how they outlast the gateway.

The engine has them. They are kept beside it in `bans.json`: an operator's before its command
returns, those by the rules within a second.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ringfence.api.clock import now_us
from ringfence.api.repeating import repeating
from ringfence.api.telling import read_why
from ringfence.config.folder import replace_private
from ringfence.engine import Engine
from ringfence.errors import BanError, FileError, GatewayError

__all__ = ["BanService", "NewBan", "kept_bans"]

PERIOD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class NewBan:
    """A ban that an operator wants: an address, a network or `key:ID`, and for how long."""

    target: str
    seconds: int
    reach: str = "all"
    """`strangers`: who is known there by a good signature is spared."""
    why: str = ""


class BanService:
    """Changes the engine's bans, and keeps them in a file."""

    def __init__(
        self, engine: Engine, path: Path | None, clock: Callable[[], int] = now_us
    ) -> None:
        """Keep what is needed; without `path` they are the engine's alone."""
        self._engine = engine
        self._path = path
        self._clock = clock
        self._order = threading.Lock()
        self._written: list[dict[str, Any]] | None = None

    def all(self) -> list[dict[str, Any]]:
        """Return the bans in force, in the order of their targets."""
        return self._engine.bans()

    def add(self, wanted: NewBan, who: str) -> dict[str, Any]:
        """Put a ban in force. Nothing of whom it is about is accepted when this returns.

        Raises:
            EngineError: its target cannot be read, or is too wide.
            FileError: it is in force, and not kept.
        """
        since_us = self._clock()
        ban: dict[str, Any] = {
            **asdict(wanted),
            "why": read_why(wanted.why),
            "answer": "ban",
            "origin": "operator",
            "step": 0,
            "since_us": since_us,
            "until_us": since_us + wanted.seconds * 1_000_000,
        }
        del ban["seconds"]
        change = self._engine.add_ban(ban, {"who": who})
        self.keep()
        # As the engine reads its target.
        found = [one for one in self.all() if one["since_us"] == since_us]
        return {**(found[0] if found else ban), "effective_us": change.effective_us}

    def lift(self, target: str, why: str, who: str) -> dict[str, Any]:
        """Lift a ban, and have what led to it forgotten.

        Raises:
            BanError: there is none.
            FileError: it is lifted, and the next start would bring it back.
        """
        why = read_why(why)
        change = self._engine.lift_ban(target, {"who": who, "lift_why": why})
        if change is None:
            raise BanError(f"there is no ban of {target}")
        self.keep()
        return {"target": target, "effective_us": change.effective_us}

    def keep(self) -> None:
        """Write the bans down, if they are others than those that are written.

        Raises:
            FileError: they cannot be written.
        """
        with self._order:
            bans = self.all()
            if self._path is None or bans == self._written:
                return
            replace_private(self._path, json.dumps(bans).encode())
            self._written = bans

    @contextmanager
    def keeping(
        self, tell: Callable[[str], None], period_s: float = PERIOD_SECONDS
    ) -> Iterator[None]:
        """Keep the bans on a thread of its own as long as the context lasts, and at its end."""

        def once() -> None:
            try:
                self.keep()
            except GatewayError as e:
                tell(f"bans are not kept: {e}")

        try:
            with repeating(once, period_s, "bans"):
                yield
        finally:
            once()


def kept_bans(path: Path) -> list[dict[str, Any]]:
    """Return the bans that were in force when they were last written; none where none were.

    Raises:
        FileError: the file cannot be read. Starting without them would let everybody in.
    """
    try:
        kept: list[dict[str, Any]] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as e:
        hint = "put a copy back, or remove it to start without the bans that it holds"
        raise FileError(f"cannot read {path}: {e}", hint=hint) from e
    return kept
