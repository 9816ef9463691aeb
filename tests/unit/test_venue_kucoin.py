"""The paper venue takes KuCoin's signatures, passphrases and tokens, and no others."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import ccxt
import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ringfence.venue.keys import VenueKey
from ringfence.venue.kucoin import token
from ringfence.venue.server import PaperVenue, VenueConfig
from tests.integration.venues import rewritten

SECRET, PHRASE = secrets.token_urlsafe(32), secrets.token_urlsafe(8)


@pytest.fixture(scope="module")
def venue() -> Iterator[PaperVenue]:
    keys = {"key-1": VenueKey("key-1", "firm", SECRET, PHRASE)}
    made = PaperVenue(VenueConfig(own_keys=keys, venue="kucoin"))
    made.start()
    yield made
    made.stop()


def client(venue: PaperVenue, **other: str) -> Any:
    """Return ccxt, whose signatures are others' code, straight at the venue."""
    right = {"apiKey": "key-1", "secret": SECRET, "password": PHRASE}
    made = ccxt.kucoin(right | {"options": {"uta": False}} | other)
    made.urls["api"] = rewritten(made.urls["api"], venue.url)
    return made


def test_ccxt_is_known_by_key_secret_and_passphrase(venue: PaperVenue) -> None:
    assert client(venue).private_get_accounts({"type": "trade"})["data"]
    for wrong, code in [("apiKey", "400003"), ("secret", "400004"), ("password", "400004")]:
        with pytest.raises(ccxt.AuthenticationError, match=code):
            client(venue, **{wrong: "x" * 32}).private_get_accounts()
    other = client(venue)
    # The passphrase as it is, and a signature over something else.
    other.sign = lambda path, *rest: signed(client(venue), other.plain, path, *rest)
    for plain, code in [
        ({"KC-API-PASSPHRASE": PHRASE}, "400004"),
        ({"KC-API-SIGN": "eA=="}, "400005"),
    ]:
        other.plain = plain
        with pytest.raises(ccxt.AuthenticationError, match=code):
            other.private_get_accounts()


def signed(exchange: Any, instead: dict[str, str], *arguments: Any) -> Any:
    made = exchange.sign(*arguments)
    return made | {"headers": made["headers"] | instead}


def hear(venue: PaperVenue, shown: str, *said: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the venue answers to who shows a token."""
    url = venue.url.replace("http", "ws", 1) + f"/endpoint?connectId=me&token={quote(shown)}"
    with connect(url) as opened:
        heard = [json.loads(opened.recv(timeout=5))]
        for one in said:
            opened.send(json.dumps(one))
            heard.append(json.loads(opened.recv(timeout=5)))
    return heard


def test_a_token_opens_what_it_was_handed_out_for(venue: PaperVenue) -> None:
    mine = client(venue).private_post_bullet_private()["data"]
    (server,) = mine["instanceServers"]
    assert server["endpoint"] == venue.url.replace("http", "ws", 1) + "/endpoint"
    balance = {"id": 1, "type": "subscribe", "topic": "/account/balance", "response": True}
    welcome = {"id": "me", "type": "welcome"}
    told = hear(venue, mine["token"], balance | {"privateChannel": True})
    assert told == [welcome, {"id": 1, "type": "ack"}]
    nobody_s = httpx.post(f"{venue.url}/api/v1/bullet-public").json()["data"]["token"]
    first, refused = hear(venue, nobody_s, balance | {"privateChannel": True})
    assert (first, refused["code"]) == (welcome, 403)
    for wrong in ("", "x", nobody_s[:-4] + "AAA=", mine["token"].replace(".", "")):
        (told_wrong,) = hear(venue, wrong)
        assert (told_wrong["type"], told_wrong["code"]) == ("error", 401)


def test_a_token_is_over_after_a_day(venue: PaperVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token, "LIFE_SECONDS", 0)
    assert token.holder(token.issue("firm")) is None
    (told,) = hear(venue, token.issue("firm"))
    assert told["code"] == 401
    with pytest.raises(ConnectionClosed):
        hear(venue, token.issue("firm"), {"id": 1, "type": "ping"})
