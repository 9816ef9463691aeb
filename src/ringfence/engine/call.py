"""Calls into the native engine, whose errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ringfence import _core
from ringfence.errors import EngineError

__all__ = ["named"]

HINTS = {
    "checkpoint_refused": "ask the log's operator for a checkpoint that its witnesses cosigned",
    "cosignature_refused": "check the witness's key and address in the policy",
    "ledger_unusable": "name a folder that holds a ledger; `ringfence ledger verify DIR` tells how"
    " it is",
    "policy_invalid": "the lines of a policy are described at c2sp.org/tlog-policy",
    "receipt_refused": "compare the key with the one the log's operator published; if it is right,"
    " do not rely on this receipt",
}
"""What to do, by the engine's code."""


@contextmanager
def named() -> Iterator[None]:
    """Turn the native module's failures into `EngineError`."""
    try:
        yield
    except _core.CoreError as e:
        code, message, field = e.args
        raise EngineError(message, code=code, field=field, hint=HINTS.get(code)) from e
