"""The shipped Binance dialect reads what ccxt and python-binance send, and what it must not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import ccxt
import pytest
from binance.client import Client

from ringfence.errors import EngineError
from tests.conformance.message import Sent, by_secret

KEY, SECRET = "k" * 64, "s" * 64


class NothingSentError(Exception):
    """What a recorder raises in place of sending."""


class Recorder:
    """A transport adapter for the clients' sessions that keeps the request and sends nothing."""

    def __init__(self) -> None:
        self.sent: Sent | None = None

    def send(self, request: Any, **_: Any) -> None:
        target = "/" + request.url.split("/", 3)[3]
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        self.sent = Sent(request.method, target, tuple(request.headers.items()), body)
        raise NothingSentError

    def close(self) -> None:
        """Nothing is open."""

    def record(self, call: Callable[[], object]) -> Sent:
        with pytest.raises(NothingSentError):
            call()
        assert self.sent is not None
        return self.sent


MARKET = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quotePrecision": 8,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
    "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False,
    "quoteOrderQtyMarketAllowed": True,
    "permissions": ["SPOT"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
    ],
}
PAIR = "BTC/USDT"
ADDRESS = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


def limit(exchange: Any, **parameters: Any) -> None:
    exchange.create_order(PAIR, "limit", "buy", 0.01, 30000, parameters)


CCXT: list[tuple[Callable[[Any], object], str, int, int]] = [
    (lambda x: limit(x), "order.place", 1, 1),
    (lambda x: x.create_order(PAIR, "market", "sell", 0.01), "order.place", 1, 1),
    (lambda x: limit(x, postOnly=True), "order.place", 1, 1),
    (lambda x: limit(x, stopPrice=29000), "order.place", 1, 1),
    (lambda x: limit(x, icebergAmount=0.001), "order.place", 1, 1),
    (lambda x: x.create_market_buy_order_with_cost(PAIR, 100), "order.place", 1, 1),
    (lambda x: limit(x, test=True), "order.test", 1, 0),
    (lambda x: x.edit_order("1", PAIR, "limit", "buy", 0.01, 30000), "order.amend", 1, 1),
    (lambda x: x.cancel_order("1", PAIR), "order.cancel", 1, 0),
    (lambda x: x.cancel_all_orders(PAIR), "order.cancel", 1, 0),
    (lambda x: x.fetch_order("1", PAIR), "order.query", 4, 0),
    (lambda x: x.fetch_orders(PAIR), "order.query", 20, 0),
    (lambda x: x.fetch_open_orders(PAIR), "order.query", 6, 0),
    (lambda x: x.fetch_open_orders(), "order.query", 80, 0),
    (lambda x: x.fetch_my_trades(PAIR), "order.query", 20, 0),
    (lambda x: x.fetch_order_trades("1", PAIR), "order.query", 5, 0),
    (lambda x: x.fetch_balance(), "account.read", 20, 0),
    (lambda x: x.fetch_currencies(), "account.read", 10, 0),
    (lambda x: x.fetch_trading_fees(), "account.read", 1, 0),
    (lambda x: x.fetch_deposit_address("BTC"), "account.read", 10, 0),
    (lambda x: x.sapi_get_margin_allpairs(), "account.read", 1, 0),
    (lambda x: x.sapi_get_margin_isolated_allpairs(), "account.read", 10, 0),
    (lambda x: x.sapi_get_account_status(), "account.read", 1, 0),
    (lambda x: x.sapi_get_account_apirestrictions(), "key.read", 1, 0),
    (lambda x: x.withdraw("BTC", 1, ADDRESS), "withdraw.create", 600, 0),
    (lambda x: x.fetch_withdrawals("BTC"), "withdraw.query", 18, 0),
    (lambda x: x.fetch_deposits("BTC"), "withdraw.query", 1, 0),
    (lambda x: x.transfer("BTC", 1, "spot", "future"), "transfer.create", 900, 0),
    (lambda x: x.fetch_time(), "market.read", 1, 0),
    (lambda x: x.fetch_status(), "market.read", 1, 0),
    (lambda x: x.public_get_exchangeinfo(), "market.read", 20, 0),
    (lambda x: x.fapipublic_get_exchangeinfo(), "market.read", 1, 0),
    (lambda x: x.dapipublic_get_exchangeinfo(), "market.read", 1, 0),
    (lambda x: x.fetch_order_book(PAIR), "market.read", 5, 0),
    (lambda x: x.fetch_order_book(PAIR, 500), "market.read", 25, 0),
    (lambda x: x.fetch_order_book(PAIR, 5000), "market.read", 250, 0),
    (lambda x: x.fetch_ticker(PAIR), "market.read", 2, 0),
    (lambda x: x.fetch_tickers(), "market.read", 80, 0),
    (lambda x: x.fetch_bids_asks(), "market.read", 4, 0),
    (lambda x: x.fetch_last_prices(), "market.read", 4, 0),
    (lambda x: x.fetch_trades(PAIR), "market.read", 4, 0),
    (lambda x: x.fetch_ohlcv(PAIR), "market.read", 2, 0),
]  # fmt: skip
"""What ccxt's unified methods come to: operation, weight, orders."""


