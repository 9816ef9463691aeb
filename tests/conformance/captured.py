"""The captured requests and frames of all venues, and the dialects that read them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ringfence.config import shipped_dialects
from ringfence.engine import Request, Secret
from ringfence.identity.keypair import make_pair, read_public_key

SUITE = Path(__file__).parents[3] / "shared" / "suites" / "dialects" / "vectors.json"
ABSENT = "the suite's folder is absent"

DIALECTS = {
    "binance": "binance",
    "binance-ed25519": "binance",
    "binance-rsa": "binance",
    "bitfinex": "bitfinex",
    "bitget": "bitget",
    "bybit-v5": "bybit",
    "cb-exchange": "coinbase-exchange",
    "coinbase-ed25519": "coinbase",
    "coinbase-es256": "coinbase",
    "deribit": "deribit",
    "gate": "gate",
    "htx": "htx",
    "kraken": "kraken",
    "krakenfutures": "kraken-futures",
    "kucoin": "kucoin",
    "mexc-contract": "mexc-contract",
    "mexc-spot": "mexc",
    "okx-v5": "okx",
    "ws-binance": "binance",
    "ws-bitfinex": "bitfinex",
    "ws-bitget": "bitget",
    "ws-bybit": "bybit",
    "ws-gate-api": "gate",
    "ws-gate-sub": "gate",
    "ws-krakenfutures": "kraken-futures",
    "ws-mexc-contract": "mexc-contract",
    "ws-okx": "okx",
}
"""The suite's name of a dialect, and ours."""

NEEDS_CODE = {
    "bitmex": "the venue closed; its dialect was never written",
    "hyperliquid": "a wallet is no secret that another could be wrong beside: test_hyperliquid.py",
}
"""What this description cannot say, and why."""

SHORT = {"gate-docs": "the published secret has 6 bytes; keys of less than 16 are not taken"}


@dataclass(frozen=True)
class Captured:
    """One signed message and the key that verifies it."""

    name: str
    venue: str
    message: Request | str
    secret: Secret


@cache
def suite() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(SUITE.read_text())
    return loaded


@cache
def written(venue: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(shipped_dialects()[venue].read_text())
    return loaded


def parse(raw: str) -> Request:
    head, _, body = raw.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.splitlines()
    method, target, _ = first.split(" ")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return Request(method, target, headers, body.rstrip("\n").encode())


def secret(entry: dict[str, Any]) -> Secret:
    name = entry["dialect"].rpartition("-")[2]
    if name not in suite()["public_keys"]:
        return Secret("hmac-sha256", suite()["secrets"][entry["secret"]].encode())
    return Secret(*read_public_key(suite()["public_keys"][name].encode()))


def wrong(right: Secret) -> Secret:
    """Return another secret of the same kind, of the same length."""
    if right.algorithm == "hmac-sha256":
        return Secret(right.algorithm, base64.b64encode(b"wrong" * 12))
    if right.algorithm == "ecdsa-p256-sha256":
        return Secret(*read_public_key(make_pair(right.algorithm)[1]))
    raw = bytearray(right.material)
    raw[40 % len(raw)] ^= 1
    return Secret(right.algorithm, bytes(raw))


def signed(request: Request, venue: str) -> bool:
    """Tell whether the message carries a signature at all: market data does not."""
    signing = written(venue)["signing"]
    if "code" in signing:
        return any(name.lower() == "authorization" for name, _ in request.headers)
    place = signing["signature"]
    if isinstance(place, dict) and "header" in place:
        return any(name.lower() == place["header"].lower() for name, _ in request.headers)
    name = place if isinstance(place, str) else place["query"]
    return f"{name}=" in request.target or f"{name}=".encode() in request.body


def captured() -> list[Captured]:
    if not SUITE.exists():
        return []
    found = []
    for index, entry in enumerate(suite()["requests"]):
        venue = DIALECTS.get(entry["dialect"])
        if venue is None or entry["secret"] in SHORT:
            continue
        request = parse(entry["raw"])
        if request.target.startswith("/fapi/"):
            venue = "binance-usdm"
        if signed(request, venue):
            name = f"{index} {entry['client']} {entry['case']}"
            found.append(Captured(name, venue, request, secret(entry)))
    for index, entry in enumerate(suite()["ws"]):
        name = f"frame {index} {entry['client']} {entry['dialect']}"
        venue = DIALECTS[entry["dialect"]]
        found.append(Captured(name, venue, entry["frame"], secret(entry)))
    return found
