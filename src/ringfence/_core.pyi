"""The native engine. Import it from `ringfence.engine` only.

JSON goes in and out as UTF-8 bytes. Every call that may block releases the interpreter lock.
All of them raise `CoreError`, whose `args` are (code, message, field).
"""

from collections.abc import Callable, Sequence
from typing import final

__all__ = [
    "CoreError",
    "Cosigner",
    "Engine",
    "LedgerReader",
    "PolicySet",
    "Usual",
    "WitnessRequest",
    "accept_checkpoint",
    "attach_cosignature",
    "check_dialect",
    "check_policy",
    "check_snapshot",
    "codes",
    "dialect_read",
    "dialect_sign",
    "dialect_verify",
    "dialect_verify_frame",
    "drop_volume",
    "erase_personal",
    "find_message",
    "ledger_vkey",
    "ledger_volumes",
    "policy_actions",
    "policy_schema",
    "prove_entry",
    "prove_growth",
    "publish_ledger",
    "read_jwk",
    "read_ledger",
    "release_ledger",
    "stage_ledger",
    "tlog_tiles",
    "verify_consistency",
    "verify_inclusion",
    "verify_jws",
    "verify_ledger",
    "verify_note",
    "verify_receipt",
    "verify_signature",
    "volume_classes",
]

class CoreError(Exception):
    """A refusal by the engine: `args` are (code, message, field).

    `field` is the path of the field concerned, or empty.
    """

@final
class Engine:
    """A gateway: its listeners, controls and ledger."""

    def __new__(cls, snapshot: bytes) -> Engine: ...
    def begin(self, shards: bytes) -> None:
        """Begin to take credentials for `start`; `shards`: a JSON object of base64 by number."""

    def load(self, credentials: bytes) -> int:
        """Take a part of the credentials that `start` starts with: a JSON array."""

    def start(self, venue_keys: bytes, withdrawal_addresses: bytes) -> list[str]:
        """Take venue keys and withdrawal addresses, open the ledger, listen.

        Returns where, in the listeners' order.
        """

    def stop(self, drain_ms: int) -> None:
        """Stop listening, let open requests end for at most `drain_ms`, close the ledger."""

    def hurry(self) -> None:
        """End the wait of a `stop` on another thread."""

    def put_addresses(self, addresses: bytes) -> None:
        """Put a JSON object of addresses by account in the place of those these accounts had."""

    def put_policies(self, policies: PolicySet) -> None:
        """Put policies in the place of those in force."""

    def put_issuers(self, issuers: bytes) -> None:
        """Put a JSON array of issuers in the place of those whose tokens are taken."""

    def ask_policies(self, question: bytes) -> bytes | None:
        """Answer one request by the policies in force, JSON for JSON; None where there are none."""

    def put_credentials(self, credentials: bytes) -> int:
        """Add or replace a JSON array of credentials, and return how many there were."""

    def put_venue_keys(self, venue_keys: bytes) -> int:
        """Put a JSON array of venue keys in the place of all that there were."""

    def add_ban(self, ban: bytes, detail: bytes) -> tuple[int, bool]:
        """Put a ban in force; return after how many microseconds it held, and if it is told."""

    def learn_ban(self, ban: bytes, detail: bytes) -> tuple[int, bool]:
        """Take another node's ban; return as `add_ban` does."""

    def bans_changed(self) -> int:
        """Return a number that is another one once a ban is in force or gone."""

    def lift_ban(self, target: str, detail: bytes) -> tuple[int, bool] | None:
        """Lift a ban; return as `add_ban` does, or None where there was none."""

    def bans(self) -> bytes:
        """Return the bans in force as a JSON array."""

    def hold_accounts(self, accounts: Sequence[str], held: bool) -> int:
        """Take accounts' credentials out of use, or let each stand where it stands by itself.

        Return after how many microseconds that held.
        """

    def place(self, accounts: bytes) -> int:
        """Put accounts into shards: a JSON object of numbers, or nulls, by account.

        Return after how many microseconds that held.
        """

    def set_shard(self, shard: int, state: str) -> int:
        """Have a shard serve, drain or be isolated; return after how many µs that held."""

    def shards(self) -> bytes:
        """Return the shards as a JSON array."""

    def put_credential_state(self, key_id: str, state: str) -> int:
        """Set a credential's state, and record nothing. Returns after how many µs that held."""

    def renew(self, age_ms: int, lasts_ms: int | None) -> None:
        """Have what is known of credentials acted by for so long; None: for ever."""

    def step_up(self, account: str, at_us: int, proof: str) -> None:
        """Let policies see that somebody stepped up for an account, and by what."""

    def used_since(self, since_us: int) -> list[tuple[str, int]]:
        """Return the credentials that were used at `since_us` or later, and when."""

    def set_credential_state(self, key_id: str, state: str, detail: bytes) -> tuple[int, bool]:
        """Set a credential's state.

        Returns after how many µs it took effect, and whether the ledger took the event.
        """

    def status(self) -> bytes:
        """Return the counters as a JSON object."""

    def top(self, limits: int) -> bytes:
        """Return what is going on as a JSON object; `limits` near their edge at most."""

    def event(self, name: str, detail: bytes, durable: bool) -> None:
        """Record an event; `detail` is a JSON object of texts and integers."""
    def erase(self, commitments: list[str]) -> int:
        """Remove for good what commitments stand for in the newest volume."""

    def event_alone(self, name: str, detail: bytes) -> None:
        """Record one event while the engine is not started, durably."""

