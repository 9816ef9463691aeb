"""What a running gateway does for credentials unasked: keeps their uses, suspends the unused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ringfence.api.keys import KeyService
from ringfence.errors import GatewayError

__all__ = ["keeping"]

PERIOD_SECONDS = 60.0


@contextmanager
def keeping(
    keys: KeyService, tell: Callable[[str], None], period_s: float = PERIOD_SECONDS
) -> Iterator[None]:
    """Keep uses on a thread of its own, once in each period and once at the end."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(period_s):
            once(keys, tell)

    thread = threading.Thread(target=keep, name="ringfence-keeping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        once(keys, tell)


def once(keys: KeyService, tell: Callable[[str], None]) -> None:
    """Keep uses; a store that fails is told of, and asked again the next time."""
    try:
        keys.suspend_unused()
    except GatewayError as e:
        tell(f"when credentials were last used is not kept: {e}")
