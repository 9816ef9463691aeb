"""Binance's own SDK trades through the gateway unmodified, and raises its own exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from binance_common.configuration import ConfigurationRestAPI
from binance_common.errors import BadRequestError
from binance_sdk_spot.spot import Spot

from demo.attack import Key
from demo.stage import Stage


@pytest.fixture(autouse=True)
def trusted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # How its users make it trust a CA.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stage.ca))
    yield


def sdk(stage: Stage, who: Key) -> Any:
    configuration = ConfigurationRestAPI(
        api_key=who.key_id, api_secret=who.secret, base_path=stage.gateway, retries=0
    )
    return Spot(config_rest_api=configuration).rest_api


LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
PRICED = LIMIT | {"quantity": 0.01, "price": 50_000.0}


def test_binance_sdk_spot_trades(stage: Stage) -> None:
    api = sdk(stage, stage.trader)
    placed = api.new_order(**PRICED).data()
    standing = api.get_open_orders(symbol="BTCUSDT").data()
    assert placed.order_id in {order.order_id for order in standing}
    gone = api.delete_order(symbol="BTCUSDT", order_id=placed.order_id).data()
    assert gone.status == "CANCELED"
    market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": 0.01}
    assert api.new_order(**market).data().status == "FILLED"


def test_binance_sdk_spot_raises_its_own_exceptions(stage: Stage) -> None:
    with pytest.raises(BadRequestError, match="Signature for this request is not valid"):
        sdk(stage, Key(stage.trader.key_id, "x" * 64)).get_account()
    with pytest.raises(BadRequestError, match="PRICE_FILTER"):
        sdk(stage, stage.trader).new_order(**PRICED | {"price": 50_000.001})
