"""Key changes reach store and engine in that order, over a socket that only its owner can open."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ringfence.api import (
    Client,
    KeyRules,
    KeyService,
    NewKey,
    VolumeService,
    ensure_owner,
    runs,
)
from ringfence.api.person import person
from ringfence.api.server import app, serving
from ringfence.config.folder import Folder
from ringfence.engine import Engine, StateChange
from ringfence.errors import (
    EngineError,
    GatewayError,
    KeyExistsError,
    KeyMissingError,
    KeyStateError,
    KeyTextError,
    RunningError,
)
from ringfence.identity import Credential, MasterKey, Store
from ringfence.identity.bulk import engine_records
from ringfence.identity.derivation import Place, Places
from ringfence.identity.principal import Principal
from ringfence.identity.records import engine_records_of

MADE = Credential("key-0000", "alice", "ed25519", ("read",), ("10.0.0.0/8",), "active", 1)
MADE = replace(MADE, public_key=bytes(range(32)))
WANTED = NewKey("alice", ["read"], ["127.0.0.0/8"], key_id="key-0001")


class RecordingEngine:
    """Stands in for the engine: keeps what it is told, or refuses all of it."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.refuses = False
        self.uses: list[tuple[str, int]] = []
        self.records = True

    def put_credentials(self, credentials: list[dict[str, Any]]) -> int:
        self.note("put", [one["key_id"] for one in credentials])
        return len(credentials)

    def set_credential_state(self, key_id: str, state: str, detail: dict[str, Any]) -> StateChange:
        self.note("state", key_id, state, detail)
        return StateChange(7, recorded=self.records)

    def event(self, name: str, detail: dict[str, str]) -> None:
        self.note("event", name, detail)

    def used_since(self, since_us: int) -> list[tuple[str, int]]:
        return self.uses

    def status(self) -> dict[str, Any]:
        return {"credentials": 1}

    def note(self, *what: Any) -> None:
        if self.refuses:
            raise EngineError("the engine refuses", code="ledger_unavailable")
        self.told.append(what)


NO_VOLUMES = cast("VolumeService", None)
"""Nothing here asks for a volume."""


