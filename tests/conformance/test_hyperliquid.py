"""A wallet's signature fits one action, whole, and what a client signs is what we sign."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import ccxt
import pytest

from ringfence.engine import Request, Seal, Secret, read_dialect, sign_request, verify_request
from ringfence.errors import EngineError
from tests.conformance.captured import ABSENT, SUITE, parse, suite, written

VENUE = written("hyperliquid")
ALGORITHM = "secp256k1-eip712"
NOW_MS = 1_700_000_000_000
NOWHERE = "0x" + "12" * 20


class Wallet:
    """A private key made now, and the address that its signatures recover to."""

    def __init__(self, private: bytes) -> None:
        self.private = private
        self.secret = Secret(ALGORITHM, private)
        draft = body_request({"action": {"type": "dummy"}})
        made = sign_request(VENUE, draft, self.seal())
        self.address = str(verify_request(VENUE, made, Secret(ALGORITHM, bytes(20)))["key_id"])
        self.public = Secret(ALGORITHM, bytes.fromhex(self.address[2:]))

    def seal(self) -> Seal:
        return Seal("", self.secret, None, NOW_MS * 1000, "")


def body_request(body: dict[str, Any], path: str = "/exchange") -> Request:
    text = json.dumps(body, separators=(",", ":")).encode()
    return Request("POST", path, [("Content-Type", "application/json")], text)


WALLET = Wallet(secrets.token_bytes(32))


def judged(asked: Request, wallet: Wallet = WALLET) -> str | None:
    """Return the code of the refusal, or None for a request that verifies."""
    try:
        seen = verify_request(VENUE, asked, wallet.public)
    except EngineError as refused:
        return refused.code
    code: str | None = seen["code"]
    return code


def test_the_example_of_the_sdk_is_signed_alike() -> None:
    # hyperliquid-python-sdk, tests/signing_test.py: nonce 0 is signed at time 0.
    wallet = Wallet(bytes.fromhex("0123456789" * 6 + "0123"))
    draft = body_request({"action": {"type": "dummy", "num": 100000000000}})
    made = sign_request(VENUE, draft, replace(wallet.seal(), now_us=0))
    signature = json.loads(made.body)["signature"]
    assert int(signature["r"], 16) == int(
        "53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298", 16
    )
    assert int(signature["s"], 16) == int(
        "755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8", 16
    )
    assert signature["v"] == 27
    steps = dict(verify_request(VENUE, made, wallet.public)["steps"])
    assert (
        steps["connection id"] == "f528daee6a0bd11407b483cfcd9a48c56884180b70ee86f124053e5fc1bf4d57"
    )
    # Leading zeros are left out by that client.
    short = json.loads(made.body)
    short["signature"]["r"] = "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298"
    assert judged(replace(made, body=json.dumps(short).encode()), wallet) is None


@pytest.mark.skipif(not SUITE.exists(), reason=ABSENT)
def test_captured_actions_verify_by_their_wallet_and_by_no_other() -> None:
    wallet = Wallet(b"\x22" * 32)
    entries = [entry for entry in suite()["requests"] if entry["dialect"] == "hyperliquid"]
    signed = [parse(entry["raw"]) for entry in entries if "signature" in entry["raw"]]
    assert len(signed) == 3
    for asked in signed:
        assert judged(asked, wallet) is None
        assert judged(asked) == "signature_invalid"
        text = asked.body.decode()
        for at in range(len(text)):
            changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
            assert judged(replace(asked, body=changed.encode()), wallet) is not None, changed


class Sent(Exception):  # noqa: N818 - nothing failed
    """A request has gone out, and nothing came back."""


@cache
def market() -> Any:
    return ccxt.hyperliquid().safe_market_structure(
        {
            "id": "0",
            "symbol": "BTC/USDC:USDC",
            "base": "BTC",
            "quote": "USDC",
            "settle": "USDC",
            "baseId": "0",
            "baseName": "BTC",
            "type": "swap",
            "swap": True,
            "contract": True,
            "linear": True,
            "precision": {"amount": 0.00001, "price": 0.1},
        }
    )


def ask(call: Callable[[Any], Any]) -> list[Request]:
    """Return what an unmodified ccxt sends to /exchange for a call; nothing comes back."""
    exchange = ccxt.hyperliquid(
        {
            "walletAddress": WALLET.address,
            "privateKey": "0x" + WALLET.private.hex(),
            "options": {"builderFee": False, "refSet": True, "approvedBuilderFee": True},
        }
    )
    exchange.set_markets([market()])
    sent: list[Request] = []

    def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        pairs = [(name, str(text)) for name, text in (headers or {}).items()]
        request = Request(method, urlsplit(url).path, pairs, (body or "").encode())
        if request.target == "/exchange":
            sent.append(request)
        raise Sent

    exchange.fetch = fetch
    with contextlib.suppress(Sent):
        call(exchange)
    return sent


SYMBOL = "BTC/USDC:USDC"
CLOID = "0x" + "1" * 32
CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "limit": ("order.place", lambda e: e.create_order(SYMBOL, "limit", "buy", 1, 30000)),
    "named": (
        "order.place",
        lambda e: e.create_order(SYMBOL, "limit", "sell", 1, 30000, {"clientOrderId": CLOID}),
    ),
    "stop": (
        "order.place",
        lambda e: e.create_order(SYMBOL, "limit", "buy", 1, 30000, {"triggerPrice": 31000}),
    ),
    "vault": (
        "order.place",
        lambda e: e.create_order(SYMBOL, "limit", "buy", 1, 30000, {"vaultAddress": NOWHERE}),
    ),
    "cancel": ("order.cancel", lambda e: e.cancel_order("12345", SYMBOL)),
    "cancel named": (
        "order.cancel",
        lambda e: e.cancel_order("1", SYMBOL, {"clientOrderId": CLOID}),
    ),
    "later": ("order.cancel", lambda e: e.cancel_all_orders_after(10_000)),
    "edit": ("order.amend", lambda e: e.edit_order("12345", SYMBOL, "limit", "buy", 1, 30000)),
    "withdraw": ("withdraw.create", lambda e: e.withdraw("USDC", 5, NOWHERE)),
    "class": ("transfer.create", lambda e: e.transfer("USDC", 5, "spot", "swap")),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_unmodified_ccxt_s_action_has_a_route_and_verifies(call: str) -> None:
    operation, made = CALLS[call]
    [asked] = ask(made)
    assert judged(asked) is None
    seen = read_dialect(VENUE, asked.method, asked.target, asked.headers, asked.body)
    assert seen["operation"] == operation
    assert seen["key_id"] == WALLET.address
    if operation in ("order.place", "order.amend"):
        order = seen["order"]
        assert (order["symbol"], order["type"]) == ("0", "trigger" if call == "stop" else "limit")
        assert order["side"] == ("SELL" if call == "named" else "BUY")
        assert (float(order["price"]), float(order["quantity"])) == (30000, 1)
    # The client's signature stays here; what it signed goes on as it was.
    forwarded = json.loads(seen["forward"]["body"])
    sent = json.loads(asked.body)
    assert "signature" not in forwarded
    assert json.dumps(forwarded["action"]) == json.dumps(sent["action"])


@pytest.mark.parametrize("call", CALLS)
def test_no_changed_byte_of_an_action_verifies(call: str) -> None:
    [asked] = ask(CALLS[call][1])
    text = asked.body.decode()
    for at in range(len(text)):
        changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        assert judged(replace(asked, body=changed.encode())) is not None, changed


@pytest.mark.parametrize("call", CALLS)
def test_what_we_sign_of_an_action_is_what_ccxt_signed(call: str) -> None:
    [asked] = ask(CALLS[call][1])
    sent = json.loads(asked.body)
    signature = sent.pop("signature")
    nonce_us = sent["nonce"] * 1000
    draft = replace(asked, body=json.dumps(sent).encode())
    made = sign_request(VENUE, draft, replace(WALLET.seal(), now_us=nonce_us))
    ours = json.loads(made.body)["signature"]
    assert [int(ours[name], 16) for name in "rs"] == [int(signature[name], 16) for name in "rs"]
    assert ours["v"] == signature["v"]


def signed(action: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = sign_request(VENUE, body_request({"action": action, **more}), WALLET.seal())
    body: dict[str, Any] = json.loads(made.body)
    return body


WITHDRAW = {
    "hyperliquidChain": "Mainnet",
    "signatureChainId": "0x66eee",
    "destination": NOWHERE,
    "amount": "5",
    "time": NOW_MS,
    "type": "withdraw3",
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": 5}, "form_parameter_invalid"),  # another type hashes alike
        ({"time": str(NOW_MS)}, "form_parameter_invalid"),
        ({"hyperliquidChain": "Testnet"}, "form_parameter_invalid"),
        ({"signatureChainId": "0x1"}, "form_parameter_invalid"),
        ({"signatureChainId": 421614}, "form_parameter_invalid"),
        ({"note": "unsigned"}, "form_parameter_unknown"),
        ({"destination": "0x" + "13" * 20}, "signature_invalid"),
    ],
    ids=str,
)
def test_a_withdrawal_says_only_what_is_signed(change: dict[str, Any], code: str) -> None:
    body = signed(WITHDRAW)
    body["action"] |= change
    assert judged(body_request(body)) == code


def test_what_a_withdrawal_does_not_sign_may_not_stand_there() -> None:
    body = signed(WITHDRAW)
    assert judged(body_request(body)) is None
    assert judged(body_request(body | {"vaultAddress": None})) is None
    for more in ({"vaultAddress": NOWHERE}, {"expiresAfter": NOW_MS}, {"x": 1}):
        assert judged(body_request(body | more)) == "form_parameter_unknown"
    assert judged(body_request(body | {"nonce": NOW_MS + 1})) == "form_parameter_invalid"


def test_the_end_of_an_action_is_its_window() -> None:
    asked = body_request(signed({"type": "scheduleCancel"}, expiresAfter=NOW_MS + 5000))
    seen = verify_request(VENUE, asked, WALLET.public)
    assert (seen["verified"], seen["time_us"], seen["window_us"]) == (True, NOW_MS * 1000, 5000_000)
    with pytest.raises(EngineError) as refused:
        verify_request(
            VENUE, body_request(signed({"type": "a"}, expiresAfter=NOW_MS - 1)), WALLET.public
        )
    assert refused.value.code == "time_malformed"


def route(body: dict[str, Any], path: str) -> str:
    try:
        asked = body_request(body, path)
        seen = read_dialect(VENUE, asked.method, asked.target, asked.headers, asked.body)
    except EngineError as refused:
        return refused.code
    return str(seen["operation"])


def test_the_body_says_which_action_is_meant_and_an_unknown_one_is_refused() -> None:
    order = {"a": 0, "b": True, "p": "1", "s": "1", "r": False, "t": {"limit": {"tif": "Gtc"}}}
    one = {"type": "order", "orders": [order], "grouping": "na"}
    assert route(signed(one), "/exchange") == "order.place"
    assert route(signed(one | {"orders": [order, order]}), "/exchange") == "form_parameter_unknown"
    two = order | {"t": {"limit": {"tif": "Gtc"}, "trigger": {"tpsl": "tp"}}}
    assert route(signed(one | {"orders": [two]}), "/exchange") == "form_duplicate"
    for unknown in ("approveAgent", "setReferrer", "updateLeverage", "", "Order"):
        assert route(signed({"type": unknown}), "/exchange") == "route_unknown"
    assert route({"action": {}}, "/exchange") == "route_unknown"
    assert route({"type": "l2Book", "coin": "BTC"}, "/info") == "market.read"
    assert route({"type": "clearinghouseState", "user": NOWHERE}, "/info") == "signature_missing"
    assert route({"type": "everything"}, "/info") == "route_unknown"


@pytest.mark.parametrize(
    ("part", "value", "code"),
    [
        ("r", None, "signature_missing"),
        ("r", "", "signature_malformed"),
        ("r", "0x", "signature_malformed"),
        ("r", "0x" + "1" * 65, "signature_malformed"),
        ("r", 5, "signature_malformed"),
        ("s", "0x" + "0" * 64, "signature_invalid"),
        ("s", "0x" + "f" * 64, "signature_invalid"),
        ("v", 0, "signature_invalid"),
        ("v", 29, "signature_invalid"),
        ("v", "27", "signature_malformed"),
        ("v", 283, "signature_malformed"),
    ],
)
def test_a_signature_that_is_none_is_refused(part: str, value: Any, code: str) -> None:
    body = signed({"type": "scheduleCancel"})
    body["signature"][part] = value
    if value is None:
        del body["signature"][part]
    assert judged(body_request(body)) == code
