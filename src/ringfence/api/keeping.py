"""What a running gateway does for credentials unasked: keeps their uses, suspends the unused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ringfence.api.keys import KeyService
from ringfence.api.repeating import repeating
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
    keep = partial(once, keys, tell, standing)
    try:
        with repeating(keep, period_s, "keeping"):
            yield
    finally:
        keep()


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
