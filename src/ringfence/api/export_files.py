"""What leaves the vault for another one: sealed to its key, described exactly, and approved.

Who asks is an owner, and another owner approves (`approvals.ALWAYS`). The ledger is told, durably,
before anything is given out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ringfence.api.approvals import ApprovalService
from ringfence.api.clock import now_us
from ringfence.api.telling import read_why
from ringfence.engine import Detail
from ringfence.errors import ExportError
from ringfence.identity.export import LASTS_US, Head, Recipient, digest, sealed
from ringfence.identity.secret import RootKey
from ringfence.identity.shard import Shard
from ringfence.identity.store import Store
from ringfence.identity.vault import Vault, VenueKey

__all__ = ["ACT", "ExportFiles", "NewExport", "words"]

ACT = "vault.export"
MAX_TOLD = 200
"""Characters of what the ledger is told of names; the file's SHA-256 stands for all."""


@dataclass(frozen=True, slots=True)
class NewExport:
    """What a person asks for: venue keys by their names, or a shard; and whom it is sealed to."""

    recipient: str
    venue_keys: Sequence[str] = ()
    shard: int | None = None
    why: str = ""


class ExportFiles:
    """Makes files of venue keys, or of a shard, for a recipient."""

    def __init__(
        self,
        root: RootKey,
        store: Store,
        record: Callable[[str, Detail], None],
        gateway: str,
        vault: Vault | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """Keep what is needed; `record` returns when the ledger has an event durably."""
        self._root = root
        self._store = store
        self._record = record
        self._gateway = gateway
        self._vault = vault
        self._clock = clock or now_us

    def ask(self, wanted: NewExport, requester: str, approvals: ApprovalService) -> dict[str, Any]:
        """Ask others to approve an export; return the request.

        Raises:
            ExportError: there is no such thing, or no such recipient.
            ShardError: the shard cannot be derived here.
        """
        recipient = Recipient.read(wanted.recipient)
        of = {
            "what": described(self._found(wanted.venue_keys, wanted.shard)),
            "recipient": recipient.line(),
            "fingerprint": recipient.fingerprint,
            "why": read_why(wanted.why),
        }
        return approvals.request(ACT, requester, of)

    def make(self, of: dict[str, Any], who: str, by: tuple[str, ...]) -> dict[str, Any]:
        """Make the file that was approved; `by` is whose approvals it rests on.

        Raises:
            ExportError: `export_changed`: what is there is not what was approved.
            EngineError: the ledger does not take it; then nothing is given out.
        """
        names = [one["name"] for one in of["what"].get("venue_keys", ())]
        found = self._found(names, of["what"].get("shard"))
        if described(found) != of["what"]:
            hint = "ask again: it is described as it is then"
            said = "what is there now is not what was approved"
            raise ExportError(said, hint=hint, code="export_changed")
        recipient = Recipient.read(of["recipient"])
        approval, made_us = by[0].rpartition(":")[2], self._clock()
        head = Head(
            approval,
            self._gateway,
            of["what"],
            recipient.fingerprint,
            made_us,
            made_us + LASTS_US,
        )
        file = sealed(head, content(found), recipient)
        voters = ", ".join(one.rpartition(":")[0] for one in by)
        told: dict[str, str | int] = {"what": words(of["what"]), "who": who, "approval": approval}
        told |= {"approved_by": voters, "fingerprint": recipient.fingerprint}
        told |= {"sha256": digest(file)} | ({"why": of["why"]} if of["why"] else {})
        self._record("export.made", told)
        return {
            "what": words(of["what"]),
            "fingerprint": recipient.fingerprint,
            "sha256": digest(file),
            "expires_us": head.expires_us,
            "file": base64.b64encode(file).decode(),
        }

    def _found(self, names: Sequence[str], shard: int | None) -> Shard | list[VenueKey]:
        """Return what is to leave.

        Raises:
            ExportError: it is nothing, both, or not there.
        """
        if bool(names) == (shard is not None):
            raise ExportError("name venue keys, or a shard", hint="--key NAME …, or --shard N")
        if shard is not None:
            return Shard.gather(self._store, self._root, shard)
        known = {} if self._vault is None else self._vault.read()
        if missing := [name for name in names if name not in known]:
            hint = "`ringfence vault list` shows the names"
            raise ExportError(f"there is no venue key {missing[0]}", hint=hint)
        return [known[name] for name in sorted(set(names))]


def described(found: Shard | list[VenueKey]) -> dict[str, Any]:
    """Describe exactly what is to leave, and nothing that is secret."""
    if isinstance(found, Shard):
        count = len(found.credentials)
        return {"shard": found.key.shard, "credentials": count, "accounts": found.accounts()}
    kept = ("name", "dialect", "key_id", "algorithm", "added_us")
    return {"venue_keys": [{name: one.shown()[name] for name in kept} for one in found]}


def content(found: Shard | list[VenueKey]) -> bytes:
    """Return what is sealed."""
    if isinstance(found, Shard):
        return found.encode()
    return json.dumps([one.row() for one in found]).encode()


def words(what: dict[str, Any]) -> str:
    """Return what an export holds, in words for people and the ledger."""
    if "shard" in what:
        accounts = len(what["accounts"])
        return f"shard {what['shard']}: {what['credentials']} credentials of {accounts} accounts"
    names = [one["name"] for one in what["venue_keys"]]
    text = "venue keys " + ", ".join(names)
    return text if len(text) <= MAX_TOLD else f"{text[: MAX_TOLD - 20]}… ({len(names)})"
