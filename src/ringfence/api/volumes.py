"""What can be done with a ledger's volumes: hold them, drop the oldest, erase an address.

A hold is in force before the ledger tells of it, and lifted only after; a volume goes only when
the ledger has, durably, that it did. So a crash in between never leaves one that went untold.
"""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ringfence import engine
from ringfence.api.clock import now_us
from ringfence.api.telling import read_why
from ringfence.config import Loaded
from ringfence.config.folder import Folder
from ringfence.engine import Detail, Volume
from ringfence.errors import EngineError, LedgerError
from ringfence.identity.seal.standing import EVENT, said_between
from ringfence.identity.stepup import May, refused
from ringfence.ledger import beside
from ringfence.ledger.hold import Hold, read_holds, write_holds
from ringfence.ledger.personal import places
from ringfence.ledger.retention import Periods, judge

__all__ = ["AskedVolumes", "VolumeService", "Volumes", "periods"]

Record = Callable[[str, Detail], None]
"""Puts an event into the ledger; durable on return."""

Erase = Callable[[list[str]], int]
"""Removes for good what commitments stand for in the newest volume; returns how many."""


class Volumes(Protocol):
    """What the service in this process and a client of a running gateway both do."""

    def holds(self) -> list[dict[str, Any]]:
        """Return the holds in force."""
        ...

    def hold(self, name: str, since: str | None, until: str | None, why: str) -> dict[str, Any]:
        """Place a hold on the volumes from the month `since` to `until`."""
        ...

    def lift(self, name: str, why: str) -> dict[str, Any]:
        """Lift a hold."""
        ...

    def drop(self, month: str, why: str) -> dict[str, Any]:
        """Drop the oldest volume, which must be that of `month`."""
        ...

    def erase(self, address: str, until: str | None, why: str) -> list[dict[str, Any]]:
        """Erase an address from all volumes up to that of `until`."""
        ...


