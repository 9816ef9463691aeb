"""What an unmodified ccxt sends to trade has a route in every dialect, and verifies there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import ccxt
import pytest

from ringfence.engine import Request, Secret, read_dialect, verify_request
from tests.conformance.captured import written

SECRET = "Z3d0ZXN0LXNlY3JldC0zMi1ieXRlcy1hYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ=="
VENUES = {
    "binanceusdm": "binance-usdm",
    "bitfinex": "bitfinex",
    "bitget": "bitget",
    "bybit": "bybit",
    "coinbaseexchange": "coinbase-exchange",
    "deribit": "deribit",
    "gate": "gate",
    "htx": "htx",
    "kraken": "kraken",
    "krakenfutures": "kraken-futures",
    "kucoin": "kucoin",
    "mexc": "mexc",
    "okx": "okx",
}
"""ccxt's name of a venue, and ours."""
CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "create": ("order.place", lambda e: e.create_order("BTC/USDT", "limit", "buy", 1, 30000)),
    "cancel": ("order.cancel", lambda e: e.cancel_order("12345", "BTC/USDT")),
    "open": ("order.query", lambda e: e.fetch_open_orders("BTC/USDT")),
    "balance": ("account.read", lambda e: e.fetch_balance()),
}
NOT_OFFERED = {
    ("bitfinex", "create"): "the sign of an amount is the side, which the guard cannot tell",
}
SYMBOLS = {
    "bitfinex": "tBTCUST",
    "coinbaseexchange": "BTC-USDT",
    "deribit": "BTC-PERPETUAL",
    "gate": "BTC_USDT",
    "htx": "btcusdt",
    "kraken": "XBTUSDT",
    "krakenfutures": "PF_XBTUSD",
    "kucoin": "BTC-USDT",
    "okx": "BTC-USDT",
}


OPTIONS: dict[str, dict[str, Any]] = {
    "bitget": {"uta": True},
    "bybit": {"enableUnifiedAccount": True, "enableUnifiedMargin": False},
    "gate": {"unifiedAccount": False},
    "kucoin": {"uta": False},
}
"""What ccxt would ask the venue first, by its name of the venue."""


class Sent(Exception):  # noqa: N818 - nothing failed
    """The request that was asked for has gone out."""


def client(name: str, sent: list[Request]) -> Any:
    """Return a ccxt client that hands its requests over and gets nothing back."""
    exchange = getattr(ccxt, name)(
        {"apiKey": "key", "secret": SECRET, "password": "phrase", "options": OPTIONS.get(name, {})}
    )
    swap = name in ("binanceusdm", "deribit", "krakenfutures")
    market = exchange.safe_market_structure(
        {
            "id": SYMBOLS.get(name, "BTCUSDT"),
            "symbol": "BTC/USDT",
            "base": "BTC",
            "quote": "USDT",
            "baseId": "BTC",
            "quoteId": "USDT",
            "settle": "USDT" if swap else None,
            "type": "swap" if swap else "spot",
            "spot": not swap,
            "swap": swap,
            "contract": swap,
            "linear": True if swap else None,
            "contractSize": 1 if swap else None,
            "precision": {"amount": 0.0001, "price": 0.01},
            "limits": {"amount": {}, "price": {}, "cost": {}},
            "info": {"orderTypes": ["LIMIT", "MARKET"]},
        }
    )
    exchange.set_markets([market], {"BTC": {"id": "BTC", "code": "BTC", "precision": 1e-8}})
    exchange.accounts = [{"id": "1", "type": "spot", "code": None, "info": {}}]

    def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        raw = body.encode() if isinstance(body, str) else body or b""
        pairs = [(key, str(value)) for key, value in (headers or {}).items()]
        sent.append(Request(method, target, pairs, raw))
        raise Sent

    exchange.fetch = fetch
    return exchange


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", VENUES)
def test_a_private_call_has_a_route_and_verifies(name: str, call: str) -> None:
    if (name, call) in NOT_OFFERED:
        pytest.skip(NOT_OFFERED[name, call])
    operation, ask = CALLS[call]
    sent: list[Request] = []
    with contextlib.suppress(Sent):
        ask(client(name, sent))
    assert sent
    request = sent[-1]
    seen = verify_request(written(VENUES[name]), request, Secret("hmac-sha256", SECRET.encode()))
    assert seen["verified"], seen
    read = read_dialect(
        written(VENUES[name]), request.method, request.target, request.headers, request.body
    )
    assert read["operation"] == operation, request
    if operation == "order.place":
        assert read["order"]["side"] == "BUY"
        assert float(read["order"]["quantity"]) == 1
        assert float(read["order"]["price"]) == 30000
