"""The native engine behind typed Python. The only importer of `ringfence._core`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ringfence import _core
from ringfence.errors import EngineError

__all__ = [
    "Accepted",
    "Cosigner",
    "Engine",
    "LedgerReader",
    "LedgerReport",
    "Policy",
    "PolicyWitness",
    "Receipt",
    "RefusalCode",
    "StateChange",
    "Volume",
    "WitnessRequest",
    "accept_checkpoint",
    "attach_cosignature",
    "check_dialect",
    "check_snapshot",
    "drop_volume",
    "find_message",
    "ledger_vkey",
    "ledger_volumes",
    "prove_entry",
    "prove_growth",
    "publish_ledger",
    "read_dialect",
    "read_ledger",
    "read_policy",
    "refusal_codes",
    "release_ledger",
    "sign_request",
    "stage_ledger",
    "tlog_tiles",
    "verify_consistency",
    "verify_frame",
    "verify_inclusion",
    "verify_ledger",
    "verify_note",
    "verify_receipt",
    "verify_request",
    "volume_classes",
]

Detail = Mapping[str, str | int]

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
    `published` is how many entries the published checkpoint covers, None where nothing is.
    `heartbeats` has their `count`, how many are `missing`, and `longest_us` between two of a run.
    `volumes` has {month, sequence, size, signed_size, root} of each, none for a ledger in one
    piece; the numbers above are of all of them together, and `root` is the newest one's.
    """

    origin: str
    size: int
    root: str
    checkpoints: int
    signed_size: int
    signatures_checked: bool
    open_intents: int
    heartbeats: dict[str, int]
    live: bool
    published: int | None
    unfinished: list[dict[str, Any]]
    fault: dict[str, Any] | None
    volumes: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Volume:
    """One log of a ledger, in the folder `directory`: that of `month`; None: the whole ledger.

    `sequence` counts the entries before it.
    """

    month: str | None
    directory: Path
    sequence: int


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


@contextmanager
def named() -> Iterator[None]:
    """Turn the native module's failures into `EngineError`."""
    try:
        yield
    except _core.CoreError as e:
        code, message, field = e.args
        raise EngineError(message, code=code, field=field, hint=HINTS.get(code)) from e


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

    def event(self, name: str, detail: Detail, *, durable: bool = False) -> None:
        """Record an event in the ledger; `durable`: return when it is.

        Raises:
            EngineError: the ledger does not take entries.
        """
        with named():
            self._engine.event(name, json.dumps(detail).encode(), durable)

    def event_alone(self, name: str, detail: Detail) -> None:
        """Record one event while no engine has the ledger; it is durable on return.

        Raises:
            EngineError: the ledger cannot be opened or written.
        """
        with named():
            self._engine.event_alone(name, json.dumps(detail).encode())

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


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it stands on the wire: header fields in order, repeated ones repeated."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Secret:
    """Key material and its algorithm, by the word used in configuration. Never printed."""

    algorithm: str
    material: bytes = field(repr=False)


def verify_request(dialect: dict[str, Any], request: Request, secret: Secret) -> dict[str, Any]:
    """Verify a captured request by the dialect's scheme, whatever its route, and return every step.

    Raises:
        EngineError: the dialect, the key or the message is refused before it comes to the
            signature.
    """
    with named():
        seen: dict[str, Any] = json.loads(
            _core.dialect_verify(
                json.dumps(dialect).encode(),
                request.method,
                request.target,
                request.headers,
                request.body,
                secret.algorithm,
                secret.material,
            )
        )
    return seen


def verify_frame(dialect: dict[str, Any], frame: str, secret: Secret) -> dict[str, Any] | None:
    """Verify a captured WebSocket message; `None` where the dialect knows no signature in it.

    Raises:
        EngineError: the dialect, the key or the message is refused before it comes to the
            signature.
    """
    with named():
        seen: dict[str, Any] | None = json.loads(
            _core.dialect_verify_frame(
                json.dumps(dialect).encode(), frame, secret.algorithm, secret.material
            )
        )
    return seen


@dataclass(frozen=True, slots=True)
class Seal:
    """Who signs and when: microseconds since the Unix epoch. `nonce` grows with each use."""

    key_id: str
    secret: Secret
    passphrase: str | None = field(repr=False)
    now_us: int
    nonce: str


def sign_request(dialect: dict[str, Any], request: Request, seal: Seal) -> Request:
    """Return `request` with what the dialect's scheme adds; what it carries already is kept.

    Raises:
        EngineError: the dialect, the key or the message is refused.
    """
    with named():
        made = json.loads(
            _core.dialect_sign(
                json.dumps(dialect).encode(),
                request.method,
                request.target,
                request.headers,
                request.body,
                seal.key_id,
                seal.secret.algorithm,
                seal.secret.material,
                seal.passphrase,
                seal.now_us,
                seal.nonce,
            )
        )
    headers = [(name, value) for name, value in made["headers"]]
    return Request(request.method, made["target"], headers, made["body"].encode())


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


def ledger_volumes(directory: Path) -> list[Volume]:
    """Return the volumes of a ledger, oldest first.

    Raises:
        EngineError: there is no ledger, or a volume does not begin as one.
    """
    with named():
        found = _core.ledger_volumes(str(directory))
    return [Volume(month, Path(folder), sequence) for month, folder, sequence in found]


def volume_classes(directory: Path) -> tuple[int, int]:
    """Return how many entries of the volume in `directory` are of trade and of security.

    Raises:
        EngineError: it cannot be read, or an entry is not as it was written.
    """
    with named():
        return _core.volume_classes(str(directory))


def drop_volume(directory: Path, month: str | None) -> None:
    """Remove the volume `month` of the ledger in `directory`, and what an earlier call left.

    Raises:
        EngineError: it could not be removed whole; calling again goes on.
    """
    with named():
        _core.drop_volume(str(directory), month)


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


class WitnessRequest:
    """A request to cosign a checkpoint (C2SP tlog-witness, add-checkpoint)."""

    def __init__(self, body: bytes) -> None:
        """Read the body of a request.

        Raises:
            EngineError: `witness_400`.
        """
        with named():
            self.core = _core.WitnessRequest(body)
        self.origin, self.size, self.root = self.core.origin, self.core.size, self.core.root
        self.note = self.core.note

    def judge(self, logs: list[str], seen: tuple[int, bytes] | None) -> None:
        """Refuse what must not be cosigned. `seen`: size and root of what was cosigned last.

        Raises:
            EngineError: `witness_<HTTP status>`.
        """
        with named():
            self.core.judge(logs, seen)


class Cosigner:
    """A key that cosigns checkpoints under a name."""

    def __init__(self, key: Path, name: str) -> None:
        """Read the key file.

        Raises:
            EngineError: the file is not an Ed25519 key in PKCS#8 PEM, or `name` is no key name.
        """
        with named():
            self._core = _core.Cosigner(str(key), name)

    @property
    def vkey(self) -> str:
        """The key that verifies the cosignatures, as text."""
        return self._core.vkey

    def cosign(self, request: WitnessRequest, time_s: int) -> str:
        """Return the signature line for the checkpoint of a request that was judged."""
        return self._core.cosign(request.core, time_s)
