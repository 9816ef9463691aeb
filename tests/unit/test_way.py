"""At the engine's end of the admin API only what the engine attests is taken, once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from ringfence import config
from ringfence.api import KeyService, VolumeService
from ringfence.api.operators import ENDPOINTS
from ringfence.api.server import app
from ringfence.api.way import BODY_BYTES, Attested, operation_of
from ringfence.config.text import read_document
from ringfence.engine import Engine
from ringfence.identity import MasterKey, Store
from ringfence.identity.principal import Principal
from tests.attested import attestation

KEY = secrets.token_bytes(32)
NOW = 1_800_000_000
LOCAL = {
    "POST /vault": "a venue's secret is put where it stays",
    "POST /seal/rewrap": "tells what a command on the machine is about to do",
    "POST /seal/passkeys": "as above",
    "GET /seal/passkeys/{link}": "as above",
    "POST /seal/rewrapped": "tells that it is done",
    "POST /exports/shares": "as above",
    "POST /exports/files": "what is approved is taken where the gateway runs",
    "POST /volumes/{month}/drop": "takes longer than an answer may",
    "POST /erase": "takes longer than an answer may",
}
"""What is asked at the admin socket only, and why."""


class Time:
    """A clock that stands where it is put."""

    now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Unguarded(Attested):
    """Believes what is said, whoever says it."""

    def claims(self, scope: Any, body: bytes) -> dict[str, Any]:
        return {"sub": "owner", "cred": "said"}


@pytest.fixture
def behind(tmp_path: Path) -> Any:
    """Return the real application, with an owner that is no user of the machine."""
    store = Store.create(tmp_path / "state.db")
    store.principals.add(Principal("owner", "operator", 1, role="owner"), "test")
    store.principals.add(Principal("desk", "account", 1), "test")
    keys, nothing = KeyService(store, MasterKey(bytes(32))), cast("Any", None)
    return app(keys, cast("VolumeService", nothing), cast("Engine", nothing))


def ask(
    guarded: Any, method: str, target: str, *attested: str, body: bytes = b""
) -> tuple[int, Any]:
    """Send one request with these attestations; return status, and the code or the answer."""
    transport = httpx.ASGITransport(guarded, client=("engine", 0))
    fields = [("X-Ringfence-Attestation", one) for one in attested]
    fields.append(("Content-Type", "application/json"))

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://ringfence") as client:
            return await client.request(method, target, content=body, headers=fields)

    answer = asyncio.run(send())
    content = answer.json()
    refused = isinstance(content, dict) and "code" in content
    return answer.status_code, content["code"] if refused else content


REFUSED = (403, "attestation_invalid")
BODY = b'{"name":"fund","kind":"account"}'


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def guarded(behind: Any, clock: Time) -> Attested:
    return Attested(behind, KEY, "gateway", clock)


def test_what_the_engine_attests_is_taken_for_whom_it_names(guarded: Attested) -> None:
    token = attestation(KEY, "POST", "/principals", BODY, NOW)
    status, made = ask(guarded, "POST", "/principals", token, body=BODY)
    assert (status, made["name"]) == (200, "fund")
    token = attestation(KEY, "GET", "/principals/fund", b"", NOW, jti="boot-2")
    _, told = ask(guarded, "GET", "/principals/fund", token)
    assert told["history"][0]["who"] == "owner (key key-of-owner)"


def wrong() -> list[Any]:
    return list(cases())


def cases() -> Iterator[Any]:
    def case(name: str, *attested: str) -> Any:
        return pytest.param(attested, id=name)

    def made(**claims: Any) -> str:
        return attestation(KEY, "POST", "/principals", BODY, NOW, **claims)

    yield case("none")
    yield case("not one", "x")
    yield case("not three parts of anything", "e30.e30.e30")
    yield case("two", made(), made(jti="boot-2"))
    other = attestation(secrets.token_bytes(32), "POST", "/principals", BODY, NOW)
    yield case("by another key", other)
    yield case("expired", made(exp=NOW))
    yield case("of another gateway", made(iss="elsewhere"))
    yield case("of another method", made(htm="PUT"))
    yield case("of another path", made(htu="/keys"))
    yield case("of another query", made(htu="/principals?x=1"))
    yield case("of another body", attestation(KEY, "POST", "/principals", b"{}", NOW))
    yield case("of a read", made(op="admin.read"))
    yield case("of an order", made(op="order.place"))
    yield case("of nobody", made(sub=None))
    yield case("without an id", made(jti=""))


@pytest.mark.parametrize("attested", wrong())
def test_nothing_else_is_taken(guarded: Attested, attested: tuple[str, ...]) -> None:
    assert ask(guarded, "POST", "/principals", *attested, body=BODY) == REFUSED


@pytest.mark.parametrize("attested", wrong())
def test_without_the_check_all_of_that_would_be_taken(
    behind: Any, attested: tuple[str, ...]
) -> None:
    guarded = Unguarded(behind, KEY, "gateway")
    assert ask(guarded, "POST", "/principals", *attested, body=BODY)[0] == 200


def test_an_attestation_is_spent_once_and_forgotten_when_it_has_expired(
    guarded: Attested, clock: Time
) -> None:
    token = attestation(KEY, "GET", "/keys", b"", NOW)
    assert ask(guarded, "GET", "/keys", token) == (200, [])
    assert ask(guarded, "GET", "/keys", token) == REFUSED
    clock.now = NOW + 30
    assert ask(guarded, "GET", "/keys", token) == REFUSED
    later = attestation(KEY, "GET", "/keys", b"", NOW + 30)
    assert ask(guarded, "GET", "/keys", later) == (200, [])


def test_who_is_attested_and_no_operator_is_refused_by_its_role(guarded: Attested) -> None:
    for name in ("desk", "nobody"):
        token = attestation(KEY, "GET", "/keys", b"", NOW, sub=name, jti=name)
        assert ask(guarded, "GET", "/keys", token) == (403, "role_missing")


def test_no_body_is_read_that_the_engine_would_not_hand_on(guarded: Attested) -> None:
    body = b" " * (BODY_BYTES + 1)
    token = attestation(KEY, "POST", "/principals", body, NOW)
    assert ask(guarded, "POST", "/principals", token, body=body) == REFUSED


def test_a_websocket_is_not_taken(guarded: Attested) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    asyncio.run(guarded({"type": "websocket", "headers": []}, receive, send))
    assert sent[0]["status"] == 403


def test_the_routes_are_the_endpoints_of_the_roles() -> None:
    file = config.shipped_dialects()[config.ADMIN_DIALECT]
    routes = read_document(file).value["routes"]
    offered = {f"{route['method']} {route['path']}": route["operation"] for route in routes}
    assert set(offered) == set(ENDPOINTS) - set(LOCAL)
    assert set(LOCAL) <= set(ENDPOINTS)
    for endpoint, operation in offered.items():
        assert operation == operation_of(*endpoint.split(" ")), endpoint