@final
class LedgerReader:
    """Reads a ledger's entries in order, also while it grows."""

    def __new__(cls, directory: str, start: int) -> LedgerReader: ...
    def read(self, limit: int) -> list[tuple[int, bytes]]:
        """Return up to `limit` more entries as (index, canonical JSON); none if there are none."""
    def sift(
        self, limit: int, usual: Usual
    ) -> tuple[int, tuple[int, bytes] | None, list[tuple[int, bytes]]]:
        """Go on by up to `limit` entries; return their number, the last, and what is not usual."""

@final
class Usual:
    """How keys are known to be used."""

    def __new__(cls) -> Usual: ...
    def add(self, entry: bytes) -> None:
        """Remember how a permitted message used its key."""

    def clear(self) -> None:
        """Forget all."""

    def __len__(self) -> int: ...

@final
class Cosigner:
    """A key that cosigns checkpoints under a name."""

    def __new__(cls, key_path: str, name: str) -> Cosigner: ...
    @property
    def vkey(self) -> str:
        """The key that verifies its cosignatures, as text."""

    def cosign(self, request: WitnessRequest, time_s: int) -> str:
        """Return the signature line for the checkpoint of a request that was judged."""

@final
class WitnessRequest:
    """A request to cosign a checkpoint (C2SP tlog-witness, add-checkpoint).

    Made from the body of the request; refusals have the code `witness_<HTTP status>`.
    """

    def __new__(cls, body: bytes) -> WitnessRequest: ...
    @property
    def origin(self) -> str:
        """The log's name."""

    @property
    def size(self) -> int:
        """Entries that the checkpoint covers."""

    @property
    def root(self) -> bytes:
        """The root over them."""

    @property
    def note(self) -> bytes:
        """The checkpoint as a note."""

    def judge(self, logs: list[str], seen: tuple[int, bytes] | None) -> None:
        """Refuse what must not be cosigned.

        `logs` are the keys of the logs watched, `seen` size and root of what was cosigned last.
        """

def check_snapshot(snapshot: bytes) -> None:
    """Refuse a snapshot that `Engine` would refuse, without opening a socket."""

@final
class PolicySet:
    """A valid policy set."""

    def __new__(cls, definition: bytes) -> PolicySet:
        """Take the definition as JSON; `CoreError` `policy_refused` has a line for each problem."""

    def describe(self) -> bytes:
        """Return the policies and what the validator thinks strange, as JSON."""

    def decide(self, question: bytes) -> bytes:
        """Answer one request, JSON for JSON."""

def policy_actions() -> bytes:
    """Return the actions that policies speak of, as JSON."""

