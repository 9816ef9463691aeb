"""An admin API on a store of its own, with operators of several roles and no engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import httpx
import pyotp
from fastapi import FastAPI

from ringfence.api import (
    AddressService,
    ApprovalService,
    FactorService,
    KeyService,
    Operators,
    PolicyService,
    StepUps,
)
from ringfence.api.pages import Site
from ringfence.api.passkeys import PasskeyService
from ringfence.api.server import app
from ringfence.config.model import Approval
from ringfence.errors import EngineError
from ringfence.identity import MasterKey, Store
from ringfence.identity.factor import RelyingParty
from ringfence.identity.principal import Principal
from tests.asking import ask
from tests.authenticator import RP, SITE

__all__ = ["ADMIN", "CHIEF", "LOCK_S", "OWNER", "SECOND_US", "SECURITY", "Gateway"]

LOCK_S = 3_600
OWNER, ADMIN, SECURITY, CHIEF = 4_000_001, 4_000_002, 4_000_003, 4_000_004
OPERATORS = {
    "owner": ("owner", OWNER),
    "admin": ("admin", ADMIN),
    "security": ("security", SECURITY),
    "chief": ("owner", CHIEF),
}
SECOND_US = 1_000_000


class Book:
    """The engine's addresses, as it is told of them; or it follows no more."""

    def __init__(self) -> None:
        self.known: dict[str, list[dict[str, Any]]] = {}
        self.follows = True

    def put_addresses(self, addresses: dict[str, list[dict[str, Any]]]) -> None:
        if not self.follows:
            raise EngineError("the engine is not started", code="engine_stopped")
        self.known |= addresses


@cache
def store() -> bytes:
    """Return a store with these operators, laid once: that takes longer than most tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        made = Store.create(path)
        for name, (role, uid) in OPERATORS.items():
            made.principals.add(Principal(name, "operator", 1, role=role, uid=uid), "test")
        assert not path.with_name("state.db-wal").exists()
        return path.read_bytes()


class Gateway:
    """An admin API; `told` is what the ledger would have, while it is `writable`."""

    def __init__(
        self,
        folder: Path,
        *,
        required: bool = False,
        rules: Mapping[str, Approval] | None = None,
        policies: Callable[[Gateway], PolicyService] | None = None,
        origin: str = SITE,
        rp_id: str = RP,
    ) -> None:
        (folder / "state.db").write_bytes(store())
        (folder / "state.db").chmod(0o600)
        self.store = Store(folder / "state.db")
        self.keys = KeyService(self.store, MasterKey(bytes(32)))
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.writable = True
        self.step_ups = StepUps(self.keys.factors, required)
        tree = self.store.principals
        self.opened: list[str] = []
        factors = FactorService(
            self.step_ups, tree, self.record, "gw1", lambda account, *_: self.opened.append(account)
        )
        approvals = ApprovalService(self.keys.approvals, tree, rules or {}, self.record)
        self.party = RelyingParty(rp_id, (origin,))
        self.passkeys = PasskeyService(self.party, factors, approvals, Operators(tree))
        self.site = Site(self.passkeys, origin)
        self.engine = Book()
        self.now_us = time.time_ns() // 1_000
        engine = cast("Any", self.engine)
        addresses = AddressService(
            self.keys.addresses, self.record, engine, LOCK_S, lambda: self.now_us
        )
        self._services: dict[str, Any] = {
            "factors": factors,
            "approvals": approvals,
            "passkeys": self.passkeys,
            "addresses": addresses,
            "policies": None if policies is None else policies(self),
        }

    @cached_property
    def app(self) -> FastAPI:
        """The application, which takes longer to make than most that is asked of it."""
        nothing = cast("Any", None)
        return app(self.keys, nothing, nothing, **self._services)

    def record(self, name: str, detail: Any) -> None:
        if not self.writable:
            raise EngineError("the ledger is full", code="ledger_unavailable")
        self.told.append((name, detail))

    def get(self, path: str, uid: int = OWNER) -> Any:
        return ask(self.app, uid, "GET", path).json()

    def post(self, path: str, body: Any = None, uid: int = OWNER) -> httpx.Response:
        return ask(self.app, uid, "POST", path, json={} if body is None else body)

    def enrol(self, uid: int = OWNER, shift: int = 0) -> pyotp.TOTP:
        """Enrol an app; its code of `shift` steps from now is spent then."""
        made = pyotp.TOTP(self.post("/mfa/totp", uid=uid).json()["secret"])
        code = made.at(int(time.time()) + shift * 30)
        answer = self.post("/mfa/totp/confirm", {"code": code}, uid)
        assert answer.status_code == 200, answer.json()
        return made

    def aged(self, seconds: int, strength: str = "totp", operator: str = "owner") -> None:
        """Let an operator's last step-up lie back by so long."""
        then = time.time_ns() // 1_000 - seconds * SECOND_US
        self.keys.factors.keep_step_up(operator, strength, then)