class VolumeService:
    """Holds and drops the volumes of one state folder's ledger."""

    def __init__(self, loaded: Loaded, record: Record, erase: Erase | None = None) -> None:
        """Keep what is needed; `erase` is that of the engine which writes the newest volume."""
        section = loaded.config.ledger
        self._file = Folder(loaded.folder).holds
        self._ledger = Path(loaded.path(section.directory))
        self._key = Path(loaded.path(section.key))
        self._origin = section.origin
        self._periods = periods(loaded)
        self._record, self._erase_newest = record, erase
        self._order = threading.Lock()

    def holds(self) -> list[dict[str, Any]]:
        """Return the holds in force, oldest first.

        Raises:
            FileError: their file cannot be read.
        """
        return [asdict(hold) for hold in read_holds(self._file)]

    def hold(
        self, name: str, since: str | None, until: str | None, why: str, who: str
    ) -> dict[str, Any]:
        """Place a hold on the volumes from the month `since` to `until`, and record it.

        Raises:
            LedgerError: there is one of this name, or it cannot be one.
            EngineError: the ledger does not take the event; the hold is in force.
        """
        made = Hold(name, since, until, who, read_why(why), now_us())
        with self._order:
            holds = read_holds(self._file)
            if any(one.name == name for one in holds):
                said = f"there is a hold {name} already"
                raise LedgerError(said, hint="holds are lifted, not changed", code="ledger_hold")
            write_holds(self._file, [*holds, made])
            detail = {"hold": name, "since": since, "until": until, "who": who, "why": made.why}
            try:
                self._record("ledger.hold_placed", {k: v for k, v in detail.items() if v})
            except EngineError as e:
                said = f"hold {name} is in force, but the ledger does not have it: {e}"
                raise EngineError(said, code=e.code, hint="lift it and place it again") from e
        return asdict(made)

    def lift(self, name: str, why: str, who: str) -> dict[str, Any]:
        """Record that a hold is lifted, and lift it.

        Raises:
            LedgerError: there is none of this name.
            EngineError: the ledger does not take the event; the hold stays.
        """
        with self._order:
            holds = read_holds(self._file)
            found = next((hold for hold in holds if hold.name == name), None)
            if found is None:
                hint = "`ringfence ledger hold list` names them"
                raise LedgerError(f"there is no hold {name}", hint=hint, code="ledger_hold")
            self._record("ledger.hold_lifted", {"hold": name, "who": who, "why": read_why(why)})
            write_holds(self._file, [hold for hold in holds if hold.name != name])
        return asdict(found)

    def drop(self, month: str, why: str, who: str) -> dict[str, Any]:
        """Drop the oldest volume, which must be that of `month`, and return what it was.

        Raises:
            LedgerError: it must be kept, is not the oldest, or is not as it was written.
            EngineError: the ledger does not take the event; the volume is still there.
        """
        with self._order:
            # What an interrupted removal left has been told of already.
            engine.drop_volume(self._ledger, None)
            oldest, *newer = engine.ledger_volumes(self._ledger)
            if not newer:
                raise kept_back(month, "it is the newest")
            if oldest.month != month:
                raise kept_back(month, f"the oldest is {oldest.month}")
            kept = judge(oldest, self._periods, read_holds(self._file))
            reason = kept.reason(datetime.now(UTC).date())
            if reason is not None:
                raise kept_back(month, reason)
            size, root = self._end(month, oldest.directory)
            end: dict[str, str | int] = {"volume": month, "size": size, "root": root}
            # What only that volume says of vault and seal is said again: a start asks for it.
            if said := said_between(self._ledger, oldest.sequence, newer[0].sequence):
                self._record(EVENT, said)
            self._record("ledger.dropped", end | {"who": who, "why": read_why(why)})
            engine.drop_volume(self._ledger, month)
            # Made from the entries, and made again when somebody asks.
            shutil.rmtree(beside(self._ledger), ignore_errors=True)
        return kept.record()

    def erase(self, address: str, until: str | None, why: str, who: str) -> list[dict[str, Any]]:
        """Erase an address from all volumes up to that of `until`, and return what went of each.

        Raises:
            LedgerError: it is no address, nothing is known of it, or a hold keeps it.
            EngineError: the ledger does not take the event; from that volume on nothing is erased.
        """
        why = read_why(why)
        if address in why:
            said = "the reason names the address, and the reason stays"
            raise LedgerError(said, hint="name the request instead", code="ledger_personal")
        with self._order:
            newest = engine.ledger_volumes(self._ledger)[-1]
            found = [
                (volume, rows)
                for volume, rows in places(self._ledger, address)
                if until is None or (volume.month or "") <= until
            ]
            holds = read_holds(self._file)
            for volume, _ in found:
                held = [hold.name for hold in holds if hold.covers(volume.month or "")]
                if held:
                    said = f"volume {volume.month} is held by {', '.join(held)}"
                    hint = "lift the hold first, or erase up to another month: --until"
                    raise LedgerError(said, hint=hint, code="ledger_personal")
            if not found:
                hint = "it is erased already, or was never seen in these volumes"
                raise LedgerError("no volume has this address", hint=hint, code="ledger_personal")
            return [self._erase(volume, rows, newest, who, why) for volume, rows in found]

    def _erase(
        self, volume: Volume, rows: list[str], newest: Volume, who: str, why: str
    ) -> dict[str, Any]:
        """Record that an address is erased from a volume, and erase it."""
        told: dict[str, str | int] = {
            "volume": volume.month or "",
            "field": "address",
            "count": len(rows),
        }
        self._record("ledger.erased", {**told, "who": who, "why": why})
        # The event may have begun a volume, and the engine writes that one.
        last = engine.ledger_volumes(self._ledger)[-1]
        if self._erase_newest is not None and volume == newest == last:
            self._erase_newest(rows)
        else:
            engine.erase_personal(volume.directory, rows)
        return told

    def _end(self, month: str, volume: Path) -> tuple[int, str]:
        """Return size and root (base64) of a sound volume."""
        vkey = engine.ledger_vkey(self._key, self._origin)
        report = engine.verify_ledger(volume, vkey)
        if report.fault is not None:
            raise kept_back(month, f"it is damaged: {report.fault['sentence']}")
        return report.size, base64.b64encode(bytes.fromhex(report.root)).decode()


class AskedVolumes:
    """`Volumes` of a service, on behalf of one person, whose step-ups `may` judges."""

    def __init__(self, service: VolumeService, who: str, may: May = refused) -> None:
        """Keep them."""
        self._service, self._who, self._may = service, who, may

    def holds(self) -> list[dict[str, Any]]:
        """As `VolumeService.holds`."""
        return self._service.holds()

    def hold(self, name: str, since: str | None, until: str | None, why: str) -> dict[str, Any]:
        """As `VolumeService.hold`."""
        return self._service.hold(name, since, until, why, self._who)

    def lift(self, name: str, why: str) -> dict[str, Any]:
        """As `VolumeService.lift`, after the step-up that it needs."""
        self._may("evidence.remove", "")
        return self._service.lift(name, why, self._who)

    def drop(self, month: str, why: str) -> dict[str, Any]:
        """As `VolumeService.drop`, after the step-up that it needs."""
        self._may("evidence.remove", "")
        return self._service.drop(month, why, self._who)

    def erase(self, address: str, until: str | None, why: str) -> list[dict[str, Any]]:
        """As `VolumeService.erase`, after the step-up that it needs."""
        self._may("evidence.remove", "")
        return self._service.erase(address, until, why, self._who)


def kept_back(month: str, reason: str) -> LedgerError:
    """Return why a volume cannot go."""
    hint = "`ringfence ledger retain` tells what may go: the oldest first, the newest never"
    return LedgerError(f"volume {month} cannot go: {reason}", hint=hint, code="ledger_retention")


def periods(loaded: Loaded) -> Periods:
    """Return how long records are kept by a configuration."""
    section = loaded.config.ledger.retention
    return Periods(section.trade_years, section.security_years)