@pytest.fixture
def engine() -> RecordingEngine:
    """Return an engine that keeps what it is told."""
    return RecordingEngine()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store without credentials, whose first operator is who runs this."""
    made = Store.create(tmp_path / "state.db")
    ensure_owner(made.principals, os.getuid())
    return made


@pytest.fixture
def service(store: Store, engine: RecordingEngine) -> KeyService:
    """Return the service on both."""
    return KeyService(store, MasterKey(bytes(32)), cast("Engine", engine))


@pytest.fixture
def client(service: KeyService, engine: RecordingEngine, tmp_path: Path) -> Iterator[Client]:
    """Yield a client of a served socket."""
    with serving(app(service, NO_VOLUMES, cast("Engine", engine)), tmp_path / "admin.sock"):
        yield Client(tmp_path / "admin.sock")


def test_a_created_key_is_in_the_engine_and_in_the_ledger(
    service: KeyService, engine: RecordingEngine
) -> None:
    created = service.create(WANTED, "ann")
    assert created["secret"] == MasterKey(bytes(32)).secret("key-0001", 1)
    (_, account, about), put, (kind, name, detail) = engine.told
    assert (account, about["principal"], about["kind"]) == ("principal.created", "alice", "account")
    assert (put, kind, name) == (("put", ["key-0001"]), "event", "credential.created")
    assert (detail["credential"], detail["account"], detail["who"]) == ("key-0001", "alice", "ann")
    assert "secret" not in service.one("key-0001")
    assert all("secret" not in key for key in service.all())


def test_a_change_that_the_engine_refuses_is_in_the_store_and_can_be_retried(
    service: KeyService, store: Store, engine: RecordingEngine
) -> None:
    service.create(WANTED, "ann")
    engine.refuses = True
    with pytest.raises(EngineError):
        service.step("key-0001", "deactivate", "stolen", "ann")
    assert store.one("key-0001").state == "deactivated"
    engine.refuses = False
    assert service.step("key-0001", "deactivate", "stolen", "ann")["effective_us"] == 7
    assert engine.told[-1] == ("state", "key-0001", "deactivated", {"again": "yes"})


def test_what_the_ledger_did_not_take_is_recorded_by_the_next_start(
    service: KeyService, store: Store, engine: RecordingEngine
) -> None:
    service.create(WANTED, "ann")
    engine.records = False
    service.step("key-0001", "deactivate", "stolen", "bob")
    assert [change.state for change in store.unrecorded()] == ["deactivated"]
    service.record_earlier()
    kind, name, detail = engine.told[-1]
    assert (kind, name) == ("event", "credential.state")
    assert (detail["who"], detail["why"], detail["before"]) == ("bob", "stolen", "active")
    assert store.unrecorded() == []


def test_who_asks_is_who_the_kernel_says(client: Client, engine: RecordingEngine) -> None:
    client.create(WANTED)
    assert engine.told[-1][2]["who"] == person(os.getuid())


def test_a_change_that_the_store_refuses_never_reaches_the_engine(
    service: KeyService, engine: RecordingEngine
) -> None:
    service.create(WANTED, "ann")
    service.step("key-0001", "deactivate", "", "ann")
    before = list(engine.told)
    with pytest.raises(KeyStateError):
        service.step("key-0001", "resume", "", "ann")
    with pytest.raises(KeyExistsError):
        service.create(WANTED, "ann")
    assert engine.told == before


def test_without_an_engine_only_the_store_changes(store: Store) -> None:
    service = KeyService(store, MasterKey(bytes(32)))
    service.create(WANTED, "ann")
    assert service.step("key-0001", "suspend", "", "ann")["effective_us"] is None


@pytest.mark.parametrize("why", ["a\nb", "\x1b[2J", "x" * 257])
def test_a_reason_that_would_spoil_a_log_is_refused(service: KeyService, why: str) -> None:
    service.create(WANTED, "ann")
    with pytest.raises(KeyTextError):
        service.step("key-0001", "suspend", why, "ann")


def test_a_key_that_has_expired_is_not_created(service: KeyService) -> None:
    with pytest.raises(KeyTextError, match="expired"):
        service.create(NewKey("alice", ["read"], ["10.0.0.0/8"], expires_us=1), "ann")


def test_a_client_does_what_the_service_does(client: Client, engine: RecordingEngine) -> None:
    created = client.create(WANTED)
    assert created["secret"]
    changed = client.step("key-0001", "suspend", "lunch")
    assert (changed["state"], changed["effective_us"]) == ("suspended", 7)
    assert client.one("key-0001")["history"][-1]["why"] == "lunch"
    assert [key["key_id"] for key in client.all()] == ["key-0001"]
    assert client.status() == {"credentials": 1}


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda client: client.one("nobody"), KeyMissingError),
        (lambda client: client.one("../status"), KeyMissingError),
        (lambda client: client.create(NewKey("a b", ["read"], ["::/0"])), KeyTextError),
        (lambda client: client.create(NewKey("a", ["fly"], ["::/0"])), KeyTextError),
        (lambda client: client.step("nobody", "deactivate", ""), KeyMissingError),
        (lambda client: client.step("nobody", "vanish", ""), KeyStateError),
    ],
)
def test_a_refusal_crosses_the_socket_as_itself(client: Client, act: Any, kind: type) -> None:
    with pytest.raises(GatewayError) as refused:
        act(client)
    assert type(refused.value) is kind
    assert refused.value.hint


def test_only_the_owner_can_open_the_socket(client: Client, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "admin.sock").stat().st_mode) == 0o600


def test_a_dead_process_socket_is_replaced_and_a_closed_one_removed(
    service: KeyService, engine: RecordingEngine, tmp_path: Path
) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert not runs(path)
    with serving(app(service, NO_VOLUMES, cast("Engine", engine)), path):
        assert runs(path)
    assert not path.exists()


def test_a_socket_may_lie_deeper_than_a_socket_name_reaches(
    service: KeyService, engine: RecordingEngine, tmp_path: Path
) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with serving(app(service, NO_VOLUMES, cast("Engine", engine)), deep / "admin.sock"):
        assert Client(deep / "admin.sock").all() == []


def test_a_gateway_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunningError, match=r"admin\.sock"):
        Client(tmp_path / "admin.sock").all()


def test_a_state_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with folder.held(), pytest.raises(RunningError), folder.held():
        os.abort()
    with folder.held():
        pass


def test_a_key_that_nobody_uses_is_suspended(store: Store, engine: RecordingEngine) -> None:
    service = KeyService(
        store, MasterKey(bytes(32)), cast("Engine", engine), KeyRules(unused_days=30)
    )
    now_us, day_us = time.time_ns() // 1_000, 86_400_000_000
    for number, age in enumerate((40, 40, 20)):
        made = replace(MADE, key_id=f"key-000{number}", created_us=now_us - age * day_us)
        store.add(made, "ann")
    engine.uses = [("key-0001", now_us)]
    assert service.suspend_unused() == ["key-0000"]
    assert [one.state for one in store.all()] == ["suspended", "active", "active"]
    assert store.one("key-0001").used_us == now_us
    assert engine.told[-1][:3] == ("state", "key-0000", "suspended")
    assert service.suspend_unused() == []


@pytest.mark.parametrize(
    ("allow", "expires_us", "days"), [("any", None, 90), ("10.0.0.0/8", None, None)]
)
def test_a_key_for_any_address_ends_sooner(
    store: Store, allow: str, expires_us: int | None, days: int | None
) -> None:
    service = KeyService(store, MasterKey(bytes(32)), rules=KeyRules(unbound_days=90))
    made = service.create(NewKey("alice", ["read"], [allow], expires_us=expires_us), "ann")
    lasts = None if made["expires_us"] is None else made["expires_us"] - made["created_us"]
    assert lasts == (None if days is None else days * 86_400_000_000)


def test_an_id_in_use_keeps_its_secret_when_it_is_asked_for_again(
    store: Store, tmp_path: Path
) -> None:
    places = Places(tmp_path / "state.db")
    service = KeyService(store, MasterKey(bytes(32), places))
    # From before there was a tree: its secret is that of no place.
    store.add(replace(MADE, key_id="key-0001"), "ann")
    with pytest.raises(KeyExistsError):
        service.create(WANTED, "ann")
    assert places.find("key-0001") is None


def test_all_credentials_reach_the_engine_as_one_by_one(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringfence.identity.bulk.ROWS", 2)
    places = Places(tmp_path / "state.db")
    places.take("key-0006", Place("alice"))
    places.take("key-0007", Place("desk", 4))
    master = MasterKey(bytes(32), places)
    store.principals.add(Principal("acme", "organisation", 1), "ann")
    store.principals.add(Principal("desk", "account", 1, parent="acme"), "ann")
    made = [
        MADE,
        replace(MADE, key_id="key-0001", account="desk", allow=("any",), expires_us=7, native=True),
        replace(MADE, key_id="key-0002", algorithm="hmac-sha256", public_key=None, generation=3),
        replace(MADE, key_id="ab" * 32, algorithm="x509", certificates=("00" * 32,)),
        replace(MADE, key_id="key-0003", state="destroyed", public_key=None),
        replace(MADE, key_id="key-0004", state="compromised", public_key=None),
        replace(MADE, key_id="key-0005", state="deactivated"),
        replace(MADE, key_id="key-0006", algorithm="hmac-sha256", public_key=None),
        replace(MADE, key_id="key-0007", algorithm="hmac-sha256", public_key=None, generation=2),
    ]
    store.add_all(made, "ann")
    store.principals.step("acme", "suspend", "ann", "", 2)
    alone = [
        one.for_engine(
            master,
            held=one.account == "desk",
            standing=store.principals.standing(one.account),
            place=places.find(one.key_id),
        )
        # Where there are no shards nobody stands in one.
        | {"shard": None}
        for one in made
        if one.verifiable
    ]
    assert alone[1]["standing"] == {"kind": "account", "above": [["organisation", "acme"]]}
    assert len(alone) == 7
    assert set(master.shards()) == {0, 4}
    found = [one for part in engine_records(store, master) for one in json.loads(part)]
    assert alone == engine_records_of(store, master, [one.key_id for one in made])
    # Of all at once, secrets that have a place do not leave the master key.
    for one in alone[-2:]:
        del one["material"]
    alone[-2]["derived"] = {"shard": 0, "generation": 1}
    alone[-1]["derived"] = {"shard": 4, "generation": 2, "account": "desk"}
    assert found == alone
