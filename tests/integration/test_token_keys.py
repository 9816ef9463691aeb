"""Nonces for proofs where a listener asks for them, and issuers' keys that follow their files."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.frames import CloseCode, Opcode

from demo.stage import Stage, set_stage
from demo.stage import ringfence as run
from ringfence.engine import LedgerReader
from tests.integration.test_http2 import Tunnel
from tests.integration.test_tokens import (
    ACCOUNT,
    AUTHORITY,
    CHANNEL,
    SECTION,
    Signer,
    ask,
    create,
    proof,
    token,
    with_proof,
)

NONCES = """listeners:
  - name: nonces
    address: "127.0.0.1:0"
    dialect: binance
    dpop_nonce_s: 30
    tls: {certificate: tls/server.pem, key: tls/server.key}
"""
OTHER = Signer()


def lay(state: Path, *keys: dict[str, Any]) -> None:
    """Put another key set in the place of the one before, as one should: whole."""
    new = state / "issuer.new"
    new.write_text(json.dumps({"keys": keys}))
    new.replace(state / "issuer.jwks")


def called(signer: Signer, kid: str) -> dict[str, Any]:
    return signer.jwk | {"kid": kid}


def by(signer: Signer, kid: str, **change: Any) -> str:
    claims = json.loads(decoded(token(**change)))
    return signer.sign({"typ": "at+jwt", "kid": kid}, claims)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.split(".")[1] + "==")


@pytest.fixture(scope="module")
def signed_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield a stage of two listeners, the first of which asks for nonces."""

    def settle(text: str, state: Path) -> str:
        lay(state, called(AUTHORITY, "a"))
        return text.replace("listeners:\n", NONCES, 1) + SECTION

    with set_stage(tmp_path_factory.mktemp("keys") / "demo", settle=settle) as built:
        create(built, "desk-key-7", "read", "trade")
        yield built


@pytest.fixture
def asking(signed_on: Stage) -> Stage:
    """Return the same by its listener that asks for nonces."""
    return replace(signed_on, gateway=signed_on.streams.replace("wss:", "https:"))


def until(what: Callable[[], bool]) -> None:
    """Wait for what takes a look of the gateway's at a file."""
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def told(stage: Stage, event: str) -> list[dict[str, Any]]:
    read = LedgerReader(stage.state / "ledger", 0).read(100_000)
    entries = [json.loads(one) for _, one in read]
    return [one for one in entries if one.get("event") == event]


def has_told(stage: Stage, refusals: int) -> bool:
    return len(told(stage, "issuer.keys_refused")) == refusals


def ask_with(stage: Stage, access: str, nonce: str | None) -> httpx.Response:
    shown = (
        proof(stage, "GET", ACCOUNT, access)
        if nonce is None
        else proof(stage, "GET", ACCOUNT, access, nonce=nonce)
    )
    return ask(stage, "GET", ACCOUNT, authorization=f"DPoP {access}", dpop=shown)


def test_a_proof_without_the_gateway_s_nonce_is_told_which_to_use(asking: Stage) -> None:
    access = by(AUTHORITY, "a")
    for nonce in (None, "bm9uZSBvZiB5b3Vycw"):
        refused = ask_with(asking, access, nonce)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')
        assert refused.headers["cache-control"] == "no-store"
        assert "DPoP-Nonce" in refused.json()["msg"]
    served = ask_with(asking, access, refused.headers["dpop-nonce"])
    assert served.status_code == 200, served.text
    # With each answer comes the next, which is the same for as long as it is good.
    assert ask_with(asking, access, served.headers["dpop-nonce"]).status_code == 200


def test_a_nonce_is_asked_for_where_that_is_said_and_given_to_who_proves(signed_on: Stage) -> None:
    assert "dpop-nonce" not in ask_with(signed_on, by(AUTHORITY, "a"), None).headers


def test_nobody_without_a_proof_is_given_a_nonce(asking: Stage) -> None:
    assert "dpop-nonce" not in ask(asking, "GET", "/api/v3/time").headers


def test_a_channel_that_a_token_opened_ends_with_its_key(signed_on: Stage) -> None:
    lay(signed_on.state, called(AUTHORITY, "a"), called(OTHER, "b"))
    until(lambda: "balances" in with_proof(signed_on, "GET", ACCOUNT, by(OTHER, "b")).json())
    by_a, by_b = (channel(signed_on, by(*one)) for one in ((AUTHORITY, "a"), (OTHER, "b")))
    with by_a, by_b:
        assert status(by_a) == status(by_b) == 200
        lay(signed_on.state, called(AUTHORITY, "a"))
        frames = (by_b.frame() for _ in range(1000))
        close = next(frame for frame in frames if frame.opcode is Opcode.CLOSE)
        assert int.from_bytes(close.data[:2]) == CloseCode.POLICY_VIOLATION
        refused = with_proof(signed_on, "GET", ACCOUNT, by(OTHER, "b"))
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
        assert status(by_a) == 200
    # In force first, and told then.
    until(lambda: told(signed_on, "issuer.keys")[-1]["detail"]["keys"] == 1)
    event = told(signed_on, "issuer.keys")[-1]["detail"]
    assert (event["issuer"], event["added"]) == ("institution", "")
    assert event["removed"].startswith("b ")


def channel(stage: Stage, access: str) -> Tunnel:
    shown = proof(stage, "CONNECT", CHANNEL, access)
    fields = {"authorization": f"DPoP {access}", "dpop": shown}
    return Tunnel(stage, CHANNEL, fields=fields)


def status(tunnel: Tunnel) -> int:
    params = {"timestamp": time.time_ns() // 1_000_000}
    tunnel.say(json.dumps({"id": 1, "method": "account.status", "params": params}))
    said = json.loads(bytes(tunnel.frame().data))
    print(said)
    return int(said["status"])


def test_a_channel_that_a_token_opened_lasts_no_longer_than_the_token(signed_on: Stage) -> None:
    now = int(time.time())
    with channel(signed_on, by(AUTHORITY, "a", iat=now - 10, exp=now + 2)) as opened:
        assert status(opened) == 200
        until(lambda: status(opened) != 200)
        assert time.time() >= now + 2


def test_a_file_that_is_no_key_set_changes_nothing_and_is_told_of(signed_on: Stage) -> None:
    file, config = signed_on.state / "issuer.jwks", str(signed_on.state / "ringfence.yaml")
    before = file.read_text()
    seen = len(told(signed_on, "issuer.keys_refused"))
    for bad in ("{", '{"keys": [{"kty": "EC"}]}', None):
        if bad is None:
            file.unlink()
        else:
            file.write_text(bad)
        seen += 1
        until(partial(has_told, signed_on, seen))
        assert "balances" in with_proof(signed_on, "GET", ACCOUNT, by(AUTHORITY, "a")).json()
        assert "jwks" in run("status", "-c", config)["issuers"]["problem"]
    file.write_text(before)
    until(lambda: "problem" not in run("status", "-c", config)["issuers"])


def test_a_set_without_keys_silences_the_issuer(signed_on: Stage) -> None:
    before = (signed_on.state / "issuer.jwks").read_text()
    lay(signed_on.state)
    until(
        lambda: "balances" not in with_proof(signed_on, "GET", ACCOUNT, by(AUTHORITY, "a")).json()
    )
    (signed_on.state / "issuer.jwks").write_text(before)
    until(lambda: "balances" in with_proof(signed_on, "GET", ACCOUNT, by(AUTHORITY, "a")).json())
