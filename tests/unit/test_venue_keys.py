"""A paper venue that holds its own keys takes what they signed, and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ringfence.config.certificate import private_pem
from ringfence.identity.keypair import public_pem
from ringfence.venue.keys import VenueKey, read_keys
from ringfence.venue.server import PaperVenue, VenueConfig

SECRET = secrets.token_urlsafe(48)
PAIR = Ed25519PrivateKey.generate()
PEM = public_pem("ed25519", PAIR.public_key().public_bytes_raw())


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaperVenue]:
    file = tmp_path_factory.mktemp("venue") / "keys.json"
    rows = [
        {"key_id": "hmac-1", "account": "firm", "secret": SECRET},
        {"key_id": "pair-1", "account": "firm", "public_key": PEM},
    ]
    file.write_text(json.dumps(rows))
    # The attestation key is given too: it must not count.
    made = PaperVenue(VenueConfig(key=bytes(32), own_keys=read_keys(file)))
    made.start()
    yield made
    made.stop()


def client(venue: PaperVenue, key_id: str, secret: str) -> Any:
    """Return ccxt, whose signatures are others' code, straight at the venue."""
    exchange = ccxt.binance({"apiKey": key_id, "secret": secret})
    for name, url in exchange.urls["api"].items():
        if isinstance(url, str) and url.startswith("https://"):
            exchange.urls["api"][name] = venue.url + "/" + url.split("/", 3)[3]
    return exchange


@pytest.mark.parametrize(
    ("key_id", "secret"),
    [("hmac-1", SECRET), ("pair-1", private_pem(PAIR).decode())],
    # A secret is no test's name.
    ids=["hmac", "pair"],
)
def test_ccxt_trades_with_a_key_of_the_venue(venue: PaperVenue, key_id: str, secret: str) -> None:
    order = client(venue, key_id, secret).create_order("BTC/USDT", "market", "buy", 0.01)
    assert order["status"] == "closed"


def ask(venue: PaperVenue, query: str, **headers: str) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(
        f"{venue.url}/api/v3/account?{query}", headers=headers
    ).json()
    return answer


def signed(text: str, secret: str = SECRET) -> str:
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{text}&signature={mac}"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        (lambda: signed(f"timestamp={now_ms()}"), {}, -2014),
        (lambda: signed(f"timestamp={now_ms()}"), {"X-MBX-APIKEY": "nobody"}, -2008),
        (lambda: f"timestamp={now_ms()}", {"X-MBX-APIKEY": "hmac-1"}, -1102),
        (lambda: signed(f"timestamp={now_ms()}", "x" * 64), {"X-MBX-APIKEY": "hmac-1"}, -1022),
        (lambda: signed(f"timestamp={now_ms()}"), {"X-MBX-APIKEY": "pair-1"}, -1022),
        (lambda: signed(f"a=1&timestamp={now_ms()}") + "&b=2", {"X-MBX-APIKEY": "hmac-1"}, -1022),
        (lambda: signed(f"timestamp={now_ms() - 5_500}"), {"X-MBX-APIKEY": "hmac-1"}, -1021),
        (lambda: signed(f"timestamp={now_ms() + 1_500}"), {"X-MBX-APIKEY": "hmac-1"}, -1021),
    ],
)
def test_what_no_key_of_the_venue_signed_is_refused(
    venue: PaperVenue, query: Any, headers: dict[str, str], code: int
) -> None:
    assert ask(venue, query(), **headers)["code"] == code


def test_an_attestation_alone_is_refused(venue: PaperVenue) -> None:
    headers = {"X-Ringfence-Attestation": "a.b.c"}
    assert ask(venue, f"timestamp={now_ms()}", **headers)["code"] == -2014


def test_a_key_shows_no_secret() -> None:
    assert SECRET not in repr(VenueKey("hmac-1", "firm", SECRET))


def test_a_file_that_is_no_list_of_keys_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text('[{"key_id": "a"}]')
    with pytest.raises(ValueError, match="key_id and account"):
        read_keys(file)
