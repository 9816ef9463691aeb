"""What can be done with withdrawal addresses: added with a lock, removed at once.

An address is in force once the ledger tells of it, durably; one that goes is gone from store and
engine first. So a crash in between leaves none that went untold, and nothing stands in a removal's
way; what the ledger lacks, the next start brings.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ringfence.api.approvals import matching
from ringfence.api.clock import now_us
from ringfence.api.own import Own
from ringfence.api.telling import read_why
from ringfence.config.model import Approval
from ringfence.engine import Detail, Engine
from ringfence.errors import ApprovalError, EngineError
from ringfence.identity.address import AddressChange, Addresses, NewAddress, WithdrawalAddress
from ringfence.identity.stepup import May, refused

__all__ = [
    "LOCK_S",
    "AddressBook",
    "AddressService",
    "AskedAddresses",
    "for_engine",
    "told_address",
]

LOCK_S = 86_400
Record = Callable[[str, Detail], None]
"""Puts an event into the ledger; durable on return."""


class AddressBook(Protocol):
    """What the service in this process, for one person, and a client of a gateway both do."""

    def addresses(self, account: str | None) -> list[dict[str, Any]]:
        """Return all addresses, or one account's."""
        ...

    def address(self, name: str) -> dict[str, Any]:
        """Return one address and what became of it."""
        ...

    def add_address(self, wanted: NewAddress) -> dict[str, Any]:
        """Add an address; it takes nothing before its lock is over."""
        ...

    def remove_address(self, name: str, why: str) -> dict[str, Any]:
        """Remove an address; it takes nothing more when this returns."""
        ...


class AddressService:
    """Changes addresses in the store, and in the engine when one runs in this process."""

    def __init__(
        self,
        addresses: Addresses,
        record: Record | None,
        engine: Engine | None = None,
        lock_s: int = LOCK_S,
        clock: Callable[[], int] = now_us,
        own: Own | None = None,
    ) -> None:
        """Keep what is needed; without `record`, the next start tells the ledger.

        `clock` returns microseconds since the Unix epoch. `own` is told what the engine has.
        """
        self._addresses = addresses
        self._record = record
        self._engine = engine
        self._lock_us = lock_s * 1_000_000
        self._clock = clock
        # Held over store and engine, so that both see changes in one order.
        self.order = threading.Lock()
        self._own = own

    def all(self, account: str | None = None) -> list[dict[str, Any]]:
        """Return all addresses, or one account's, oldest first."""
        at_us = self._clock()
        return [one.shown(at_us) for one in self._addresses.all(account)]

    def one(self, name: str) -> dict[str, Any]:
        """Return one address and its history.

        Raises:
            AddressError: `address_unknown`.
        """
        found = self._addresses.one(name).shown(self._clock())
        return {**found, "history": [step.shown() for step in self._addresses.history(name)]}

    def check(self, wanted: NewAddress) -> None:
        """Refuse at once what could not be added however many approve it.

        Raises:
            AddressError, PrincipalStateError, KeyTextError: as `add`.
        """
        read_why(wanted.why)
        self._addresses.check(wanted)

    def add(self, wanted: NewAddress, who: str, approvals: Sequence[str] = ()) -> dict[str, Any]:
        """Add an address. It takes nothing before `usable_us`.

        Raises:
            AddressError: it cannot be one, or the account has it.
            PrincipalStateError: the account is not in use.
            EngineError: the ledger does not take it, or the engine does not follow; the store has
                it, and the next start brings it.
        """
        wanted = replace(wanted, why=read_why(wanted.why))
        with self.order:
            at_us = self._clock()
            usable_us = at_us + self._lock_us
            made, step = self._addresses.add(wanted, at_us, usable_us, who, approvals)
            self._tell(step, made)
            self._follow(made.account, step)
            return made.shown(at_us)

    def remove(self, name: str, why: str, who: str) -> dict[str, Any]:
        """Remove an address. When this returns nothing is sent there any more.

        Raises:
            AddressError: `address_unknown`.
            EngineError: the running engine does not follow; the store has it.
        """
        why = read_why(why)
        with self.order:
            gone, step = self._addresses.remove(name, self._clock(), who, why)
            self._follow(gone.account, step)
            if step is not None:
                # The store has it as not recorded.
                with suppress(EngineError):
                    self._tell(step, gone)
            return gone.shown(self._clock())

    def record_earlier(self) -> None:
        """Record in the ledger what was changed while no gateway ran.

        Raises:
            EngineError: the ledger does not take entries; the next start tries again.
        """
        with self.order:
            for step in self._addresses.unrecorded():
                self._tell(step, self._addresses.one(step.address))

    def _tell(self, step: AddressChange, of: WithdrawalAddress) -> None:
        if self._record is not None:
            self._record(*told_address(step, of))
            self._addresses.mark_recorded(step.serial)

    def _follow(self, account: str, step: AddressChange | None) -> None:
        if self._engine is None:
            return
        try:
            self._engine.put_addresses(for_engine(self._addresses, account))
        except EngineError as e:
            hint = "ask again; or restart the gateway, which starts from the store"
            said = f"the store has the change, the running engine does not: {e}"
            raise EngineError(said, code=e.code, hint=hint) from e
        if step is not None and self._own is not None:
            removed = step.step == "removed"
            self._own.add("addresses", {step.serial: account}, takes_away=removed)


def for_engine(addresses: Addresses, account: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the addresses in use by account; an account that had one once has an empty list."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in addresses.all(account):
        mine = found.setdefault(one.account, [])
        if one.removed_us is None:
            mine.append(one.for_engine())
    return found


def told_address(step: AddressChange, of: WithdrawalAddress) -> tuple[str, Detail]:
    """Return what the ledger says of a step: the event's name and its detail."""
    about: dict[str, str | int] = {
        "withdrawal_address": of.id,
        "account": of.account,
        "asset": of.asset,
        "to": of.address,
        "change": step.serial,
        "changed_us": step.time_us,
        "who": step.who,
    }
    if step.step == "added":
        about["usable_us"] = of.usable_us
    more = {"network": of.network, "tag": of.tag, "max_amount": of.max_amount, "label": of.label}
    more |= {"why": step.why, "approvals": " ".join(step.approvals)}
    return f"address.{step.step}", about | {name: text for name, text in more.items() if text}


@dataclass(frozen=True, slots=True)
class AskedAddresses:
    """`AddressBook` of a service in this process, on behalf of one person.

    `may` judges their step-up, as at the admin API.
    """

    service: AddressService
    who: str
    may: May = refused
    rules: Mapping[str, Approval] = field(default_factory=dict)

    def addresses(self, account: str | None) -> list[dict[str, Any]]:
        """As `AddressService.all`."""
        return self.service.all(account)

    def address(self, name: str) -> dict[str, Any]:
        """As `AddressService.one`."""
        return self.service.one(name)

    def add_address(self, wanted: NewAddress) -> dict[str, Any]:
        """As `AddressService.add`, after the step-up that it needs.

        Raises:
            ApprovalError: others have to approve it, which takes a running gateway.
        """
        self.may("address.add", "")
        if (rule := matching(self.rules, "address.add", ())) is not None:
            hint = "start the gateway and ask again: only there can others approve it"
            raise ApprovalError(f"this needs {rule.need} to approve", hint=hint)
        return self.service.add(wanted, self.who)

    def remove_address(self, name: str, why: str) -> dict[str, Any]:
        """As `AddressService.remove`."""
        return self.service.remove(name, why, self.who)