@pytest.mark.parametrize(("call", "operation", "weight", "orders"), CCXT)
def test_what_ccxt_sends_is_read(
    call: Callable[[Any], object], operation: str, weight: int, orders: int
) -> None:
    recorder = Recorder()
    exchange = ccxt.binance({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False})
    exchange.options |= {
        "crossMarginPairsData": [],
        "isolatedMarginPairsData": [],
        "warnOnFetchOpenOrdersWithoutSymbol": False,
    }
    exchange.set_markets([exchange.parse_market(MARKET)])
    exchange.session.mount("https://", recorder)
    expect(recorder.record(lambda: call(exchange)), operation, weight, orders)


PRICED = {"symbol": "BTCUSDT", "quantity": "0.01", "price": "30000"}
MARKET_ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
REPLACED = MARKET_ORDER | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": "1"}

PYTHON_BINANCE: list[tuple[str, dict[str, str], str, int, int]] = [
    ("order_limit_buy", PRICED, "order.place", 1, 1),
    ("order_market_sell", {"symbol": "BTCUSDT", "quantity": "0.01"}, "order.place", 1, 1),
    ("order_market_buy", {"symbol": "BTCUSDT", "quoteOrderQty": "100"}, "order.place", 1, 1),
    ("create_test_order", MARKET_ORDER, "order.test", 1, 0),
    ("cancel_replace_order", REPLACED, "order.amend", 1, 1),
    ("cancel_order", {"symbol": "BTCUSDT", "orderId": "1"}, "order.cancel", 1, 0),
    ("cancel_all_open_orders", {"symbol": "BTCUSDT"}, "order.cancel", 1, 0),
    ("get_order", {"symbol": "BTCUSDT", "orderId": "1"}, "order.query", 4, 0),
    ("get_open_orders", {"symbol": "BTCUSDT"}, "order.query", 6, 0),
    ("get_all_orders", {"symbol": "BTCUSDT"}, "order.query", 20, 0),
    ("get_my_trades", {"symbol": "BTCUSDT"}, "order.query", 20, 0),
    ("get_current_order_count", {}, "order.query", 40, 0),
    ("get_account", {}, "account.read", 20, 0),
    ("get_all_coins_info", {}, "account.read", 10, 0),
    ("get_trade_fee", {}, "account.read", 1, 0),
    ("get_account_status", {}, "account.read", 1, 0),
    ("get_account_api_permissions", {}, "key.read", 1, 0),
    ("withdraw", {"coin": "BTC", "address": "bc1q", "amount": "1"}, "withdraw.create", 600, 0),
    ("ping", {}, "market.read", 1, 0),
    ("get_server_time", {}, "market.read", 1, 0),
    ("get_exchange_info", {}, "market.read", 20, 0),
    ("get_order_book", {"symbol": "BTCUSDT", "limit": "1000"}, "market.read", 50, 0),
    ("get_recent_trades", {"symbol": "BTCUSDT"}, "market.read", 25, 0),
    ("get_historical_trades", {"symbol": "BTCUSDT"}, "market.read", 25, 0),
    ("get_klines", {"symbol": "BTCUSDT", "interval": "1m"}, "market.read", 2, 0),
    ("get_avg_price", {"symbol": "BTCUSDT"}, "market.read", 2, 0),
    ("get_ticker", {"symbol": "BTCUSDT"}, "market.read", 2, 0),
    ("get_symbol_ticker", {"symbol": "BTCUSDT"}, "market.read", 2, 0),
    ("get_orderbook_ticker", {"symbol": "BTCUSDT"}, "market.read", 2, 0),
    ("get_system_status", {}, "market.read", 1, 0),
]  # fmt: skip


