"""A client of a running gateway's admin API. Does what `KeyService` does, from outside.

Beside the gateway it asks at the admin socket; elsewhere, a listener of the gateway itself.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ringfence import errors
from ringfence.api.bans import NewBan
from ringfence.api.client_factors import FactorClient
from ringfence.api.export_files import NewExport
from ringfence.api.keys import Successor
from ringfence.api.newkey import NewKey
from ringfence.api.principals import NewPrincipal
from ringfence.api.vault import NewVenueKey
from ringfence.api.where import TIMEOUT_SECONDS, Beside, Elsewhere
from ringfence.errors import (
    GatewayError,
    KeyMissingError,
    KeyStateError,
    RunningError,
    StepUpError,
)
from ringfence.identity.address import NewAddress

__all__ = ["Client"]

TOP_SECONDS = 5
"""Who watches looks again."""
DROP_SECONDS = 3_600
"""A volume is read through before it goes: a second for each million entries."""
STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "suspend": ("suspend", {}),
    "resume": ("resume", {}),
    "deactivate": ("revoke", {}),
    "compromise": ("revoke", {"compromised": True}),
    "destroy": ("destroy", {}),
}
"""Each transition of a credential, and the request that asks for it."""


class Client(FactorClient):
    """`Keys` of a running gateway, on behalf of whoever runs this process."""

    def __init__(self, where: Path | Elsewhere) -> None:
        """Keep where it is: the path of its socket, or elsewhere."""
        self._where = Beside(where) if isinstance(where, Path) else where

    def create(self, wanted: NewKey) -> dict[str, Any]:
        """Create a credential; the answer holds its secret, this once."""
        created: dict[str, Any] = self._ask("POST", "/keys", asdict(wanted))
        return created

    def all(self) -> list[dict[str, Any]]:
        """Return all credentials, oldest first."""
        found: list[dict[str, Any]] = self._ask("GET", "/keys")
        return found

    def one(self, key_id: str) -> dict[str, Any]:
        """Return one credential."""
        found: dict[str, Any] = self._ask("GET", place(key_id))
        return found

    def step(self, key_id: str, asked: str, why: str) -> dict[str, Any]:
        """Let a credential take a step, in store and engine."""
        if asked not in STEPS:
            hint = "transitions: " + ", ".join(STEPS)
            raise KeyStateError(f"{asked!r} is no transition of a credential", hint=hint)
        act, more = STEPS[asked]
        changed: dict[str, Any] = self._ask("POST", f"{place(key_id)}/{act}", {"why": why, **more})
        return changed

    def rotate(self, key_id: str, wanted: Successor) -> dict[str, Any]:
        """Give a credential a successor; the answer holds its secret, this once."""
        made: dict[str, Any] = self._ask("POST", f"{place(key_id)}/rotate", asdict(wanted))
        return made

    def rescope(self, key_id: str, scopes: Sequence[str], why: str) -> dict[str, Any]:
        """Put other scopes in the place of a credential's."""
        body = {"scopes": list(scopes), "why": why}
        changed: dict[str, Any] = self._ask("POST", f"{place(key_id)}/scopes", body)
        return changed

    def expire(self, key_id: str, expires_us: int, why: str) -> dict[str, Any]:
        """Let a credential end at another time."""
        body = {"expires_us": expires_us, "why": why}
        changed: dict[str, Any] = self._ask("POST", f"{place(key_id)}/expire", body)
        return changed

    def create_principal(self, wanted: NewPrincipal) -> dict[str, Any]:
        """Create a principal."""
        made: dict[str, Any] = self._ask("POST", "/principals", asdict(wanted))
        return made

    def principals(self) -> list[dict[str, Any]]:
        """Return all principals, oldest first."""
        found: list[dict[str, Any]] = self._ask("GET", "/principals")
        return found

    def principal(self, name: str) -> dict[str, Any]:
        """Return one principal and its history."""
        found: dict[str, Any] = self._ask("GET", f"/principals/{quote(name, safe='')}")
        return found

    def step_principal(self, name: str, asked: str, why: str) -> dict[str, Any]:
        """Let a principal take a step, in store and engine."""
        target = f"/principals/{quote(name, safe='')}/{quote(asked, safe='')}"
        changed: dict[str, Any] = self._ask("POST", target, {"why": why})
        return changed

    def move_principal(self, name: str, parent: str | None, why: str) -> dict[str, Any]:
        """Put a principal under another one, in store and engine."""
        target = f"/principals/{quote(name, safe='')}/move"
        moved: dict[str, Any] = self._ask("POST", target, {"parent": parent, "why": why})
        return moved

    def addresses(self, account: str | None) -> list[dict[str, Any]]:
        """Return all withdrawal addresses, or one account's, oldest first."""
        of = "" if account is None else f"?account={quote(account, safe='')}"
        found: list[dict[str, Any]] = self._ask("GET", f"/addresses{of}")
        return found

    def address(self, name: str) -> dict[str, Any]:
        """Return one withdrawal address and what became of it."""
        found: dict[str, Any] = self._ask("GET", f"/addresses/{quote(name, safe='')}")
        return found

    def add_address(self, wanted: NewAddress) -> dict[str, Any]:
        """Add a withdrawal address."""
        made: dict[str, Any] = self._ask("POST", "/addresses", asdict(wanted))
        return made

    def remove_address(self, name: str, why: str) -> dict[str, Any]:
        """Remove a withdrawal address."""
        target = f"/addresses/{quote(name, safe='')}/remove"
        gone: dict[str, Any] = self._ask("POST", target, {"why": why})
        return gone

    def shards(self) -> list[dict[str, Any]]:
        """Return all shards."""
        found: list[dict[str, Any]] = self._ask("GET", "/shards")
        return found

    def move_to_shard(self, principal: str, shard: int | None, why: str) -> dict[str, Any]:
        """Put a principal, and all below it, into a shard."""
        body = {"principal": principal, "shard": shard, "why": why}
        done: dict[str, Any] = self._ask("POST", "/shards/move", body)
        return done

    def step_shard(self, shard: int, asked: str, why: str) -> dict[str, Any]:
        """Drain, isolate or resume a shard."""
        target = f"/shards/{shard}/{quote(asked, safe='')}"
        done: dict[str, Any] = self._ask("POST", target, {"why": why})
        return done

    def bans(self) -> list[dict[str, Any]]:
        """Return the bans in force."""
        found: list[dict[str, Any]] = self._ask("GET", "/bans")
        return found

    def add_ban(self, wanted: NewBan) -> dict[str, Any]:
        """Put a ban in force."""
        made: dict[str, Any] = self._ask("POST", "/bans", asdict(wanted))
        return made

    def lift_ban(self, target: str, why: str) -> dict[str, Any]:
        """Lift a ban."""
        gone: dict[str, Any] = self._ask("POST", "/bans/lift", {"target": target, "why": why})
        return gone

    def put_venue_key(self, wanted: NewVenueKey) -> dict[str, Any]:
        """Put a venue key into the vault, or another in its place."""
        done: dict[str, Any] = self._ask("POST", "/vault", asdict(wanted))
        return done

    def venue_keys(self) -> list[dict[str, Any]]:
        """Return all venue keys, without what signs."""
        found: list[dict[str, Any]] = self._ask("GET", "/vault")
        return found

    def remove_venue_key(self, name: str, why: str) -> dict[str, Any]:
        """Remove a venue key."""
        target = f"/vault/{quote(name, safe='')}/remove"
        done: dict[str, Any] = self._ask("POST", target, {"why": why})
        return done

    def load_policies(self, why: str) -> dict[str, Any]:
        """Put the policies in force that are in the files now."""
        done: dict[str, Any] = self._ask("POST", "/policies/load", {"why": why})
        return done

    def tell_rewrap(self, before: str, after: str, version: int, why: str) -> None:
        """Have the ledger told what is about to become of the seal."""
        body = {"before": before, "after": after, "version": version, "why": why}
        self._ask("POST", "/seal/rewrap", body)

    def seal_passkeys(self, recipient: str, ways: list[dict[str, str]]) -> dict[str, Any]:
        """Return a link to the page where a passkey releases what will open the seal."""
        body = {"recipient": recipient, "ways": ways}
        opened: dict[str, Any] = self._ask("POST", "/seal/passkeys", body)
        return opened

    def seal_released(self, link: str) -> dict[str, Any]:
        """Return what it released, sealed to the recipient."""
        found: dict[str, Any] = self._ask("GET", f"/seal/passkeys/{quote(link, safe='')}")
        return found

    def tell_rewrapped(self) -> None:
        """Have the ledger told which version the seal has now."""
        self._ask("POST", "/seal/rewrapped")

    def export_shares(self, threshold: int, count: int, why: str) -> dict[str, Any]:
        """Ask for shares of the master key; another operator must ask, too."""
        body = {"threshold": threshold, "count": count, "why": why}
        done: dict[str, Any] = self._ask("POST", "/exports/shares", body)
        return done

    def ask_export(self, wanted: NewExport) -> dict[str, Any]:
        """Ask others to approve an export; the answer is the request."""
        asked: dict[str, Any] = self._ask("POST", "/exports/files", asdict(wanted))
        return asked

    def holds(self) -> list[dict[str, Any]]:
        """Return the holds in force, oldest first."""
        found: list[dict[str, Any]] = self._ask("GET", "/holds")
        return found

    def hold(self, name: str, since: str | None, until: str | None, why: str) -> dict[str, Any]:
        """Place a hold on the volumes from the month `since` to `until`."""
        body = {"name": name, "since": since, "until": until, "why": why}
        placed: dict[str, Any] = self._ask("POST", "/holds", body)
        return placed

    def lift(self, name: str, why: str) -> dict[str, Any]:
        """Lift a hold."""
        target = f"/holds/{quote(name, safe='')}/lift"
        lifted: dict[str, Any] = self._ask("POST", target, {"why": why})
        return lifted

    def drop(self, month: str, why: str) -> dict[str, Any]:
        """Drop the oldest volume, which must be that of `month`."""
        target = f"/volumes/{quote(month, safe='')}/drop"
        dropped: dict[str, Any] = self._ask("POST", target, {"why": why}, DROP_SECONDS)
        return dropped

    def erase(self, address: str, until: str | None, why: str) -> list[dict[str, Any]]:
        """Erase an address from all volumes up to that of `until`."""
        body = {"address": address, "until": until, "why": why}
        erased: list[dict[str, Any]] = self._ask("POST", "/erase", body, DROP_SECONDS)
        return erased

    def approvals(self) -> list[dict[str, Any]]:
        """Return what was asked for, oldest first."""
        found: list[dict[str, Any]] = self._ask("GET", "/approvals")
        return found

    def approval(self, name: str) -> dict[str, Any]:
        """Return one request."""
        found: dict[str, Any] = self._ask("GET", f"/approvals/{quote(name, safe='')}")
        return found

    def vote(self, name: str, word: str) -> dict[str, Any]:
        """Say `approve` or `reject` to a request."""
        target = f"/approvals/{quote(name, safe='')}/{word}"
        found: dict[str, Any] = self._ask("POST", target)
        return found

    def approve_by_passkey(self, name: str) -> dict[str, Any]:
        """Return a link to the page that shows a request and has it approved."""
        opened: dict[str, Any] = self._ask("POST", f"/approvals/{quote(name, safe='')}/passkey")
        return opened

    def execute_approval(self, name: str) -> dict[str, Any]:
        """Do what was approved, once."""
        target = f"/approvals/{quote(name, safe='')}/execute"
        done: dict[str, Any] = self._ask("POST", target)
        return done

    def status(self) -> dict[str, Any]:
        """Return the gateway's counters."""
        counters: dict[str, Any] = self._ask("GET", "/status")
        return counters

    def top(self) -> dict[str, Any]:
        """Return the gateway's counters, and what is going on."""
        seen: dict[str, Any] = self._ask("GET", "/top", timeout_s=TOP_SECONDS)
        return seen

    @property
    def where(self) -> Beside | Elsewhere:
        """Return where the gateway is."""
        return self._where

    def _ask(
        self,
        method: str,
        target: str,
        body: dict[str, Any] | None = None,
        timeout_s: float = TIMEOUT_SECONDS,
    ) -> Any:
        """Send one request and return the answer.

        Raises:
            GatewayError: the class that the gateway raised.
            RunningError: it does not answer, or not in our words.
        """
        connection = self._where.connection(timeout_s)
        content, fields = self._where.written(method, target, body)
        try:
            connection.request(method, target, content or None, fields)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as e:
            hint = "see whether it still runs; what was asked may have been done"
            raise RunningError(f"the gateway at {self._where} fails: {e}", hint=hint) from e
        finally:
            connection.close()
        if response.status != 200:
            raise refusal(answer)
        return answer


def place(key_id: str) -> str:
    """Return the path of a credential.

    Raises:
        KeyMissingError: no credential can have this id.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", key_id):
        raise KeyMissingError(f"there is no credential {key_id}")
    return f"/keys/{key_id}"


def refusal(answer: Any) -> GatewayError:
    """Return what the gateway raised, as the same class."""
    if not isinstance(answer, dict) or not {"code", "detail"} <= answer.keys():
        return RunningError(f"the gateway answers in words we do not know: {str(answer)[:200]}")
    if answer["code"] == StepUpError.code:
        age_s, strengths = answer.get("max_age") or 0, (answer.get("acr_values") or "").split()
        return StepUpError(
            answer["detail"], hint=answer.get("hint"), max_age_s=age_s, strengths=strengths
        )
    found = errors.EngineError
    for name in errors.__all__:
        kind = getattr(errors, name)
        if kind.code == answer["code"] and kind is not errors.ConfigError:
            found = kind
    return found(answer["detail"], hint=answer.get("hint", ""), code=answer["code"])
