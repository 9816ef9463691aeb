"""The native engine behind typed Python. The only importer of `ringfence._core`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringfence import _core
from ringfence.errors import EngineError

__all__ = [
    "Engine",
    "LedgerReader",
    "LedgerReport",
    "RefusalCode",
    "StateChange",
    "check_dialect",
    "check_snapshot",
    "ledger_vkey",
    "read_dialect",
    "read_ledger",
    "refusal_codes",
    "verify_consistency",
    "verify_inclusion",
    "verify_ledger",
]

Detail = Mapping[str, str | int]

LEDGER_HINT = "name a folder that holds a ledger; `ringfence ledger verify DIR` tells how it is"


@dataclass(frozen=True, slots=True)
class RefusalCode:
    """One stable refusal code: who refuses by it, and what the refused one can do."""

    code: str
    room: str
    hint: str


@dataclass(frozen=True, slots=True)
class StateChange:
    """What came of a state's change: when it held, and whether the ledger took the event."""

    effective_us: int
    recorded: bool


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What a verification found.

    `fault` is None, or {file, offset, entry, kind, sentence} of the first thing that is not as it
    was written. `unfinished` is what a crash left at the end: {file, offset, sentence} each.
    """

    origin: str
    size: int
    root: str
    checkpoints: int
    signed_size: int
    signatures_checked: bool
    open_intents: int
    live: bool
    unfinished: list[dict[str, Any]]
    fault: dict[str, Any] | None


@contextmanager
def named() -> Iterator[None]:
    """Turn the native module's failures into `EngineError`."""
    try:
        yield
    except _core.CoreError as e:
        code, message, field = e.args
        hint = LEDGER_HINT if code == "ledger_unusable" else None
        raise EngineError(message, code=code, field=field, hint=hint) from e


class Engine:
    """A gateway in this process. `start` it once, `stop` it once; other calls may come between."""

    def __init__(self, snapshot: bytes) -> None:
        """Check `snapshot` (JSON, see `ringfence.config`).

        Raises:
            EngineError: the snapshot is refused; the message names the field.
        """
        with named():
            self._engine = _core.Engine(snapshot)

    def start(self, credentials: list[dict[str, Any]]) -> list[str]:
        """Take `credentials`, open the ledger, listen, and return the bound `host:port` texts.

        In the listeners' order. No client meets the gateway before it knows its credentials.

        Raises:
            EngineError: a credential, port, certificate, key or the ledger cannot be used.
        """
        with named():
            return self._engine.start(json.dumps(credentials).encode())

    def stop(self, drain_ms: int) -> None:
        """Let open requests end for at most `drain_ms`, then close the ledger.

        Raises:
            EngineError: the ledger could not be closed.
        """
        with named():
            self._engine.stop(drain_ms)

    def hurry(self) -> None:
        """End the wait of a `stop` on another thread: what is still open is cut off."""
        self._engine.hurry()

    def put_credentials(self, credentials: list[dict[str, Any]]) -> int:
        """Add or replace credentials and return how many.

        Raises:
            EngineError: one is malformed; the message names its id, never its material.
        """
        with named():
            return self._engine.put_credentials(json.dumps(credentials).encode())

    def set_credential_state(self, key_id: str, state: str, detail: Detail) -> StateChange:
        """Set one credential's state, then record it with `detail`.

        Raises:
            EngineError: the engine does not know the credential, or it is revoked.
        """
        with named():
            content = json.dumps(detail).encode()
            return StateChange(*self._engine.set_credential_state(key_id, state, content))

    def event(self, name: str, detail: Detail) -> None:
        """Record an event in the ledger.

        Raises:
            EngineError: the ledger does not take entries.
        """
        with named():
            self._engine.event(name, json.dumps(detail).encode())

    def status(self) -> dict[str, Any]:
        """Return the gateway's counters.

        Raises:
            EngineError: the engine is not started.
        """
        with named():
            status: dict[str, Any] = json.loads(self._engine.status())
        return status


def check_snapshot(snapshot: bytes) -> None:
    """Refuse what `Engine` would refuse, without side effects.

    Raises:
        EngineError: the message names the field.
    """
    with named():
        _core.check_snapshot(snapshot)


def check_dialect(dialect: dict[str, Any]) -> dict[str, Any]:
    """Compile a dialect and return its summary: routes and holes.

    Raises:
        EngineError: the message names the field.
    """
    with named():
        summary: dict[str, Any] = json.loads(_core.check_dialect(json.dumps(dialect).encode()))
    return summary


def read_dialect(
    dialect: dict[str, Any], method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> dict[str, Any]:
    """Return what the controls would see of one message.

    Raises:
        EngineError: the dialect or the message is refused.
    """
    with named():
        seen: dict[str, Any] = json.loads(
            _core.dialect_read(json.dumps(dialect).encode(), method, target, headers, body)
        )
    return seen


def refusal_codes() -> list[RefusalCode]:
    """Return every refusal code, in the engine's order."""
    return [RefusalCode(*row) for row in _core.codes()]


def ledger_vkey(key: Path, origin: str) -> str:
    """Return the verifier key text that belongs to a ledger's signing key file.

    Raises:
        EngineError: the file is not an Ed25519 key in PKCS#8 PEM.
    """
    with named():
        return _core.ledger_vkey(str(key), origin)


def read_ledger(directory: Path, start: int, limit: int) -> list[tuple[int, bytes]]:
    """Return up to `limit` committed entries from `start` on, as (index, canonical JSON).

    Raises:
        EngineError: there is no ledger, or it is damaged.
    """
    with named():
        return _core.read_ledger(str(directory), start, limit)


class LedgerReader:
    """Reads a ledger's entries in order, also while it grows."""

    def __init__(self, directory: Path, start: int) -> None:
        """Open the ledger in `directory`, to read from entry `start` on.

        Raises:
            EngineError: there is no ledger.
        """
        with named():
            self._reader = _core.LedgerReader(str(directory), start)

    def read(self, limit: int) -> list[tuple[int, bytes]]:
        """Return up to `limit` more entries; none when there are none yet.

        Raises:
            EngineError: an entry is not as it was written.
        """
        with named():
            return self._reader.read(limit)


def verify_inclusion(index: int, size: int, leaf: bytes, root: bytes, proof: list[bytes]) -> bool:
    """Tell whether `proof` shows that leaf hash `leaf` is at `index` in the tree `root`.

    Source: RFC 6962; every hash has 32 bytes.
    """
    return _core.verify_inclusion(index, size, leaf, root, proof)


def verify_consistency(
    sizes: tuple[int, int], roots: tuple[bytes, bytes], proof: list[bytes]
) -> bool:
    """Tell whether `proof` shows that the second tree continues the first.

    Source: RFC 6962; every hash has 32 bytes.
    """
    return _core.verify_consistency(*sizes, *roots, proof)


def verify_ledger(
    directory: Path, vkey: str | None, progress: Callable[[int], None] | None = None
) -> LedgerReport:
    """Recompute a whole ledger. `progress` is told the entries done so far.

    Raises:
        EngineError: there is no ledger, or `vkey` is malformed.
    """
    with named():
        found = json.loads(_core.verify_ledger(str(directory), vkey, progress))
    return LedgerReport(**found)