@pytest.mark.parametrize(("method", "arguments", "operation", "weight", "orders"), PYTHON_BINANCE)
def test_what_python_binance_sends_is_read(
    method: str, arguments: dict[str, str], operation: str, weight: int, orders: int
) -> None:
    recorder = Recorder()
    client = Client(KEY, SECRET, ping=False)
    client.session.mount("https://", recorder)
    sent = recorder.record(lambda: getattr(client, method)(**arguments))
    expect(sent, operation, weight, orders)


def expect(sent: Sent, operation: str, weight: int, orders: int) -> None:
    seen = sent.read()
    assert (seen["operation"], seen["weight"], seen["orders"]) == (operation, weight, orders), sent
    if operation == "market.read":
        assert seen["payload"] is None
    else:
        assert seen["key_id"] == KEY
        assert by_secret(SECRET)(seen), sent
    assert (seen["order"] is not None) == (
        operation in {"order.place", "order.test", "order.amend"}
    )


@pytest.mark.parametrize(
    ("items", "weight"), [(1, 2), (20, 2), (21, 40), (100, 40), (101, 80), (500, 80)]
)
def test_tickers_weigh_by_the_number_of_symbols(items: int, weight: int) -> None:
    symbols = json.dumps([f"S{n}" for n in range(items)], separators=(",", ":"))
    quoted = symbols.replace('"', "%22").replace("[", "%5B").replace("]", "%5D")
    sent = Sent("GET", f"/api/v3/ticker/24hr?symbols={quoted}", (), b"")
    assert sent.read()["weight"] == weight


@pytest.mark.parametrize(
    "target",
    [
        "/api/v3/order/oco", "/api/v3/orderList/oco", "/api/v3/sor/order", "/sapi/v1/margin/order",
        "/api/v3/order/amend/keepPriority", "/fapi/v1/order",
        "/api/v3/order/", "/api/v3//order", "/api/v1/order", "/API/v3/order",
    ],
)  # fmt: skip
def test_what_the_guard_cannot_judge_has_no_route(target: str) -> None:
    with pytest.raises(EngineError) as refusal:
        Sent("POST", target, (), b"").read()
    assert refusal.value.code == "route_unknown"


@pytest.mark.parametrize("parameter", ["pegPriceType", "pegOffsetValue", "trailingDelta", "price2"])
def test_an_order_has_no_parameter_that_the_guard_does_not_know(parameter: str) -> None:
    body = f"symbol=BTCUSDT&side=BUY&type=LIMIT&timestamp=1&signature=a&{parameter}=1"
    for method, path in [
        ("POST", "order"),
        ("POST", "order/test"),
        ("POST", "order/cancelReplace"),
    ]:
        with pytest.raises(EngineError) as refusal:
            Sent(method, f"/api/v3/{path}", (("x-mbx-apikey", KEY),), body.encode()).read()
        assert refusal.value.code == "form_parameter_unknown"
