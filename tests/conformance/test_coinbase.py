"""A CDP key's token is good for one method, host and path, for two minutes, and in one spelling."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import ccxt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ringfence.engine import Request, Seal, Secret, read_dialect, sign_request, verify_request
from ringfence.errors import EngineError
from ringfence.identity.keypair import make_pair, read_public_key
from tests.conformance.captured import written

NOW = 1_700_000_000
NAME = "organizations/0f1e/apiKeys/client-1"
HOST = "gateway.example:8443"
PATH = "/api/v3/brokerage/orders"
ORDER = json.dumps(
    {
        "client_order_id": "1",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"limit_limit_gtc": {"base_size": "0.01", "limit_price": "30000"}},
    }
).encode()
COINBASE = written("coinbase")
ALGORITHMS = {"ES256": "ecdsa-p256-sha256", "EdDSA": "ed25519"}


class Key:
    """A key pair made now, as a client and as the gateway have it."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        pem, public = make_pair(ALGORITHMS[algorithm])
        self.private = load_pem_private_key(pem, None)
        self.pem = pem.decode()
        self.public = Secret(*read_public_key(public))
        pkcs8 = self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self.secret = Secret(ALGORITHMS[algorithm], pkcs8)

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        assert isinstance(self.private, ec.EllipticCurvePrivateKey)
        r, s = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def seed(self) -> str:
        """Return an Ed25519 key as Coinbase hands it out: 64 bytes in base64."""
        assert isinstance(self.private, ed25519.Ed25519PrivateKey)
        raw = self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw + public).decode()


