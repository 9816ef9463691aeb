"""Every endpoint of the admin API has its roles, and every role is tried at every endpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI

from ringfence.api import KeyService, VaultService, VolumeService, operators
from ringfence.api.operators import ENDPOINTS, Operators, ensure_owner
from ringfence.api.server import app, endpoints
from ringfence.engine import Engine
from ringfence.errors import InternalError, RoleError
from ringfence.identity import MasterKey, Store
from ringfence.identity.lifecycle import ROLES
from ringfence.identity.principal import Principal
from tests.asking import ask

UIDS = {role: 4_000_000 + number for number, role in enumerate(ROLES)}
STRANGER, SUSPENDED = 4_100_000, 4_200_000

# What each role may do, said once more: a role that grows is a change of this table, too.
GRANTED = """
                                  owner admin security support auditor
GET /openapi.json                 x     x     x        x       x
GET /status                       x     x     x        x       x
GET /top                          x     x     x        x       x
GET /principals                   x     x     x        x       x
GET /principals/{name}            x     x     x        x       x
POST /principals                  x     x     .        .       .
POST /principals/{name}/suspend   x     x     x        .       .
POST /principals/{name}/resume    x     x     .        .       .
POST /principals/{name}/close     x     x     .        .       .
POST /principals/{name}/move      x     x     .        .       .
GET /keys                         x     x     x        x       x
GET /keys/{key_id}                x     x     x        x       x
POST /keys                        x     x     .        .       .
POST /keys/{key_id}/suspend       x     x     x        x       .
POST /keys/{key_id}/resume        x     x     .        .       .
POST /keys/{key_id}/revoke        x     x     x        .       .
POST /keys/{key_id}/destroy       x     x     x        .       .
POST /keys/{key_id}/rotate        x     x     .        .       .
POST /keys/{key_id}/scopes        x     x     .        .       .
POST /keys/{key_id}/expire        x     x     x        .       .
GET /addresses                    x     x     x        x       x
GET /addresses/{address_id}       x     x     x        x       x
POST /addresses                   x     x     .        .       .
POST /addresses/{address_id}/remove x     x     x        .       .
GET /bans                         x     x     x        x       x
POST /bans                        x     x     x        .       .
POST /bans/lift                   x     x     x        .       .
GET /shards                       x     x     x        x       x
POST /shards/move                 x     x     .        .       .
POST /shards/{shard}/drain        x     x     x        .       .
POST /shards/{shard}/isolate      x     x     x        .       .
POST /shards/{shard}/resume       x     x     .        .       .
GET /vault                        x     x     x        x       x
POST /vault                       x     x     .        .       .
POST /vault/{name}/remove         x     x     x        .       .
POST /seal/rewrap                 x     .     .        .       .
POST /seal/passkeys               x     .     .        .       .
GET /seal/passkeys/{link}         x     .     .        .       .
POST /seal/rewrapped              x     .     .        .       .
POST /exports/shares              x     .     .        .       .
POST /exports/files               x     .     .        .       .
GET /holds                        x     x     x        x       x
POST /holds                       x     .     x        .       .
POST /holds/{name}/lift           x     .     x        .       .
POST /volumes/{month}/drop        x     .     .        .       .
POST /erase                       x     .     x        .       .
GET /mfa                          x     x     x        x       x
POST /mfa/totp                    x     x     x        x       x
POST /mfa/totp/confirm            x     x     x        x       x
POST /mfa/totp/remove             x     x     x        x       x
POST /mfa/recovery                x     x     x        x       x
POST /mfa/step-up                 x     x     x        x       x
POST /mfa/accounts/{name}/step-up x     x     .        .       .
POST /mfa/{name}/reset            x     .     .        .       .
POST /mfa/passkeys                x     x     x        x       x
POST /mfa/passkeys/remove         x     x     x        x       x
POST /mfa/passkeys/step-up        x     x     x        x       x
POST /mfa/accounts/{name}/passkey x     x     .        .       .
GET /mfa/links/{link}             x     x     x        x       x
GET /approvals                    x     x     x        x       x
GET /approvals/{name}             x     x     x        x       x
POST /approvals/{name}/approve    x     x     x        .       .
POST /approvals/{name}/passkey    x     x     x        .       .
POST /approvals/{name}/reject     x     x     x        .       .
POST /approvals/{name}/execute    x     x     x        .       .
"""


class Unreached:
    """Stands where a service would be: whoever comes through to it was let in."""

    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store with one operator of each role, and one that is suspended."""
    made = Store.create(tmp_path / "state.db")
    for role, uid in UIDS.items():
        made.principals.add(Principal(role, "operator", 1, role=role, uid=uid), "test")
    made.principals.add(Principal("out", "operator", 1, role="owner", uid=SUSPENDED), "test")
    made.principals.step("out", "suspend", "test", "", 2)
    return made


