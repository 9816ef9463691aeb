"""The venues' own SDKs trade through the gateway unmodified, and raise their own exceptions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kraken.exceptions import (
    KrakenInvalidAPIKeyError,
    KrakenInvalidNonceError,
    KrakenInvalidPriceError,
    KrakenPermissionDeniedError,
)
from kraken.spot import Market, Trade, User
from okx.Account import AccountAPI
from okx.Trade import TradeAPI
from pybit import _helpers
from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit.unified_trading import HTTP

from demo.attack import Key
from demo.stage import Stage, key, set_stage
from tests.integration.venues import VENUES


@contextmanager
def staged(name: str, factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_stage(factory.mktemp(name) / "stage", VENUES[name].profile, name) as stage:
        yield stage


@pytest.fixture(scope="module")
def bybit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged("bybit", tmp_path_factory) as stage:
        yield stage


@pytest.fixture(scope="module")
def kraken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged("kraken", tmp_path_factory) as stage, pytest.MonkeyPatch.context() as patch:
        # How its users make it trust a CA.
        patch.setenv("REQUESTS_CA_BUNDLE", str(stage.ca))
        yield stage


@pytest.fixture(scope="module")
def okx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged("okx", tmp_path_factory) as stage, pytest.MonkeyPatch.context() as patch:
        # How its users make it trust a CA.
        patch.setenv("SSL_CERT_FILE", str(stage.ca))
        yield stage


def fresh(stage: Stage, *scopes: str) -> Key:
    return key(stage.state, "alice", list(scopes or ("read", "trade")), "127.0.0.0/8")


def pybit(stage: Stage, who: Key) -> HTTP:
    """Return pybit as a trader uses it: only the address and the CA are set."""
    made = HTTP(api_key=who.key_id, api_secret=who.secret, retry_delay=0.1)
    made.endpoint = stage.gateway
    made.client.verify = str(stage.ca)
    return made


ORDER = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
LIMIT = ORDER | {"qty": "0.01", "price": "50000"}


def test_pybit_trades(bybit: Stage) -> None:
    session = pybit(bybit, fresh(bybit))
    assert session.get_instruments_info(category="spot")["result"]["list"]
    placed = session.place_order(**LIMIT)["result"]["orderId"]
    standing = session.get_open_orders(category="spot", symbol="BTCUSDT")["result"]["list"]
    assert placed in {order["orderId"] for order in standing}
    session.amend_order(
        category="spot", symbol="BTCUSDT", orderId=placed, qty="0.02", price="49000"
    )
    session.cancel_order(category="spot", symbol="BTCUSDT", orderId=placed)
    # A market buy counts what it may spend, unless it says otherwise.
    market = ORDER | {"orderType": "Market", "qty": "100"}
    bought = session.place_order(**market)["result"]["orderId"]
    done = session.get_order_history(category="spot", orderId=bought)["result"]["list"][0]
    assert done["orderStatus"] == "Filled"
    assert 99 < float(done["cumExecValue"]) <= 100
    wallet = session.get_wallet_balance(accountType="UNIFIED", coin="BTC")
    assert float(wallet["result"]["list"][0]["coin"][0]["walletBalance"]) > 10


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price": "50000.001"}, 170134),
        ({"price": "300000"}, 170132),
        ({"qty": "0.0000001"}, 170136),
        ({"qty": "40"}, 170124),
        ({"symbol": "XYZUSDT"}, 170121),
        ({"category": "linear", "orderType": "Market"}, 10001),
    ],
)
def test_pybit_tells_what_is_wrong_with_an_order(
    bybit: Stage, change: dict[str, str], code: int
) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        pybit(bybit, bybit.trader).place_order(**LIMIT | change)
    assert refusal.value.status_code == code


def test_pybit_tells_a_wrong_secret_a_missing_scope_and_an_unknown_key(bybit: Stage) -> None:
    for who, code in [
        (Key(bybit.trader.key_id, "x" * 64), 10004),
        (fresh(bybit, "read"), 10005),
        (Key("nobody", "x" * 64), 10003),
        (bybit.elsewhere, 10010),
    ]:
        with pytest.raises(InvalidRequestError) as refusal:
            pybit(bybit, who).place_order(**LIMIT)
        assert refusal.value.status_code == code


def test_pybit_with_a_slow_clock_tries_three_times_and_gives_up(
    bybit: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def slow() -> int:
        asked.append(1)
        return int(time.time() * 1000) - 3_600_000

    monkeypatch.setattr(_helpers, "generate_timestamp", slow)
    with pytest.raises(FailedRequestError):
        pybit(bybit, bybit.trader).place_order(**LIMIT)
    assert len(asked) == 3


def test_pybit_does_not_try_a_replay_again(bybit: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    session = pybit(bybit, fresh(bybit))
    now = int(time.time() * 1000)
    asked: list[int] = []

    def frozen() -> int:
        asked.append(1)
        return now

    monkeypatch.setattr(_helpers, "generate_timestamp", frozen)
    session.place_order(**LIMIT)
    with pytest.raises(InvalidRequestError) as refusal:
        session.place_order(**LIMIT)
    assert refusal.value.status_code == 10014
    assert len(asked) == 2


def test_pybit_waits_out_a_burst_and_goes_on(bybit: Stage) -> None:
    session = pybit(bybit, fresh(bybit))
    # Three times twenty orders in windows of a second: none is lost, and none is sent twice.
    placed = [session.place_order(**LIMIT)["result"]["orderId"] for _ in range(45)]
    assert len(set(placed)) == 45


def trade(stage: Stage, who: Key) -> Any:
    return Trade(key=who.key_id, secret=who.secret, url=stage.gateway)


KRAKEN_LIMIT = {
    "ordertype": "limit",
    "side": "buy",
    "pair": "XBTUSDT",
    "volume": "0.01",
    "price": "50000",
}


def test_python_kraken_sdk_trades(kraken: Stage) -> None:
    who = fresh(kraken)
    pairs = Market(url=kraken.gateway).get_asset_pairs()
    assert "XBTUSDT" in pairs
    trading = trade(kraken, who)
    placed = trading.create_order(**KRAKEN_LIMIT)["txid"][0]
    user = User(key=who.key_id, secret=who.secret, url=kraken.gateway)
    assert placed in user.get_open_orders()["open"]
    assert trading.cancel_order(txid=placed)["count"] == 1
    bought = trading.create_order("market", "buy", "XBTUSDT", "0.01")["txid"][0]
    assert user.get_orders_info(txid=bought)[bought]["status"] == "closed"
    assert float(user.get_account_balance()["XXBT"]) > 10


def test_python_kraken_sdk_raises_its_own_exceptions(
    kraken: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def order(who: Key, **change: str) -> Callable[[], Any]:
        return lambda: trade(kraken, who).create_order(**KRAKEN_LIMIT | change)

    for wanted, ask in [
        (KrakenInvalidAPIKeyError, order(Key(kraken.trader.key_id, "ab" * 32))),
        (KrakenPermissionDeniedError, order(fresh(kraken, "read"))),
        (KrakenInvalidPriceError, order(kraken.trader, price="50000.01")),
    ]:
        with pytest.raises(wanted):
            ask()
    slow = trade(kraken, kraken.trader)
    monkeypatch.setattr(slow, "get_nonce", lambda: str(int((time.time() - 3600) * 1e8)))
    with pytest.raises(KrakenInvalidNonceError):
        slow.create_order(**KRAKEN_LIMIT)


def okx_trade(stage: Stage, who: Key) -> Any:
    return TradeAPI(who.key_id, who.secret, "any", flag="0", domain=stage.gateway)


OKX_LIMIT: dict[str, Any] = {
    "instId": "BTC-USDT",
    "tdMode": "cash",
    "side": "buy",
    "ordType": "limit",
    "sz": "0.01",
    "px": "50000",
}


def test_python_okx_trades(okx: Stage) -> None:
    who = fresh(okx)
    trading = okx_trade(okx, who)
    placed = trading.place_order(**OKX_LIMIT)["data"][0]
    assert placed["sCode"] == "0"
    standing = trading.get_order_list(instType="SPOT")["data"]
    assert placed["ordId"] in {order["ordId"] for order in standing}
    assert trading.cancel_order("BTC-USDT", placed["ordId"])["code"] == "0"
    market = OKX_LIMIT | {"ordType": "market", "px": "", "sz": "100"}
    bought = trading.place_order(**market)["data"][0]["ordId"]
    assert trading.get_order("BTC-USDT", bought)["data"][0]["state"] == "filled"
    account = AccountAPI(who.key_id, who.secret, "any", flag="0", domain=okx.gateway)
    held = {row["ccy"]: row for row in account.get_account_balance()["data"][0]["details"]}
    assert float(held["BTC"]["cashBal"]) > 10


def test_python_okx_is_told_the_venue_s_own_codes(okx: Stage) -> None:
    cases: list[tuple[Key, dict[str, Any], str]] = [
        (Key(okx.trader.key_id, "x" * 64), {}, "50113"),
        (fresh(okx, "read"), {}, "50110"),
        (okx.trader, {"px": "50000.01"}, "51006"),
        (okx.trader, {"sz": "40"}, "51201"),
        (okx.trader, {"pxUsd": "1", "px": ""}, "51000"),
        (okx.trader, {"attachAlgoOrds": [{"slOrdPx": "1", "slTriggerPx": "1"}]}, "51000"),
    ]
    for who, change, code in cases:
        assert okx_trade(okx, who).place_order(**OKX_LIMIT | change)["code"] == code, change
