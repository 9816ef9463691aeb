"""At Coinbase, ccxt edits its orders by their ids alone, and each edit is judged by its order."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ccxt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from demo.stage import ringfence, running
from ringfence.engine import LedgerReader
from ringfence.identity.keypair import make_pair
from tests.integration.desk import put
from tests.integration.venues import rewritten

SYMBOL, LOCAL = "BTC/USD", "127.0.0.0/8"
NOBODY_S = "00000000-0000-0000-0000-0000000f4240"


@dataclass(frozen=True)
class Desk:
    """A gateway before Coinbase's paper venue, or between it and a firm's bots."""

    gateway: str
    state: Path
    folder: Path

    def client(self, account: str, algorithm: str) -> Any:
        """Return ccxt with a new key, which it signs with by its algorithm."""
        pem = self.folder / f"{account}-{algorithm}.pem"
        if not pem.exists():
            made = ringfence(
                "key", "create", "--algorithm", algorithm, "--generate-key", str(pem),
                "-c", str(self.state / "ringfence.yaml"), "--account", account,
                "--allow", LOCAL, "--scope", "read", "--scope", "trade",
            )  # fmt: skip
            pem.with_suffix(".id").write_text(made["key_id"])
        key_id, private = pem.with_suffix(".id").read_text(), pem.read_text()
        key = load_pem_private_key(private.encode(), None)
        if isinstance(key, Ed25519PrivateKey):
            # As Coinbase hands it out.
            seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
            public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            private = base64.b64encode(seed + public).decode()
        else:
            key_id = f"organizations/0f1e/apiKeys/{key_id}"
        exchange = ccxt.coinbase(
            {
                "apiKey": key_id,
                "secret": private,
                "validateServerSsl": str(self.state / "tls" / "ca.pem"),
                "enableRateLimit": False,
            }
        )
        exchange.urls["api"] = rewritten(exchange.urls["api"], self.gateway)
        return exchange

    def decided(self, operation: str) -> list[dict[str, Any]]:
        read = LedgerReader(self.state / "ledger", 0).read(100_000)
        entries = [json.loads(one) for _, one in read]
        return [one for one in entries if one.get("operation") == operation]


@pytest.fixture(scope="module", params=["ingress", "egress"])
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp(request.param)
    state, firm = folder / "state", request.param == "egress"
    config = state / "ringfence.yaml"
    ringfence(
        "init", "--profile", "coinbase-advanced", "--listen", "127.0.0.1:0",
        "--upstream", "http://127.0.0.1:1", *(["--egress"] if firm else []), str(state),
    )  # fmt: skip
    pem, public = make_pair("ed25519")
    own = folder / "venue-keys.json"
    row = {"key_id": "venue-key", "account": "firm", "public_key": public.decode()}
    own.write_text(json.dumps([row]))
    knows = ["--attestation-key", str(state / "keys" / "attestation.key")]
    with ExitStack() as stack:
        paper = stack.enter_context(
            running(
                folder / "venue.log", "venue", "serve", "--venue", "coinbase",
                "--listen", "127.0.0.1:0", *(["--keys", str(own)] if firm else knows),
            )
        )  # fmt: skip
        text = config.read_text().replace("http://127.0.0.1:1", paper["url"])
        # A test asks faster than Coinbase lets a trader.
        text = text.replace("quota: 30,", "quota: 3000,").replace("quota: 100,", "quota: 3000,")
        config.write_text(text.replace("desk: main", "desk: main\n    other: main"))
        if firm:
            put(config, "coinbase", pem.decode(), folder / "none")
        gateway = stack.enter_context(running(folder / "log", "serve", "-c", str(config)))
        yield Desk(f"https://{gateway['addresses'][0]}", state, folder)


@pytest.fixture(params=["ed25519", "ecdsa-p256-sha256"])
def exchange(desk: Desk, request: pytest.FixtureRequest) -> Any:
    return desk.client("desk", request.param)


def place(exchange: Any) -> str:
    placed: str = exchange.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)["id"]
    return placed


def test_an_edit_moves_its_order_and_is_recorded_with_its_instrument(
    desk: Desk, exchange: Any
) -> None:
    order_id = place(exchange)
    exchange.edit_order(order_id, SYMBOL, "limit", "buy", 0.02, 49_500)
    seen = exchange.fetch_order(order_id, SYMBOL)
    assert (seen["id"], seen["status"]) == (order_id, "open")
    assert (seen["price"], seen["amount"]) == (49_500, 0.02)
    entry = desk.decided("order.amend")[-1]
    assert entry["about"]["venue_order_id"] == order_id
    assert (entry["order"]["symbol"], entry["order"]["price"]) == ("BTC-USD", "49500")
    exchange.cancel_order(order_id, SYMBOL)
    assert exchange.fetch_order(order_id, SYMBOL)["status"] == "canceled"


@pytest.mark.parametrize(
    ("amount", "price", "why"),
    [(0.01, 5_000, "price"), (30, 50_000, "notional"), (0.01, None, ""), (None, 50_000, "")],
)
def test_an_edit_beyond_the_bounds_leaves_its_order_as_it_was(
    desk: Desk, amount: float | None, price: float | None, why: str
) -> None:
    exchange = desk.client("desk", "ed25519")
    order_id = place(exchange)
    with pytest.raises(ccxt.BaseError) as refused:
        exchange.edit_order(order_id, SYMBOL, "limit", "buy", amount, price)
    assert why in str(refused.value)
    seen = exchange.fetch_order(order_id, SYMBOL)
    assert (seen["price"], seen["amount"]) == (50_000, 0.01)
    exchange.cancel_order(order_id, SYMBOL)


def test_another_account_s_order_is_as_unknown_as_one_that_is_not_there(desk: Desk) -> None:
    owner, other = desk.client("desk", "ed25519"), desk.client("other", "ed25519")
    order_id = place(owner)
    said = []
    for unknown in (order_id, NOBODY_S):
        with pytest.raises(ccxt.BaseError) as refused:
            other.edit_order(unknown, SYMBOL, "limit", "buy", 0.01, 49_000)
        said.append(str(refused.value))
    assert said[0] == said[1]
    assert "cancel it and place it anew" in said[0]
    assert owner.fetch_order(order_id, SYMBOL)["price"] == 50_000
    owner.cancel_order(order_id, SYMBOL)


def test_the_rest_of_a_trader_s_day(desk: Desk, exchange: Any) -> None:
    assert exchange.fetch_order_book(SYMBOL)["bids"][0][0] > 0
    bought = exchange.create_order(SYMBOL, "market", "buy", 600, None, {"cost": 600})
    assert exchange.fetch_order(bought["id"], SYMBOL)["status"] == "closed"
    order_id = place(exchange)
    assert order_id in {o["id"] for o in exchange.fetch_open_orders(SYMBOL)}
    assert exchange.fetch_balance()["USD"]["free"] > 0
    assert exchange.fetch_balance({"v3": True})["USD"]["used"] >= 500
    exchange.cancel_orders([order_id], SYMBOL)
    with pytest.raises(ccxt.BaseError):
        exchange.create_order(SYMBOL, "limit", "buy", 0.01, 1)
