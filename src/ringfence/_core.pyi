"""The native engine. Import it from `ringfence.engine` only.

JSON goes in and out as UTF-8 bytes. Every call that may block releases the interpreter lock.
All of them raise `CoreError`, whose `args` are (code, message, field).
"""

from collections.abc import Callable
from typing import final

__all__ = [
    "CoreError",
    "Engine",
    "LedgerReader",
    "check_dialect",
    "check_snapshot",
    "codes",
    "dialect_read",
    "ledger_vkey",
    "read_ledger",
    "verify_consistency",
    "verify_inclusion",
    "verify_ledger",
]

class CoreError(Exception):
    """A refusal by the engine: `args` are (code, message, field).

    `field` is the path of the field concerned, or empty.
    """

@final
class Engine:
    """A gateway: its listeners, controls and ledger."""

    def __new__(cls, snapshot: bytes) -> Engine: ...
    def start(self, credentials: bytes) -> list[str]:
        """Take a JSON array of credentials, open the ledger, listen, and return the addresses.

        They are in the listeners' order, with the ports that the system chose.
        """

    def stop(self, drain_ms: int) -> None:
        """Stop listening, let open requests end for at most `drain_ms`, close the ledger."""

    def hurry(self) -> None:
        """End the wait of a `stop` on another thread."""

    def put_credentials(self, credentials: bytes) -> int:
        """Add or replace a JSON array of credentials, and return how many there were."""

    def set_credential_state(self, key_id: str, state: str, detail: bytes) -> tuple[int, bool]:
        """Set a credential's state.

        Returns after how many µs it took effect, and whether the ledger took the event.
        """

    def status(self) -> bytes:
        """Return the counters as a JSON object."""

    def event(self, name: str, detail: bytes) -> None:
        """Record an event; `detail` is a JSON object of texts and integers."""

@final
class LedgerReader:
    """Reads a ledger's entries in order, also while it grows."""

    def __new__(cls, directory: str, start: int) -> LedgerReader: ...
    def read(self, limit: int) -> list[tuple[int, bytes]]:
        """Return up to `limit` more entries as (index, canonical JSON); none if there are none."""

def check_snapshot(snapshot: bytes) -> None:
    """Refuse a snapshot that `Engine` would refuse, without opening a socket."""

def check_dialect(dialect: bytes) -> bytes:
    """Compile a dialect and return a JSON summary: its routes and its holes."""

def codes() -> list[tuple[str, str, str]]:
    """Return every refusal code as (code, control or room, hint)."""

def dialect_read(
    dialect: bytes, method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> bytes:
    """Read one message by a dialect and return as JSON what the controls would see."""

def ledger_vkey(key_path: str, origin: str) -> str:
    """Return the verifier key text (C2SP signed note) of a ledger's signing key."""

def read_ledger(directory: str, start: int, limit: int) -> list[tuple[int, bytes]]:
    """Return up to `limit` committed entries from index `start` on, as (index, canonical JSON)."""

def verify_ledger(
    directory: str, vkey: str | None, progress: Callable[[int], None] | None
) -> bytes:
    """Recompute everything and return a JSON report: size, root, checkpoints, fault or null."""

def verify_consistency(
    size_1: int, size_2: int, root_1: bytes, root_2: bytes, proof: list[bytes]
) -> bool:
    """Tell whether `proof` shows that the tree of `size_1` is a prefix of that of `size_2`."""

def verify_inclusion(index: int, size: int, leaf: bytes, root: bytes, proof: list[bytes]) -> bool:
    """Tell whether `proof` shows that the leaf hash `leaf` is at `index` in the tree `root`."""