KEYS = {name: Key(name) for name in ALGORITHMS}
both = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def token(key: Key, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Return a token as coinbase-advanced-py 1.8.4 makes it, with changes; None leaves one out."""
    head = {"alg": key.algorithm, "kid": NAME, "nonce": "5f", "typ": "JWT"} | (header or {})
    said = {"sub": NAME, "iss": "cdp", "nbf": NOW, "exp": NOW + 120, "uri": f"POST {HOST}{PATH}"}
    said |= claims
    texts = [
        json.dumps({name: value for name, value in text.items() if value is not None}).encode()
        for text in (head, said)
    ]
    message = ".".join(part(text) for text in texts)
    return f"{message}.{part(key.sign(message.encode()))}"


def request(token: str) -> Request:
    headers = [("Host", HOST), ("Authorization", f"Bearer {token}")]
    return Request("POST", PATH, [*headers, ("Content-Type", "application/json")], ORDER)


def judged(asked: Request, key: Key) -> str | None:
    """Return the code of the refusal, or None for a request that verifies."""
    try:
        seen = verify_request(COINBASE, asked, key.public)
    except EngineError as refused:
        return refused.code
    code: str | None = seen["code"]
    return code


@both
def test_the_sdk_s_token_verifies_and_says_who_and_when(key: Key) -> None:
    seen = verify_request(COINBASE, request(token(key)), key.public)
    assert seen["verified"]
    assert seen["key_id"] == "client-1"
    assert (seen["time_us"], seen["window_us"]) == (NOW * 10**6, 120 * 10**6)
    assert [name for name, _ in seen["steps"]] == ["header", "claims"]


CLAIMS: list[tuple[str, dict[str, Any], str]] = [
    ("another subject", {"sub": "organizations/0f1e/apiKeys/client-2"}, "signature_malformed"),
    ("no subject", {"sub": None}, "signature_malformed"),
    ("another issuer", {"iss": "somebody"}, "signature_malformed"),
    ("another audience", {"aud": ["somebody"]}, "signature_malformed"),
    ("two audiences", {"aud": ["cdp_service", "retail_rest_api_proxy"]}, "signature_malformed"),
    ("another method", {"uri": f"GET {HOST}{PATH}"}, "signature_invalid"),
    ("another host", {"uri": f"POST evil.example{PATH}"}, "signature_invalid"),
    ("another path", {"uri": f"POST {HOST}{PATH}/"}, "signature_invalid"),
    ("a query", {"uri": f"POST {HOST}{PATH}?a=1"}, "signature_invalid"),
    ("no uri", {"uri": None}, "signature_invalid"),
    ("two uris", {"uris": [f"POST {HOST}{PATH}"]}, "signature_malformed"),
    ("more uris", {"uri": None, "uris": ["POST a", f"POST {HOST}{PATH}"]}, "signature_malformed"),
    ("no start", {"nbf": None}, "time_malformed"),
    ("no end", {"exp": None}, "time_malformed"),
    ("an end before its start", {"exp": NOW - 1}, "time_malformed"),
    ("a time in text", {"nbf": str(NOW)}, "time_malformed"),
    ("a time in parts", {"exp": NOW + 0.5}, "time_malformed"),
    ("a time that is none", {"iat": "now"}, "signature_malformed"),
    ("a claim that is not known", {"admin": True}, "signature_malformed"),
]


@both
@pytest.mark.parametrize(("what", "claims", "code"), CLAIMS, ids=[what for what, _, _ in CLAIMS])
def test_a_signed_token_that_says_other_than_the_request_is_refused(
    key: Key, what: str, claims: dict[str, Any], code: str
) -> None:
    assert judged(request(token(key, **claims)), key) == code


HEADERS: list[tuple[dict[str, Any], str]] = [
    ({"alg": "none"}, "signature_algorithm"),
    ({"alg": "HS256"}, "signature_algorithm"),
    ({"alg": "RS256"}, "signature_algorithm"),
    ({"alg": None}, "signature_malformed"),
    ({"crit": ["nonce"]}, "signature_malformed"),
    ({"jwk": {}}, "signature_malformed"),
    ({"kid": None}, "signature_malformed"),
    ({"nonce": None}, "signature_malformed"),
    ({"typ": "JWE"}, "signature_malformed"),
]


@both
@pytest.mark.parametrize(("header", "code"), HEADERS, ids=lambda value: str(value))
def test_a_header_that_asks_for_something_else_is_refused(
    key: Key, header: dict[str, Any], code: str
) -> None:
    assert judged(request(token(key, header)), key) == code


def test_a_token_that_names_the_other_algorithm_does_not_verify() -> None:
    for name, other in (("ES256", "EdDSA"), ("EdDSA", "ES256")):
        assert judged(request(token(KEYS[name])), KEYS[other]) == "signature_algorithm"
        asked = request(token(KEYS[name], {"alg": other}))
        assert judged(asked, KEYS[name]) == "signature_algorithm"


@both
def test_no_changed_byte_of_a_token_verifies(key: Key) -> None:
    good = token(key)
    assert judged(request(good), key) is None
    for at in range(len(good)):
        for bit in (1, 2, 32):
            changed = good[:at] + chr(ord(good[at]) ^ bit) + good[at + 1 :]
            assert judged(request(changed), key) is not None, at


@both
def test_method_host_and_path_are_the_token_s(key: Key) -> None:
    good = request(token(key))
    assert judged(replace(good, method="PUT"), key) == "signature_invalid"
    assert judged(replace(good, target=PATH + "/batch_cancel"), key) == "signature_invalid"
    elsewhere = [("Host", "other.example"), *good.headers[1:]]
    assert judged(replace(good, headers=elsewhere), key) == "signature_invalid"
    # The venue's own host is meant wherever the request was sent to.
    own = request(token(key, uri=f"POST api.coinbase.com{PATH}"))
    assert judged(own, key) is None


def test_without_one_bearer_token_nobody_is_known() -> None:
    key = KEYS["EdDSA"]
    good = token(key)
    for headers, code in (
        ([], "credential_missing"),
        ([("Authorization", good)], "credential_missing"),
        ([("Authorization", f"bearer {good}")], "credential_missing"),
        ([("Authorization", f"Basic {good}")], "credential_missing"),
        ([("Authorization", f"Bearer  {good}")], "signature_malformed"),
        ([("Authorization", f"Bearer {good}")] * 2, "form_duplicate"),
    ):
        asked = Request("POST", PATH, [("Host", HOST), *headers], ORDER)
        assert judged(asked, key) == code, headers


@both
def test_what_we_sign_verifies_and_names_the_request(key: Key) -> None:
    draft = Request("GET", "/api/v3/brokerage/accounts?limit=5", [], b"")
    seal = Seal(NAME, key.secret, None, NOW * 10**6, "77")
    made = sign_request(COINBASE, draft, seal)
    seen = verify_request(COINBASE, made, key.public)
    assert seen["verified"]
    claims = json.loads(dict(seen["steps"])["claims"])
    assert claims["uri"] == "GET api.coinbase.com/api/v3/brokerage/accounts"
    assert (claims["nbf"], claims["exp"]) == (NOW, NOW + 120)
    with pytest.raises(EngineError) as refused:
        secret = Secret("hmac-sha256", b"a secret of thirty-two bytes ....")
        sign_request(COINBASE, draft, replace(seal, secret=secret))
    assert refused.value.code == "signature_algorithm"


class Sent(Exception):  # noqa: N818 - nothing failed
    """The request that was asked for has gone out."""


def ask(key: Key, call: Callable[[Any], Any]) -> Request:
    """Return what an unmodified ccxt sends for a call."""
    es256 = key.algorithm == "ES256"
    secret = key.pem if es256 else key.seed()
    name = NAME if es256 else "client-1"
    exchange = ccxt.coinbase({"apiKey": name, "secret": secret})
    market = exchange.safe_market_structure(
        {
            "id": "BTC-USD",
            "symbol": "BTC/USD",
            "base": "BTC",
            "quote": "USD",
            "type": "spot",
            "spot": True,
            "precision": {"amount": 0.0001, "price": 0.01},
        }
    )
    exchange.set_markets([market], {"BTC": {"id": "BTC", "code": "BTC", "precision": 1e-8}})
    exchange.urls["api"]["rest"] = f"http://{HOST}"
    sent: list[Request] = []

    def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        parts = urlsplit(url)
        pairs = [("Host", parts.netloc), *((name, str(text)) for name, text in headers.items())]
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent.append(Request(method, target, pairs, (body or "").encode()))
        raise Sent

    exchange.fetch = fetch
    with pytest.raises(Sent):
        call(exchange)
    return sent[-1]


CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "limit": ("order.place", lambda e: e.create_order("BTC/USD", "limit", "buy", 1, 30000)),
    "market": ("order.place", lambda e: e.create_order("BTC/USD", "market", "sell", 1)),
    "cancel": ("order.cancel", lambda e: e.cancel_order("12345", "BTC/USD")),
    "open": ("order.query", lambda e: e.fetch_open_orders("BTC/USD")),
    "order": ("order.query", lambda e: e.fetch_order("0c1d-22")),
    "balance": ("account.read", lambda e: e.fetch_balance()),
}


@both
@pytest.mark.parametrize("call", CALLS)
def test_an_unmodified_ccxt_trades(key: Key, call: str) -> None:
    operation, made = CALLS[call]
    asked = ask(key, made)
    assert judged(asked, key) is None
    seen = read_dialect(COINBASE, asked.method, asked.target, asked.headers, asked.body)
    assert seen["operation"] == operation
    assert seen["key_id"] == "client-1"
    assert "Bearer" not in str(seen["forward"])
    if call == "limit":
        assert seen["order"]["type"] == "limit_limit_gtc"
        assert (seen["order"]["side"], seen["order"]["symbol"]) == ("BUY", "BTC-USD")
        assert float(seen["order"]["price"]) == 30000
        assert float(seen["order"]["quantity"]) == 1


def test_an_order_of_two_types_is_refused() -> None:
    key = KEYS["ES256"]
    two = json.loads(ORDER)
    two["order_configuration"]["market_market_ioc"] = {"base_size": "5"}
    asked = replace(request(token(key)), body=json.dumps(two).encode())
    with pytest.raises(EngineError) as refused:
        read_dialect(COINBASE, asked.method, asked.target, asked.headers, asked.body)
    assert refused.value.code == "form_duplicate"
