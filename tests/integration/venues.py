"""The venues whose clients trade through the gateway, and ccxt as their traders use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import ccxt

from demo.attack import Key
from demo.stage import Stage, key

__all__ = ["PUSHED", "USDM", "VENUES", "Place", "Venue", "client", "fetch_order", "rewritten"]


@dataclass(frozen=True)
class Venue:
    """One venue: its names here and in ccxt, and a market with a price that rests in its book."""

    name: str
    profile: str
    symbol: str
    off_tick: float
    resting: float = 50_000
    amount: float = 0.01


VENUES = {
    venue.name: venue
    for venue in (
        Venue("bybit", "bybit-spot", "BTC/USDT", 50_000.001),
        Venue("okx", "okx-spot", "BTC/USDT", 50_000.01),
        Venue("deribit", "deribit", "BTC/USDC", 50_000.5),
        Venue("kraken", "kraken-spot", "BTC/USDT", 50_000.01),
        Venue("kucoin", "kucoin-spot", "BTC/USDT", 50_000.01),
    )
}
"""ccxt calls them as we do."""

BINANCE = Venue("binance", "binance-spot", "BTC/USDT", 50_000.001)
SPOT = ("binance", "kucoin")
"""Those of which ccxt would load markets of contracts, too."""
PUSHED = {venue.name: venue for venue in (BINANCE, *VENUES.values())}
"""Those that push an account's orders, fills and balances on a channel."""


USDM = Venue("binance-usdm", "binance-usdm", "BTC/USDT:USDT", 50_000.01)


def rewritten(urls: Any, origin: str) -> Any:
    """Return ccxt's URLs with another scheme and host; what stands behind the host stays."""
    if isinstance(urls, dict):
        return {name: rewritten(url, origin) for name, url in urls.items()}
    if not isinstance(urls, str):
        return urls
    parts = urlsplit(urls.replace("{hostname}", "host"))
    return origin + parts.path + (f"?{parts.query}" if parts.query else "")


def client(stage: Stage, name: str, key: Key, library: Any = ccxt) -> Any:
    """Return a ccxt client of `name`. Only addresses, the CA and the credential are set."""
    made = getattr(library, name)(
        {
            "apiKey": key.key_id,
            "secret": key.secret,
            "password": "any",
            "validateServerSsl": str(stage.ca),
            "enableRateLimit": False,
        }
    )
    api = made.urls["api"]
    streams = api.pop("ws", None)
    made.urls["api"] = rewritten(api, stage.gateway)
    if name in SPOT:
        made.options |= {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}
    if streams is not None:
        made.urls["api"]["ws"] = rewritten(streams, stage.streams)
    return made


@dataclass(frozen=True)
class Place:
    """One venue's stage."""

    venue: Venue
    stage: Stage

    def client(self, scopes: tuple[str, ...] = ("read", "trade")) -> Any:
        """Return a client with a key of its own, so that no test uses up another's budget."""
        made = key(self.stage.state, "alice", list(scopes), "127.0.0.0/8")
        return client(self.stage, self.venue.name, made)

    def order(self, exchange: Any, **parameters: Any) -> Any:
        v = self.venue
        return exchange.create_order(v.symbol, "limit", "buy", v.amount, v.resting, parameters)


def fetch_order(exchange: Any, order_id: str, symbol: str) -> Any:
    # ccxt wants to hear that Bybit shows recent orders only.
    acknowledged = {"acknowledged": True} if exchange.id == "bybit" else {}
    return exchange.fetch_order(order_id, symbol, acknowledged)