@pytest.fixture
def made(store: Store) -> FastAPI:
    """Return the whole application on that store, with nothing behind it but the store."""
    nothing: Any = Unreached()
    keys = KeyService(store, MasterKey(bytes(32)))
    volumes, vault = cast("VolumeService", nothing), cast("VaultService", nothing)
    services = dict.fromkeys(["seal", "exports", "files", "bans"], nothing)
    return app(keys, volumes, cast("Engine", nothing), None, vault, **services)


def asked(made: FastAPI, uid: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Ask every endpoint as a user, with a body that is wrong; yield endpoint, status, answer."""
    found = endpoints(made)
    assert len(found) > 20
    for endpoint in found:
        method, path = endpoint.split(" ")
        answer = ask(made, uid, method, re.sub(r"\{\w+\}", "nothing", path), json=[])
        content = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        yield endpoint, answer.status_code, content if isinstance(content, dict) else {}


def test_the_table_is_the_one_that_is_in_force(made: FastAPI) -> None:
    head, *rows = GRANTED.strip().splitlines()
    said = {}
    for row in rows:
        method, path, *marks = row.split()
        granted = zip(head.split(), marks, strict=True)
        said[f"{method} {path}"] = frozenset(role for role, mark in granted if mark == "x")
    assert said == {name: ENDPOINTS[name] for name in said}
    assert set(endpoints(made)) == set(said) <= set(ENDPOINTS)


def test_every_role_at_every_endpoint(made: FastAPI) -> None:
    for role, uid in UIDS.items():
        for endpoint, status, content in asked(made, uid):
            allowed = role in ENDPOINTS[endpoint]
            refused = (status, content.get("code")) == (403, "role_missing")
            assert refused != allowed, (role, endpoint, status, content)


@pytest.mark.parametrize("uid", [STRANGER, SUSPENDED, 0])
def test_who_is_no_operator_in_use_may_do_nothing(made: FastAPI, uid: int) -> None:
    for endpoint, status, content in asked(made, uid):
        assert (status, content["code"]) == (403, "role_missing"), endpoint
        assert content["hint"]


def test_a_role_is_asked_for_before_the_body_is_read(made: FastAPI) -> None:
    answer = ask(made, UIDS["auditor"], "POST", "/keys", content=b"{ no json")
    assert (answer.status_code, answer.json()["code"]) == (403, "role_missing")


@pytest.mark.parametrize(("by", "status"), [("owner", 200), ("admin", 403)])
def test_only_an_owner_makes_an_owner(made: FastAPI, by: str, status: int) -> None:
    new = {"name": "ann", "kind": "operator", "role": "owner", "uid": 4_400_000}
    assert ask(made, UIDS[by], "POST", "/principals", json=new).status_code == status
    new |= {"name": "bob", "role": "admin", "uid": 4_400_001}
    assert ask(made, UIDS[by], "POST", "/principals", json=new).status_code == 200


def test_without_the_check_a_stranger_would_come_through(
    made: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Operators, "check", lambda self, uid, endpoint: None)
    assert all(status != 403 for _, status, _ in asked(made, STRANGER))


def test_an_endpoint_without_roles_stops_the_start(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    less = {name: roles for name, roles in ENDPOINTS.items() if name != "POST /erase"}
    monkeypatch.setattr(operators, "ENDPOINTS", less)
    with pytest.raises(InternalError, match="POST /erase has no roles"):
        app(KeyService(store, MasterKey(bytes(32))), cast("Any", None), cast("Any", None))


def test_the_state_folder_s_owner_is_the_first_operator_once(tmp_path: Path) -> None:
    tree = Store.create(tmp_path / "new.db").principals
    for _ in range(2):
        ensure_owner(tree, 4_300_000)
        assert [(one.role, one.uid) for one in tree.operators()] == [("owner", 4_300_000)]
    with pytest.raises(RoleError):
        Operators(tree).check(4_300_001, "GET /status")


def test_an_operator_below_a_suspended_organisation_may_do_nothing(tmp_path: Path) -> None:
    tree = Store.create(tmp_path / "new.db").principals
    tree.add(Principal("acme", "organisation", 1), "test")
    tree.add(Principal("ann", "operator", 1, parent="acme", role="admin", uid=5), "test")
    Operators(tree).check(5, "GET /keys")
    tree.step("acme", "suspend", "test", "", 2)
    with pytest.raises(RoleError, match="out of use"):
        Operators(tree).check(5, "GET /keys")


def test_answers_hold_nothing_that_their_models_do_not_name(made: FastAPI) -> None:
    owner = UIDS["owner"]
    body = {"account": "alice", "scopes": ["read"], "allow": ["10.0.0.1"]}
    created = ask(made, owner, "POST", "/keys", json=body).json()
    one = ask(made, owner, "GET", f"/keys/{created['key_id']}").json()
    every = ask(made, owner, "GET", "/keys").json()
    assert created["secret"] and created["secret"] not in json.dumps([one, every])