def policy_schema() -> str:
    """Return the schema's text."""

def check_dialect(dialect: bytes) -> bytes:
    """Compile a dialect and return a JSON summary: its routes and its holes."""

def codes() -> list[tuple[str, str, str, int, str]]:
    """Return every refusal code as (code, control or room, hint, status, type).

    The last two as problem details have them.
    """

def dialect_read(
    dialect: bytes, method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> bytes:
    """Read one message by a dialect and return as JSON what the controls would see."""

def dialect_sign(
    dialect: bytes,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes,
    key_id: str,
    algorithm: str,
    secret: bytes,
    passphrase: str | None,
    now_us: int,
    nonce: str,
) -> bytes:
    """Sign a request by a dialect's scheme and return it as JSON."""

def read_jwk(text: str) -> bytes:
    """Read a public key from the JSON of a JWK; return its algorithm, material and thumbprint."""

def verify_jws(token: str, algorithm: str, material: bytes) -> bytes:
    """Verify a compact JWS by a key and return its payload."""

def verify_signature(
    message: bytes, signature: str, der: bool, algorithm: str, material: bytes
) -> None:
    """Verify a signature in base64 over a message; `der` says how an ECDSA signature is written."""

def dialect_verify(
    dialect: bytes,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes,
    algorithm: str,
    secret: bytes,
) -> bytes:
    """Verify a captured request by a dialect's scheme; every step as JSON."""

def dialect_verify_frame(dialect: bytes, frame: str, algorithm: str, secret: bytes) -> bytes:
    """Verify a captured WebSocket message; `null` where the dialect knows no signature in it."""

def ledger_vkey(key_path: str, origin: str) -> str:
    """Return the verifier key text (C2SP signed note) of a ledger's signing key."""

def ledger_volumes(directory: str) -> list[tuple[str | None, str, int]]:
    """Return a ledger's volumes as (month, folder, entries before it), oldest first."""

def volume_classes(directory: str) -> tuple[int, int]:
    """Return how many entries of a volume are of trade and of security."""

def erase_personal(directory: str, commitments: list[str]) -> int:
    """Remove for good what commitments stand for in a volume that nobody writes."""

def drop_volume(directory: str, month: str | None) -> None:
    """Remove the volume of a month for good, and what an interrupted removal left."""

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

def publish_ledger(directory: str) -> int:
    """Publish a ledger's newest checkpoint with its tiles; return how many entries it covers."""

def stage_ledger(directory: str) -> bytes:
    """Lay out the tiles of a ledger's newest checkpoint; return it, not yet published."""

def release_ledger(directory: str, note: bytes) -> int:
    """Publish a staged checkpoint with what cosignatures it got; return how many it covers."""

def prove_entry(directory: str, index: int) -> bytes:
    """Return the receipt (C2SP tlog-proof) of an entry."""

def find_message(directory: str, message: str) -> list[int]:
    """Return the indices of the entries about a message."""

def prove_growth(directory: str, old_size: int, note: bytes) -> list[bytes] | None:
    """Return the proof that a staged checkpoint continues `old_size` entries; None if larger."""

def verify_receipt(
    receipt: bytes, vkey: str | None, policy: bytes | None, entry: bytes | None
) -> tuple[bytes, bytes]:
    """Check a receipt and return what it proves as JSON, and the entry."""

def check_policy(policy: bytes) -> bytes:
    """Read a policy (C2SP tlog-policy) and return its logs and witnesses as JSON."""

def accept_checkpoint(policy: bytes, note: bytes) -> bytes:
    """Check a checkpoint against a policy and return who cosigned it as JSON."""

def attach_cosignature(note: bytes, answer: bytes, vkey: str) -> bytes:
    """Return `note` with the cosignature that a witness answered."""

def verify_note(vkey: str, note: bytes) -> str:
    """Return the text of a signed note when `vkey` signed it."""

def tlog_tiles(entries: list[bytes]) -> tuple[dict[str, bytes], bytes]:
    """Return the C2SP tlog-tiles over entries by path, and the root of their tree."""
