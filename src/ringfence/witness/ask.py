"""How a log asks a witness for its cosignature."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from pathlib import Path

from ringfence import engine
from ringfence.engine import PolicyWitness
from ringfence.errors import WitnessError

__all__ = ["ask"]

MAX_ANSWER_BYTES = 64 * 1024
TRIES = 3
"""The first guesses the size cosigned last; a conflict tells it; another node may be quicker."""


def ask(directory: Path, note: bytes, witness: PolicyWitness, timeout_s: float = 10) -> bytes:
    """Return the staged checkpoint `note` with the cosignature of `witness` under it.

    Raises:
        WitnessError: the witness cannot be reached or refuses; the message has its reason.
        EngineError: its answer is no cosignature by its key.
    """
    old_size = 0
    for _ in range(TRIES):
        proof = engine.prove_growth(directory, old_size, note) if old_size else []
        if proof is None:
            raise WitnessError(
                f"witness {witness.name} has cosigned {old_size} entries of this log, more than it"
                " has: the log was set back",
                code="witness_rollback",
                hint="find out who put older files in the ledger's place",
            )
        lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
        status, answer = post(witness, f"old {old_size}\n{lines}\n".encode() + note, timeout_s)
        if status == 200:
            return engine.attach_cosignature(note, answer, witness.vkey)
        told = answer.decode("utf-8", "replace").strip()
        if status != 409 or not told.isdecimal():
            forked = status == 422
            raise WitnessError(
                f"witness {witness.name} does not cosign ({status}): {told[:200]!r}",
                code="witness_fork" if forked else "witness_refused",
                hint="this log contradicts what the witness saw: treat it as an incident"
                if forked
                else "the witness must know this log's key: `log VKEY` in its file `logs`",
            )
        old_size = int(told)
    raise WitnessError(f"witness {witness.name} is busy with other checkpoints of this log")


def post(witness: PolicyWitness, body: bytes, timeout_s: float) -> tuple[int, bytes]:
    """Send a request and return the answer's status and body."""
    if witness.url is None or not witness.url.startswith(("http://", "https://")):
        raise WitnessError(
            f"the policy gives no http address for witness {witness.name}",
            hint="write it after the key: witness NAME VKEY URL",
        )
    url = f"{witness.url.rstrip('/')}/add-checkpoint"
    request = urllib.request.Request(url, data=body, method="POST")  # noqa: S310 - http(s) only
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            return answer.status, answer.read(MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as e:
        return e.code, e.read(MAX_ANSWER_BYTES)
    except OSError as e:
        raise WitnessError(f"witness {witness.name} cannot be reached: {e}") from e
