"""What the admin API of one running gateway offers: its services, on one store and one engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI

from ringfence.api.addresses import AddressService
from ringfence.api.approvals import ApprovalService
from ringfence.api.bans import BanService
from ringfence.api.export_files import ExportFiles
from ringfence.api.exports import ExportService
from ringfence.api.factors import FactorService
from ringfence.api.keys import KeyRules, KeyService
from ringfence.api.operators import Operators
from ringfence.api.passkeys import PasskeyService
from ringfence.api.policies import PolicyService
from ringfence.api.principals import PrincipalService
from ringfence.api.seal import SealService
from ringfence.api.server import app
from ringfence.api.shards import ShardService
from ringfence.api.stepup import StepUps
from ringfence.api.vault import VaultService
from ringfence.api.volumes import VolumeService
from ringfence.config import Loaded
from ringfence.config.folder import Folder
from ringfence.engine import Engine
from ringfence.identity import RootKey, Store, Vault
from ringfence.identity.factor import RelyingParty
from ringfence.identity.seal.standing import Standing

__all__ = ["Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """They share the engine, the store, and the ledger that each of them tells."""

    engine: Engine
    keys: KeyService
    policies: PolicyService
    addresses: AddressService
    bans: BanService
    volumes: VolumeService
    factors: FactorService
    approvals: ApprovalService
    seal: SealService
    exports: ExportService
    files: ExportFiles
    vault: VaultService | None
    """The venue keys, where it signs for a venue."""
    passkeys: PasskeyService | None
    """The links to its pages, where it has some."""
    standing: Standing

    @classmethod
    def of(
        cls,
        loaded: Loaded,
        master: RootKey,
        store: Store,
        engine: Engine,
        rules: KeyRules,
        vault: Vault | None,
        standing: Standing,
    ) -> Services:
        """Make them as the configuration says. The engine runs."""
        record = partial(engine.event, durable=True)
        keys, tree = KeyService(store, master, engine, rules), store.principals
        config = loaded.config
        enforced = config.controls.authority == "enforce"
        lock_s = config.withdrawals.lock_s
        step_ups = StepUps.of(loaded, keys.factors)
        factors = FactorService(step_ups, tree, record, config.node, engine.step_up)
        factors.show_kept()
        approvals = ApprovalService(keys.approvals, tree, config.admin.rules(), record)
        passkeys = None
        if (pages := config.admin.pages) is not None:
            party = RelyingParty(pages.rp_id, (pages.origin,))
            passkeys = PasskeyService(party, factors, approvals, Operators(tree))
        return cls(
            engine,
            keys,
            PolicyService(loaded.policies, engine, record, tree, keys.factors, enforced=enforced),
            AddressService(keys.addresses, record, engine, lock_s, own=keys.own),
            BanService(engine, Folder(loaded.folder).bans),
            VolumeService(loaded, record, engine.erase),
            factors,
            approvals,
            SealService(record, Folder(loaded.folder), standing),
            ExportService(master, record),
            ExportFiles(master, store, record, config.node, vault),
            None if vault is None else VaultService(vault, loaded, record, engine, standing),
            passkeys,
            standing,
        )

    def record_start(
        self, snapshot: bytes, policies: dict[str, Any] | None, have: Mapping[str, int]
    ) -> None:
        """Record by which configuration this start decides, and what was changed before it.

        `have`: which versions of seal and venue keys it has.

        Raises:
            EngineError: the ledger does not take it; the next start tells of the changes.
        """
        about = {"sha256": hashlib.sha256(snapshot).hexdigest()}
        if (sha256 := self.policies.start(policies)) is not None:
            about["policies"] = sha256
        self.engine.event("config.loaded", about)
        self.standing.tell(partial(self.engine.event, durable=True), have)
        PrincipalService(self.keys).record_earlier()
        self.keys.record_earlier()
        self.addresses.record_earlier()
        ShardService(self.keys).record_earlier()

    def application(self, beside: Callable[[], dict[str, Any]]) -> FastAPI:
        """Return the admin API; `beside` tells how those stand who read the ledger."""
        return app(
            self.keys,
            self.volumes,
            self.engine,
            beside,
            self.vault,
            self.seal,
            self.factors,
            self.approvals,
            self.exports,
            self.policies,
            self.passkeys,
            self.addresses,
            self.files,
            self.bans,
        )
