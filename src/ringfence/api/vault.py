"""What can be done with venue keys: put one into the vault, show their names, remove one.

A key is put only once the ledger tells of it, durably; one that goes is gone from vault and engine
first. So a crash in between leaves no key that went untold, and nothing stands in a removal's way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from ringfence.api.clock import now_us
from ringfence.api.telling import read_why
from ringfence.config import Loaded
from ringfence.config.section import read_name
from ringfence.engine import Detail, Engine, Request, Seal, Secret, check_dialect, sign_request
from ringfence.errors import EngineError, ExportError, VaultError
from ringfence.identity.seal.standing import VENUES, Standing
from ringfence.identity.stepup import May, refused
from ringfence.identity.vault import Vault, VenueKey, read_material

__all__ = ["AskedVault", "NewVenueKey", "VaultService", "Vaults"]

Record = Callable[[str, Detail], None]
"""Puts an event into the ledger; durable on return."""


@dataclass(frozen=True, slots=True)
class NewVenueKey:
    """A venue key as a person hands it over. `secret`: text, or a private key in PEM."""

    name: str
    dialect: str
    key_id: str
    secret: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)
    why: str = ""


class Vaults(Protocol):
    """What the service in this process and a client of a running gateway both do."""

    def put_venue_key(self, wanted: NewVenueKey) -> dict[str, Any]:
        """Put a key into the vault, or another in its place.

        `used`: an account has it; `in_force`: a running gateway signs with it.
        """
        ...

    def venue_keys(self) -> list[dict[str, Any]]:
        """Return all keys without what signs."""
        ...

    def remove_venue_key(self, name: str, why: str) -> dict[str, Any]:
        """Remove a key; nothing is signed with it any more."""
        ...


class VaultService:
    """Changes the vault, and the engine when one runs in this process."""

    def __init__(
        self,
        vault: Vault,
        loaded: Loaded,
        record: Record,
        engine: Engine | None = None,
        standing: Standing | None = None,
    ) -> None:
        """Keep what is needed; `engine` is started already, and signs for a venue.

        `standing` has the ledger told of each generation once it is written.
        """
        self._standing = standing
        self._vault = vault
        self._dialects = {file.value["name"]: file.value for file in loaded.dialects.values()}
        self._used = loaded.venue_keys()
        self._record = record
        self._engine = engine
        self._order = threading.Lock()

    def venue_keys(self) -> list[dict[str, Any]]:
        """Return all keys without what signs, by name.

        Raises:
            VaultError: the vault cannot be opened.
        """
        return [key.shown() for key in self._vault.read().values()]

    def put_venue_key(self, wanted: NewVenueKey, who: str) -> dict[str, Any]:
        """Put a key into the vault, or another in its place.

        Raises:
            VaultError: it cannot be used so, or the vault cannot be opened.
            EngineError: the ledger does not take the event, or the running engine not the key.
        """
        why = read_why(wanted.why)
        made = self._made(wanted)
        with self._order:
            known = self._vault.read()
            for other in known.values():
                if other.name != made.name and other.key_id == made.key_id:
                    hint = "one key has one budget at the venue: give both accounts the same name"
                    raise VaultError(f"{other.name} is this very key", hint=hint)
            detail = {**told(made, who, why), "replaces": "yes" if made.name in known else "no"}
            self._record("vault.put", detail | {"generation": self._vault.next()})
            known[made.name] = made
            self._write(known)
            used = made.name in self._used
            return {**made.shown(), "used": used, "in_force": self._follow(known) and used}

    def remove_venue_key(self, name: str, why: str, who: str) -> dict[str, Any]:
        """Remove a key.

        Raises:
            VaultError: there is none of this name, or the vault cannot be opened.
            EngineError: the running engine does not follow, or the ledger does not take the event.
        """
        why = read_why(why)
        with self._order:
            known = self._vault.read()
            if name not in known:
                hint = "`ringfence vault list` shows the names"
                raise VaultError(f"there is no venue key {name}", hint=hint)
            gone, generation = known.pop(name), self._vault.next()
            self._write(known)
            followed = self._follow(known)
            self._record("vault.removed", told(gone, who, why) | {"generation": generation})
            return {**gone.shown(), "in_force": followed}

    def accept(self, why: str, who: str) -> list[dict[str, Any]]:
        """Take the file that lies there for the newest, whatever has been there; return its keys.

        What is written is newer than all that the ledger has seen.

        Raises:
            VaultError: it cannot be opened.
            EngineError: the ledger does not take the event; then nothing has changed.
        """
        why = read_why(why)
        with self._order:
            generation, known = self._vault.found()
            if self._standing is not None:
                self._vault.raise_to(self._standing.read().versions.get(VENUES, 0))
            detail: dict[str, str | int] = {"found": generation, "who": who}
            detail |= {"generation": self._vault.next()} | ({"why": why} if why else {})
            self._record("vault.accepted", detail)
            self._write(known)
            return [key.shown() for key in known.values()]

    def take_in(
        self, keys: Sequence[VenueKey], about: Detail, why: str, who: str
    ) -> list[dict[str, Any]]:
        """Take keys in that another vault exported: all of them, or none; return them.

        `about`: what the ledger is told of where they are from.
        Raises:
            ExportError: `export_there`: one is there already.
            VaultError: no listener speaks a key's dialect, or the vault cannot be opened.
            EngineError: the ledger does not take the event; then nothing has changed.
        """
        why = read_why(why)
        with self._order:
            known = self._vault.read()
            for key in keys:
                self._check_fresh(key, known)
                known[key.name] = key
            detail = {**about, "who": who, "generation": self._vault.next()}
            self._record("vault.imported", detail | ({"why": why} if why else {}))
            self._write(known)
            return [key.shown() for key in keys]

    def _check_fresh(self, key: VenueKey, known: Mapping[str, VenueKey]) -> None:
        """Make sure that a key can be used here, and is not there."""
        if key.dialect not in self._dialects:
            hint = "listeners speak: " + ", ".join(sorted(self._dialects))
            raise VaultError(f"no listener speaks {key.dialect}", hint=hint)
        for other in known.values():
            same = (other.dialect, other.key_id) == (key.dialect, key.key_id)
            if same or other.name == key.name:
                hint = f"`ringfence vault remove {other.name}` first, if it is to be replaced"
                said = f"the vault has {other.name} already, a key of {other.dialect}"
                raise ExportError(said, hint=hint, code="export_there")

    def _write(self, known: Mapping[str, VenueKey]) -> None:
        """Write the vault, and have the ledger told that it is; else the next start tells it."""
        generation = self._vault.write(known.values())
        if self._standing is not None:
            with suppress(EngineError):
                self._standing.tell(self._record, {VENUES: generation})

    def _follow(self, keys: Mapping[str, VenueKey]) -> bool:
        """Let the engine follow the vault, and tell whether there is one."""
        if self._engine is None:
            return False
        try:
            self._engine.put_venue_keys([key.for_engine() for key in keys.values()])
        except EngineError as e:
            hint = "ask again; or restart the gateway, which starts from the vault"
            said = f"the vault has the change, the running engine does not: {e}"
            raise EngineError(said, code=e.code, hint=hint) from e
        return True

    def _made(self, wanted: NewVenueKey) -> VenueKey:
        """Check what was asked for, by signing with it.

        Raises:
            VaultError: it cannot be used so.
        """
        dialect = self._dialects.get(wanted.dialect)
        if dialect is None:
            hint = "listeners speak: " + ", ".join(sorted(self._dialects))
            raise VaultError(f"no listener speaks {wanted.dialect}", hint=hint)
        try:
            name = read_name(wanted.name)
        except ValueError as e:
            raise VaultError(f"{wanted.name!r} {e}") from None
        key_id = wanted.key_id
        if not key_id or not key_id.isascii() or not key_id.isprintable() or " " in key_id:
            raise VaultError("the key's id is not one line of visible ASCII")
        algorithm, material = read_material(wanted.secret)
        places = (check_dialect(dialect).get("scheme") or {}).get("places", {})
        if ("passphrase" in places) != (wanted.passphrase is not None):
            asked = "with" if "passphrase" in places else "without"
            hint = "--passphrase-file names a file with it"
            raise VaultError(f"keys of {wanted.dialect} come {asked} a passphrase", hint=hint)
        at_us = now_us()
        seal = Seal(key_id, Secret(algorithm, material), wanted.passphrase, at_us, str(at_us))
        try:
            sign_request(dialect, Request("POST", "/", [("Host", "venue")], b""), seal)
        except EngineError as e:
            said = f"nothing can be signed with this secret as {wanted.dialect} wants it: {e.code}"
            raise VaultError(said) from None
        phrase = wanted.passphrase
        return VenueKey(name, wanted.dialect, key_id, algorithm, at_us, material, phrase)


def told(key: VenueKey, who: str, why: str) -> dict[str, str | int]:
    """Return what the ledger says of a change."""
    about: dict[str, str | int] = {"key": key.name, "dialect": key.dialect, "who": who}
    about |= {"key_id": key.key_id, "algorithm": key.algorithm}
    return about | ({"why": why} if why else {})


@dataclass(frozen=True, slots=True)
class AskedVault:
    """`Vaults` of a service, on behalf of one person, whose step-ups `may` judges."""

    service: VaultService
    who: str
    may: May = refused

    def put_venue_key(self, wanted: NewVenueKey) -> dict[str, Any]:
        """As `VaultService.put_venue_key`, after the step-up that it needs."""
        self.may("vault.put", "")
        return self.service.put_venue_key(wanted, self.who)

    def accept(self, why: str) -> list[dict[str, Any]]:
        """As `VaultService.accept`, after the step-up that putting a key needs."""
        self.may("vault.put", "")
        return self.service.accept(why, self.who)

    def take_in(self, keys: Sequence[VenueKey], about: Detail, why: str) -> list[dict[str, Any]]:
        """As `VaultService.take_in`, after the step-up that putting a key needs."""
        self.may("vault.put", "")
        return self.service.take_in(keys, about, why, self.who)

    def venue_keys(self) -> list[dict[str, Any]]:
        """As `VaultService.venue_keys`."""
        return self.service.venue_keys()

    def remove_venue_key(self, name: str, why: str) -> dict[str, Any]:
        """As `VaultService.remove_venue_key`."""
        return self.service.remove_venue_key(name, why, self.who)
