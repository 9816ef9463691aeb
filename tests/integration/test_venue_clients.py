"""Unmodified ccxt trades in each venue's dialect, and raises what it would raise at the venue."""

from __future__ import annotations

import time
from typing import Any

import ccxt
import httpx
import pytest

from demo.attack import Key
from tests.integration.venues import VENUES, Place, client, fetch_order

DENIED = {"kucoin": ccxt.AuthenticationError}
"""What the venue's own code comes to in ccxt, where it is no denial there."""
WAITING = ("bybit", "deribit", "kucoin")
"""Those of which orders that wait for a price pass; ccxt's of the others have no route."""

pytestmark = pytest.mark.parametrize("place", VENUES, indirect=True, scope="module")


def test_ccxt_reads_the_market(place: Place) -> None:
    exchange, symbol = place.client(), place.venue.symbol
    assert symbol in exchange.load_markets()
    ticker = exchange.fetch_ticker(symbol)
    book = exchange.fetch_order_book(symbol, 20)
    assert ticker["bid"] < ticker["ask"]
    assert book["bids"][0][0] < book["asks"][0][0]
    assert len(exchange.fetch_ohlcv(symbol, "1h", limit=3)) >= 1
    assert exchange.fetch_tickers([symbol])[symbol]["last"] > 0
    assert abs(exchange.fetch_time() - time.time() * 1000) < 60_000


def test_ccxt_places_reads_and_cancels_a_limit_order(place: Place) -> None:
    exchange, symbol = place.client(), place.venue.symbol
    placed = place.order(exchange)
    seen = fetch_order(exchange, placed["id"], symbol)
    assert (seen["status"], seen["side"], seen["type"]) == ("open", "buy", "limit")
    assert (seen["amount"], seen["price"]) == (place.venue.amount, place.venue.resting)
    assert placed["id"] in {order["id"] for order in exchange.fetch_open_orders(symbol)}
    exchange.cancel_order(placed["id"], symbol)
    assert fetch_order(exchange, placed["id"], symbol)["status"] == "canceled"
    with pytest.raises((ccxt.OrderNotFound, ccxt.InvalidOrder)):
        exchange.cancel_order(placed["id"], symbol)


def test_ccxt_trades_at_the_market_and_sees_money_and_trades(place: Place) -> None:
    exchange, symbol, amount = place.client(), place.venue.symbol, place.venue.amount
    before = exchange.fetch_balance()["BTC"]["total"]
    bought = exchange.create_order(symbol, "market", "buy", amount)
    assert fetch_order(exchange, bought["id"], symbol)["status"] == "closed"
    assert exchange.fetch_balance()["BTC"]["total"] == pytest.approx(before + amount)
    sold = exchange.create_order(symbol, "market", "sell", amount)
    trades = [trade for trade in exchange.fetch_my_trades(symbol) if trade["order"] == sold["id"]]
    assert {trade["side"] for trade in trades} == {"sell"}
    assert sum(trade["amount"] for trade in trades) == pytest.approx(amount)


def test_an_order_that_waits_for_a_price_is_judged_by_it(place: Place) -> None:
    exchange, v = place.client(), place.venue

    def stop(price: float) -> str:
        with pytest.raises(ccxt.BaseError) as refused:
            exchange.create_order(
                v.symbol, "market", "sell", v.amount, None, {"stopLossPrice": price}
            )
        return str(refused.value)

    # The paper venue has none, and says so of what reaches it.
    far, near = stop(9_000_000), stop(40_000)
    assert ("outside the band" in far) == (v.name in WAITING)
    assert "outside the band" not in near
    assert exchange.fetch_open_orders(v.symbol) == []


def test_ccxt_edits_an_order_and_the_guard_judges_it(place: Place) -> None:
    exchange, v = place.client(), place.venue
    placed = place.order(exchange)

    def edit(amount: float, price: float) -> Any:
        return exchange.edit_order(placed["id"], v.symbol, "limit", "buy", amount, price)

    edit(v.amount * 2, v.resting - 1000)
    seen = fetch_order(exchange, placed["id"], v.symbol)
    assert (seen["amount"], seen["price"]) == (v.amount * 2, v.resting - 1000)
    with pytest.raises(ccxt.InvalidOrder):
        edit(v.amount, 1)  # far below the band
    assert fetch_order(exchange, placed["id"], v.symbol)["price"] == v.resting - 1000


