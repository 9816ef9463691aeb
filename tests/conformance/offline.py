"""Unmodified ccxt clients whose requests go nowhere: they are handed over."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import ccxt

from ringfence.engine import Request

__all__ = ["SECRET", "VENUES", "Sent", "client"]

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
PRECISION = {"bitfinex": {"amount": 8, "price": 5}}
"""In digits, where ccxt counts those."""
TYPES = [
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
]  # fmt: skip
"""Of orders, where ccxt looks whether a market has one."""
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
            "precision": PRECISION.get(name, {"amount": 0.0001, "price": 0.01}),
            "limits": {"amount": {}, "price": {}, "cost": {}},
            "info": {"orderTypes": TYPES},
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
