"""Single sign-on by real requests: an issuer's token acts as its credential, each proof once."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from demo.stage import Stage, set_stage
from demo.stage import ringfence as run
from tests.integration.test_http2 import Tunnel

ISSUER = "https://login.example"
ACCOUNT = "/api/v3/account"
ORDER = "/api/v3/order"
CHANNEL = "/ws-api/v3"
SECTION = f"""
issuers:
  - name: institution
    issuer: {ISSUER}
    audience: trading
    jwks: issuer.jwks
    credentials: {{desk-7: desk-key-7, desk-8: desk-key-8}}
"""


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Signer:
    """A P-256 key made now."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        self.jwk = {"crv": "P-256", "kty": "EC"}
        self.jwk |= {"x": part(numbers.x.to_bytes(32, "big"))}
        self.jwk |= {"y": part(numbers.y.to_bytes(32, "big"))}

    def thumbprint(self) -> str:
        text = json.dumps(self.jwk, separators=(",", ":"), sort_keys=True)
        return part(hashlib.sha256(text.encode()).digest())

    def sign(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        texts = [part(json.dumps(value).encode()) for value in ({"alg": "ES256"} | header, claims)]
        signed = ".".join(texts)
        made = self.key.sign(signed.encode(), ec.ECDSA(SHA256()))
        r, s = utils.decode_dss_signature(made)
        return f"{signed}.{part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


AUTHORITY, CLIENT = Signer(), Signer()


def token(subject: str = "desk-7", **change: Any) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {"iss": ISSUER, "aud": "trading", "sub": subject}
    claims |= {"iat": now, "exp": now + 300}
    claims |= {"cnf": {"jkt": CLIENT.thumbprint()}} | change
    return AUTHORITY.sign({"typ": "at+jwt"}, claims)


def proof(
    stage: Stage, method: str, path: str, access: str, signer: Signer = CLIENT, **more: str
) -> str:
    digest = part(hashlib.sha256(access.encode()).digest())
    claims: dict[str, Any] = {"jti": secrets.token_hex(8), "htm": method}
    claims |= {"htu": stage.gateway + path}
    claims |= {"iat": int(time.time()), "ath": digest} | more
    return signer.sign({"typ": "dpop+jwt", "jwk": signer.jwk}, claims)


@pytest.fixture(scope="module")
def signed_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield a stage that takes our issuer's tokens, with a credential for one desk of two."""

    def settle(text: str, state: Path) -> str:
        (state / "issuer.jwks").write_text(json.dumps({"keys": [AUTHORITY.jwk]}))
        return text + SECTION

    with set_stage(tmp_path_factory.mktemp("signed-on") / "demo", settle=settle) as built:
        create(built, "desk-key-7", "read", "trade")
        yield built


def create(stage: Stage, key_id: str, *scopes: str) -> None:
    wanted = [word for scope in scopes for word in ("--scope", scope)]
    run(
        "key", "create", "--hmac", "-c", str(stage.state / "ringfence.yaml"), "--account", "carol",
        "--allow", "127.0.0.0/8", "--key-id", key_id, *wanted,
    )  # fmt: skip


def ask(stage: Stage, method: str, path: str, *, query: str = "", **headers: str) -> httpx.Response:
    with httpx.Client(verify=ssl.create_default_context(cafile=stage.ca)) as client:
        return client.request(method, f"{stage.gateway}{path}{query}", headers=headers)


def with_proof(
    stage: Stage, method: str, path: str, access: str, query: str = ""
) -> httpx.Response:
    shown = proof(stage, method, path, access)
    return ask(stage, method, path, query=query, authorization=f"DPoP {access}", dpop=shown)


def test_a_token_with_its_proof_acts_as_its_credential(signed_on: Stage) -> None:
    access = token()
    assert "balances" in with_proof(signed_on, "GET", ACCOUNT, access).json()
    order = "?symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=20000"
    placed = with_proof(signed_on, "POST", ORDER, access, order)
    assert placed.status_code == 200, placed.text
    assert placed.json()["symbol"] == "BTCUSDT"


def test_a_proof_is_good_once_even_for_reading(signed_on: Stage) -> None:
    access = token()
    shown = proof(signed_on, "GET", ACCOUNT, access)
    fields = {"authorization": f"DPoP {access}", "dpop": shown}
    assert ask(signed_on, "GET", ACCOUNT, **fields).status_code == 200
    again = ask(signed_on, "GET", ACCOUNT, **fields)
    assert "already used" in again.json()["msg"]
    assert again.headers["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')


@pytest.mark.parametrize(("method", "status"), [("CONNECT", "200"), ("GET", "400")])
def test_a_proof_for_a_websocket_by_http2_names_the_connect_that_it_is(
    signed_on: Stage, method: str, status: str
) -> None:
    access = token()
    shown = proof(signed_on, method, CHANNEL, access)
    fields = {"authorization": f"DPoP {access}", "dpop": shown}
    with Tunnel(signed_on, CHANNEL, fields=fields) as tunnel:
        assert tunnel.status == status


def test_a_proof_of_another_key_request_or_token_is_refused(signed_on: Stage) -> None:
    access = token()
    for shown, field in (
        (proof(signed_on, "GET", ACCOUNT, access, Signer()), "cnf"),
        (proof(signed_on, "POST", ACCOUNT, access), "htm"),
        (proof(signed_on, "GET", ORDER, access), "htu"),
        (proof(signed_on, "GET", ACCOUNT, token("desk-8")), "ath"),
    ):
        refused = ask(signed_on, "GET", ACCOUNT, authorization=f"DPoP {access}", dpop=shown)
        assert refused.status_code >= 400
        assert f"[{field}]" in refused.json()["msg"]
        assert "invalid_dpop_proof" in refused.headers["www-authenticate"]


def test_a_proof_for_another_gateway_is_refused(signed_on: Stage) -> None:
    access, other = token(), "other.example"
    shown = proof(signed_on, "GET", ACCOUNT, access, htu=f"https://{other}{ACCOUNT}")
    fields = {"authorization": f"DPoP {access}", "dpop": shown, "host": other}
    refused = ask(signed_on, "GET", ACCOUNT, **fields)
    assert "authorities" in refused.json()["msg"], refused.text


def test_a_token_alone_is_nothing(signed_on: Stage) -> None:
    access = token()
    for scheme in ("Bearer", "DPoP"):
        refused = ask(signed_on, "GET", ACCOUNT, authorization=f"{scheme} {access}")
        assert "[dpop]" in refused.json()["msg"]
        assert scheme in refused.headers["www-authenticate"]
    nothing = ask(signed_on, "GET", ACCOUNT)
    assert nothing.headers["www-authenticate"].startswith("DPoP algs=")


def test_a_token_that_is_over_or_another_s_is_refused(signed_on: Stage) -> None:
    now = int(time.time())
    for access in (
        token(iat=now - 100, exp=now - 10),
        token(aud="somebody"),
        token(exp=now + 5000),
        token("desk-8"),  # there is no such credential yet
        token("desk-9"),
        Signer().sign({"typ": "at+jwt"}, {"iss": ISSUER, "aud": "trading", "sub": "desk-7"}),
    ):
        refused = with_proof(signed_on, "GET", ACCOUNT, access)
        assert refused.status_code >= 400, refused.text
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_the_credential_decides_what_a_token_may_do_and_until_when(signed_on: Stage) -> None:
    create(signed_on, "desk-key-8", "read")
    access = token("desk-8")
    assert "balances" in with_proof(signed_on, "GET", ACCOUNT, access).json()
    order = "?symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=20000"
    refused = with_proof(signed_on, "POST", ORDER, access, order)
    assert "scope" in refused.json()["msg"]
    run("key", "revoke", "-c", str(signed_on.state / "ringfence.yaml"), "desk-key-8")
    assert "was revoked" in with_proof(signed_on, "GET", ACCOUNT, access).json()["msg"]
