"""The ledger as others see it: tiles, receipts, policies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ringfence import _core
from ringfence.engine.call import named

__all__ = [
    "Accepted",
    "Policy",
    "PolicyWitness",
    "Receipt",
    "accept_checkpoint",
    "attach_cosignature",
    "find_message",
    "prove_entry",
    "prove_growth",
    "publish_ledger",
    "read_policy",
    "release_ledger",
    "stage_ledger",
    "tlog_tiles",
    "verify_consistency",
    "verify_inclusion",
    "verify_note",
    "verify_receipt",
]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt proves: this entry stands at `index` of the log `origin`."""

    index: int
    origin: str
    size: int
    root: str
    entry: bytes


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness that a policy names; `url` is where it takes checkpoints."""

    name: str
    vkey: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy names."""

    logs: list[str]
    witnesses: list[PolicyWitness]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A checkpoint that a policy accepts; `witnesses` are names with seconds since the epoch."""

    origin: str
    size: int
    root: str
    witnesses: list[tuple[str, int]]


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


def publish_ledger(directory: Path) -> int:
    """Publish a ledger's newest checkpoint with its tiles; return how many entries it covers.

    Raises:
        EngineError: there is no ledger, or it does not continue what was published.
    """
    with named():
        return _core.publish_ledger(str(directory))


def stage_ledger(directory: Path) -> bytes:
    """Lay out the tiles of a ledger's newest checkpoint; return it, not yet published.

    Raises:
        EngineError: as `publish_ledger`.
    """
    with named():
        return _core.stage_ledger(str(directory))


def release_ledger(directory: Path, note: bytes) -> int:
    """Publish a staged checkpoint with its cosignatures; return how many entries it covers.

    Raises:
        EngineError: the tiles do not fit it, or it does not continue what was published.
    """
    with named():
        return _core.release_ledger(str(directory), note)


def prove_entry(directory: Path, index: int) -> bytes:
    """Return the receipt (C2SP tlog-proof) of entry `index`.

    Raises:
        EngineError: no checkpoint covers the entry, or a published file is not as it was.
    """
    with named():
        return _core.prove_entry(str(directory), index)


def find_message(directory: Path, message: str) -> list[int]:
    """Return the indices of the entries about a message: its decision, then its outcome.

    Raises:
        EngineError: there is no ledger, or it is damaged.
    """
    with named():
        return _core.find_message(str(directory), message)


def prove_growth(directory: Path, old_size: int, note: bytes) -> list[bytes] | None:
    """Return the proof that a staged checkpoint continues `old_size` entries; None if larger.

    Raises:
        EngineError: a tile is not as it was laid out.
    """
    with named():
        return _core.prove_growth(str(directory), old_size, note)


def verify_receipt(
    receipt: bytes, vkey: str | None, policy: bytes | None = None, entry: bytes | None = None
) -> Receipt:
    """Check a receipt against a log's key or a policy, and return what it proves.

    Raises:
        EngineError: `receipt_refused` when it proves nothing.
    """
    with named():
        found, proven = _core.verify_receipt(receipt, vkey, policy, entry)
    return Receipt(**json.loads(found), entry=proven)


def read_policy(policy: bytes) -> Policy:
    """Read a policy (C2SP tlog-policy).

    Raises:
        EngineError: `policy_invalid`; the message names the line.
    """
    with named():
        found = json.loads(_core.check_policy(policy))
    return Policy(found["logs"], [PolicyWitness(**one) for one in found["witnesses"]])


def accept_checkpoint(policy: bytes, note: bytes) -> Accepted:
    """Return the checkpoint that a policy accepts.

    Raises:
        EngineError: `checkpoint_refused`; the message says which signatures are missing.
    """
    with named():
        found = json.loads(_core.accept_checkpoint(policy, note))
    witnesses = [(name, time_s) for name, time_s in found.pop("witnesses")]
    return Accepted(**found, witnesses=witnesses)


def attach_cosignature(note: bytes, answer: bytes, vkey: str) -> bytes:
    """Return `note` with the cosignature that a witness answered.

    Raises:
        EngineError: the answer has no cosignature by this witness, or a false one.
    """
    with named():
        return _core.attach_cosignature(note, answer, vkey)


def verify_note(vkey: str, note: bytes) -> str:
    """Return the text of a signed note when `vkey` signed it.

    Raises:
        EngineError: it did not, or this is no note.
    """
    with named():
        return _core.verify_note(vkey, note)


def tlog_tiles(entries: list[bytes]) -> tuple[dict[str, bytes], bytes]:
    """Return the C2SP tlog-tiles over `entries` by path, and the root of their tree."""
    return _core.tlog_tiles(entries)
