"""Deribit over HTTP: one signed logon, and a token of the gateway's own on what follows."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from demo.attack import Key
from demo.stage import Stage, key, ringfence, set_stage
from tests.integration.venues import VENUES

AUTH = "/api/v2/public/auth"
ACCOUNT = "/api/v2/private/get_account_summary"
BUY = "/api/v2/private/buy"


@pytest.fixture(scope="module")
def deribit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield a gateway in front of the paper venue in Deribit's shape."""
    venue = VENUES["deribit"]
    folder = tmp_path_factory.mktemp("minted") / "demo"
    with set_stage(folder, venue.profile, venue.name) as built:
        yield built


def ask(stage: Stage, path: str, bearer: str | None = None, **query: Any) -> httpx.Response:
    context = ssl.create_default_context(cafile=stage.ca)
    headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
    with httpx.Client(verify=context) as client:
        return client.get(f"{stage.gateway}{path}?{urlencode(query)}", headers=headers)


def logon(signer: Key, **change: Any) -> dict[str, Any]:
    """Return the parameters of `client_signature` as Deribit's docs sign them."""
    nonce, moment = secrets.token_hex(8), int(time.time() * 1000)
    said = f"{moment}\n{nonce}\n{change.get('data', '')}"
    made = hmac.new(signer.secret.encode(), said.encode(), hashlib.sha256).hexdigest()
    values = {"grant_type": "client_signature", "client_id": signer.key_id, "timestamp": moment}
    return values | {"nonce": nonce, "data": "", "signature": made} | change


def minted(stage: Stage, signer: Key) -> str:
    answer = ask(stage, AUTH, **logon(signer))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    result = answer.json()["result"]
    assert (result["token_type"], result["expires_in"]) == ("bearer", 900)
    token: str = result["access_token"]
    assert len(token) == 43
    return token


def test_a_token_acts_as_the_key_that_logged_on(deribit: Stage) -> None:
    token = minted(deribit, deribit.trader)
    assert "result" in ask(deribit, ACCOUNT, token, currency="USDC").json()
    order = {"instrument_name": "BTC_USDC", "amount": "0.01", "type": "limit", "price": "50000"}
    placed = ask(deribit, BUY, token, **order)
    assert placed.status_code == 200, placed.text
    # Nothing of it is in the ledger: it would be as good as a key there.
    written = list((deribit.state / "ledger").rglob("entries.log"))
    assert written
    assert not any(token.encode() in file.read_bytes() for file in written)


def test_a_refresh_token_has_another_token_made_once_and_dies_with_its_key(deribit: Stage) -> None:
    who = key(deribit.state, "carol", ["read", "trade"], "127.0.0.0/8")
    first = ask(deribit, AUTH, **logon(who)).json()["result"]
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = ask(deribit, AUTH, **again).json()["result"]
    for token in (first["access_token"], second["access_token"]):
        assert "result" in ask(deribit, ACCOUNT, token, currency="USDC").json()
    assert ask(deribit, AUTH, **again).json()["error"]["code"] == 13004
    last = again | {"refresh_token": second["refresh_token"]}
    ringfence("key", "revoke", "-c", str(deribit.state / "ringfence.yaml"), who.key_id)
    assert ask(deribit, AUTH, **last).json()["error"]["code"] == 13004
    written = list((deribit.state / "ledger").rglob("entries.log"))
    assert not any(second["refresh_token"].encode() in file.read_bytes() for file in written)


def test_a_logon_is_good_once_and_only_as_it_was_signed(deribit: Stage) -> None:
    asked = logon(deribit.trader)
    assert ask(deribit, AUTH, **asked).status_code == 200
    assert ask(deribit, AUTH, **asked).json()["error"]["code"] == 11050
    for change in (
        {"timestamp": int(time.time() * 1000) + 1},
        {"nonce": "another"},
        {"data": "more"},
        {"client_id": deribit.burst.key_id},
        {"signature": "00" * 32},
    ):
        refused = ask(deribit, AUTH, **(logon(deribit.trader) | change))
        assert refused.json()["error"]["code"] == 13004, change


def test_a_secret_is_not_taken_for_a_token(deribit: Stage) -> None:
    key = deribit.trader
    refused = ask(
        deribit,
        AUTH,
        grant_type="client_credentials",
        client_id=key.key_id,
        client_secret=key.secret,
    )
    assert refused.status_code == 400
    assert key.secret not in refused.text
    other = ask(deribit, AUTH, **logon(key, grant_type="refresh_token"))
    assert "grant_type" in other.json()["error"]["message"]


def test_what_is_no_token_of_ours_is_nobody(deribit: Stage) -> None:
    token = minted(deribit, deribit.trader)
    for wrong in (token[:-1], token + "A", token.swapcase(), secrets.token_urlsafe(32), "x"):
        refused = ask(deribit, ACCOUNT, wrong, currency="USDC")
        assert refused.json()["error"]["code"] == 13004


def test_a_token_makes_no_token_that_would_outlive_it(deribit: Stage) -> None:
    token = minted(deribit, deribit.trader)
    refused = ask(deribit, AUTH, token, grant_type="client_signature")
    assert refused.json()["error"]["code"] == 13004, refused.text


def test_one_key_has_sixteen_tokens_and_no_more(deribit: Stage) -> None:
    for _ in range(16):
        minted(deribit, deribit.burst)
    refused = ask(deribit, AUTH, **logon(deribit.burst))
    assert refused.status_code == 503, refused.text
    minted(deribit, deribit.trader)


def test_a_revoked_key_s_tokens_are_silent(deribit: Stage) -> None:
    token = minted(deribit, deribit.trader)
    assert "result" in ask(deribit, ACCOUNT, token, currency="USDC").json()
    config = str(deribit.state / "ringfence.yaml")
    ringfence("key", "revoke", "-c", config, deribit.trader.key_id)
    assert "revoked" in ask(deribit, ACCOUNT, token, currency="USDC").text
