"""Unmodified ccxt and python-binance trade through the gateway and raise their right exceptions."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from binance.client import Client
from binance.exceptions import BinanceAPIException

from demo.attack import Key
from demo.stage import Stage, ringfence
from demo.trade import SYMBOL, client, trade

FAR_BELOW = 20_000
"""A price that rests in the book: inside the guard's band, far from the market."""


@pytest.fixture
def exchange(stage: Stage) -> Any:
    """Return ccxt as the trader uses it."""
    return client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)


@pytest.fixture
def binance(stage: Stage) -> Client:
    """Return python-binance as the trader uses it: only the addresses and the CA are set."""
    return binance_client(stage, stage.trader)


def binance_client(stage: Stage, key: Key) -> Client:
    made = Client(key.key_id, key.secret, ping=False, requests_params={"verify": str(stage.ca)})
    made.API_URL = f"{stage.gateway}/api"
    made.MARGIN_API_URL = f"{stage.gateway}/sapi"
    return made


def test_ccxt_trades(exchange: Any) -> None:
    lines = trade(exchange)
    assert [line for line in lines if not line.right] == []


def test_ccxt_reads_what_it_placed(exchange: Any) -> None:
    placed = exchange.create_order(SYMBOL, "limit", "buy", 0.01, FAR_BELOW)
    assert exchange.fetch_order(placed["id"], SYMBOL)["status"] == "open"
    assert placed["id"] in {order["id"] for order in exchange.fetch_open_orders(SYMBOL)}
    exchange.cancel_all_orders(SYMBOL)
    assert exchange.fetch_open_orders(SYMBOL) == []


def test_python_binance_trades(binance: Client) -> None:
    placed = binance.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price=str(FAR_BELOW))
    assert placed["status"] == "NEW"
    # python-binance cancels by DELETE with a form body.
    gone = binance.cancel_order(symbol="BTCUSDT", orderId=placed["orderId"])
    assert gone["status"] == "CANCELED"
    filled = binance.order_market_buy(symbol="BTCUSDT", quantity="0.01")
    assert filled["status"] == "FILLED"
    balance = binance.get_asset_balance(asset="BTC")
    assert Decimal(balance["free"]) > 0


def test_a_wrong_secret_is_an_authentication_error(stage: Stage) -> None:
    forged = client(stage.gateway, stage.ca, stage.trader.key_id, "x" * 64)
    with pytest.raises(ccxt.AuthenticationError) as refusal:
        forged.fetch_balance()
    assert not isinstance(refusal.value, ccxt.PermissionDenied)
    with pytest.raises(BinanceAPIException) as api:
        binance_client(stage, Key(stage.trader.key_id, "x" * 64)).get_account()
    assert api.value.code == -1022


def test_an_unknown_key_is_an_authentication_error(stage: Stage) -> None:
    with pytest.raises(ccxt.AuthenticationError):
        client(stage.gateway, stage.ca, "nobody", "x" * 64).fetch_balance()


def test_a_slow_clock_is_an_invalid_nonce(exchange: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange.load_markets()
    monkeypatch.setattr(exchange, "nonce", lambda: int(time.time() * 1000) - 3_600_000)
    with pytest.raises(ccxt.InvalidNonce):
        exchange.create_order(SYMBOL, "limit", "buy", 0.01, FAR_BELOW)


def test_a_missing_scope_is_permission_denied(exchange: Any) -> None:
    exchange.load_markets()
    # ccxt has authenticated by now; a -2015 would turn into DDoSProtection here.
    with pytest.raises(ccxt.PermissionDenied):
        exchange.withdraw("BTC", 1, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq")


def test_a_wrong_address_is_permission_denied(stage: Stage) -> None:
    elsewhere = client(stage.gateway, stage.ca, stage.elsewhere.key_id, stage.elsewhere.secret)
    with pytest.raises(ccxt.PermissionDenied):
        elsewhere.fetch_balance()


@pytest.mark.parametrize(
    ("amount", "price"),
    [
        (0.01, 9_000),  # below the band
        (0.01, 300_000),  # above it
        (9_001, 60_000),  # more than the largest quantity
        (100, 60_000),  # more than the largest notional
    ],
)
def test_a_fat_finger_is_an_invalid_order(exchange: Any, amount: float, price: float) -> None:
    with pytest.raises(ccxt.InvalidOrder):
        exchange.create_order(SYMBOL, "limit", "buy", amount, price)


def test_too_many_orders_is_rate_limit_exceeded(stage: Stage) -> None:
    hasty = client(stage.gateway, stage.ca, stage.burst.key_id, stage.burst.secret)
    hasty.enableRateLimit = False
    hasty.options["fetchCurrencies"] = False
    hasty.load_markets()
    with pytest.raises(ccxt.RateLimitExceeded):
        for _ in range(250):
            hasty.create_order(SYMBOL, "limit", "buy", 0.001, FAR_BELOW)


def test_a_revoked_key_is_refused_at_once(stage: Stage) -> None:
    config = str(stage.state / "ringfence.yaml")
    made = ringfence(
        "key",
        "create",
        "--hmac",
        "-c",
        config,
        "--account",
        "carol",
        "--scope",
        "read",
        "--allow",
        "127.0.0.0/8",
    )
    short_lived = binance_client(stage, Key(made["key_id"], made["secret"]))
    short_lived.get_account()
    revoked = ringfence("key", "revoke", "-c", config, made["key_id"], "--why", "test")
    assert revoked["effective_us"] < 1_000
    with pytest.raises(BinanceAPIException) as refusal:
        short_lived.get_account()
    assert refusal.value.code == -1002