def test_a_wrong_secret_is_an_authentication_error(place: Place) -> None:
    right = place.stage.trader
    forged = client(place.stage, place.venue.name, Key(right.key_id, "ab" * 32))
    with pytest.raises(ccxt.AuthenticationError) as refusal:
        forged.fetch_balance()
    assert not isinstance(refusal.value, ccxt.PermissionDenied)


def test_an_unknown_key_is_an_authentication_error(place: Place) -> None:
    with pytest.raises(ccxt.AuthenticationError):
        client(place.stage, place.venue.name, Key("nobody", "ab" * 32)).fetch_balance()


def test_a_slow_clock_is_an_invalid_nonce(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = place.client()
    exchange.load_markets()
    exchange.fetch_balance()
    slow = int(time.time() * 1000) - 3_600_000
    monkeypatch.setattr(exchange, "nonce", lambda: slow)
    monkeypatch.setattr(exchange, "milliseconds", lambda: slow)
    monkeypatch.setattr(exchange, "incrementing_nonce", lambda: slow, raising=False)
    # Deribit has one answer for everything that is wrong with a signature.
    wanted = ccxt.AuthenticationError if place.venue.name == "deribit" else ccxt.InvalidNonce
    with pytest.raises(wanted):
        place.order(exchange)


def test_a_missing_scope_is_permission_denied(place: Place) -> None:
    exchange = place.client(("read",))
    exchange.fetch_balance()
    with pytest.raises(DENIED.get(place.venue.name, ccxt.PermissionDenied)):
        place.order(exchange)


def test_a_wrong_address_is_permission_denied(place: Place) -> None:
    elsewhere = client(place.stage, place.venue.name, place.stage.elsewhere)
    with pytest.raises(DENIED.get(place.venue.name, ccxt.PermissionDenied)):
        elsewhere.fetch_balance()


def test_an_order_off_tick_or_too_large_is_an_invalid_order(place: Place) -> None:
    exchange, v = place.client(), place.venue
    exchange.load_markets()
    # A client whose own copy of the steps is old, so that it does not round.
    exchange.markets[v.symbol]["precision"] = {"price": 1e-8, "amount": 1e-8}
    with pytest.raises(ccxt.InvalidOrder):
        exchange.create_order(v.symbol, "limit", "buy", v.amount, v.off_tick)
    with pytest.raises(ccxt.InvalidOrder):
        exchange.create_order(v.symbol, "limit", "buy", v.amount, 300_000)
    with pytest.raises(ccxt.InvalidOrder):
        exchange.create_order(v.symbol, "limit", "buy", 40, v.resting)
    with pytest.raises(ccxt.InvalidOrder):
        exchange.create_order(v.symbol, "limit", "buy", 0.00000001, v.resting)


def test_a_burst_over_the_budget_is_a_rate_limit(place: Place) -> None:
    exchange = client(place.stage, place.venue.name, place.stage.burst)
    exchange.load_markets()
    # What the venue's own code comes to in ccxt.
    shapes = (ccxt.RateLimitExceeded, ccxt.DDoSProtection)
    with pytest.raises(shapes):
        # More than two windows take, wherever one begins.
        for _ in range(500):
            place.order(exchange)


def test_a_replay_places_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = place.client()
    exchange.load_markets()
    sent: list[dict[str, Any]] = []
    fetch = exchange.fetch

    def spy(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        sent.append({"url": url, "method": method, "headers": headers, "content": body})
        return fetch(url, method, headers, body)

    monkeypatch.setattr(exchange, "fetch", spy)
    place.order(exchange)
    count = len(exchange.fetch_open_orders(place.venue.symbol))
    order = next(one for one in sent if changes(one))
    with httpx.Client(verify=str(place.stage.ca)) as plain:
        again = plain.request(**order)
    # Bybit and Kraken refuse with 200: their clients read the body.
    refused = 200 if place.venue.name in ("bybit", "kraken") else 400
    assert again.status_code == refused, again.text
    with pytest.raises(ccxt.BaseError):
        exchange.handle_errors(
            again.status_code,
            "",
            order["url"],
            order["method"],
            {},
            again.text,
            again.json(),
            {},
            "",
        )
    assert len(exchange.fetch_open_orders(place.venue.symbol)) == count


def changes(sent: dict[str, Any]) -> bool:
    """Tell whether a request places an order, in any of the venues' words."""
    words = ("/order/create", "/batch-orders", "/private/buy", "/AddOrder", "/api/v1/hf/orders")
    return any(word in sent["url"] for word in words)
