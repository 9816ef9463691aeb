"""What a running gateway does for credentials unasked: keeps their uses, suspends the unused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ringfence.api.keys import KeyService
from ringfence.errors import GatewayError
from ringfence.identity.seal.standing import Standing

__all__ = ["keeping"]

PERIOD_SECONDS = 60.0


@contextmanager
def keeping(
    keys: KeyService,
    tell: Callable[[str], None],
    period_s: float = PERIOD_SECONDS,
    standing: Standing | None = None,
) -> Iterator[None]:
    """Keep uses on a thread of its own, once in each period and once at the end.

    And how far the ledger is read for what stands in `standing`.
    """
    over = threading.Event()

    def keep() -> None:
        while not over.wait(period_s):
            once(keys, tell, standing)

    thread = threading.Thread(target=keep, name="ringfence-keeping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        once(keys, tell, standing)


def once(keys: KeyService, tell: Callable[[str], None], standing: Standing | None = None) -> None:
    """Keep uses; a store that fails is told of, and asked again the next time."""
    try:
        keys.suspend_unused()
    except GatewayError as e:
        tell(f"when credentials were last used is not kept: {e}")
    if standing is not None:
        try:
            standing.keep()
        except GatewayError as e:
            tell(f"the next start reads more of the ledger: {e}")
