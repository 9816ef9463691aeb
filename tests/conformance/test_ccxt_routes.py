"""Each call of an unmodified ccxt has a route in every dialect, or a row that says why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ringfence.engine import Request, read_dialect
from ringfence.errors import EngineError
from tests.conformance.captured import written
from tests.conformance.offline import VENUES, Sent, client

S = "BTC/USDT"
ADDRESS = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


def order(side: str = "buy", price: float | None = 30_000, kind: str = "limit", **more: Any) -> Any:
    return lambda e: e.create_order(S, kind, side, 1, price, more)


CALLS: dict[str, Callable[[Any], Any]] = {
    "fetch_time": lambda e: e.fetch_time(),
    "fetch_status": lambda e: e.fetch_status(),
    "fetch_ticker": lambda e: e.fetch_ticker(S),
    "fetch_tickers": lambda e: e.fetch_tickers([S]),
    "fetch_order_book": lambda e: e.fetch_order_book(S),
    "fetch_trades": lambda e: e.fetch_trades(S),
    "fetch_ohlcv": lambda e: e.fetch_ohlcv(S, "1m"),
    "fetch_balance": lambda e: e.fetch_balance(),
    "fetch_positions": lambda e: e.fetch_positions([S]),
    "fetch_trading_fee": lambda e: e.fetch_trading_fee(S),
    "fetch_my_trades": lambda e: e.fetch_my_trades(S),
    "fetch_open_orders": lambda e: e.fetch_open_orders(S),
    "fetch_closed_orders": lambda e: e.fetch_closed_orders(S),
    "fetch_order": lambda e: e.fetch_order("12345", S, {"acknowledged": True}),
    "fetch_deposit_address": lambda e: e.fetch_deposit_address("BTC", {"network": "BTC"}),
    "fetch_deposits": lambda e: e.fetch_deposits("BTC"),
    "fetch_withdrawals": lambda e: e.fetch_withdrawals("BTC"),
    "limit": order(),
    "market buy": order(kind="market"),
    "market sell": order("sell", None, "market"),
    "post-only": order(postOnly=True),
    "IOC": order(timeInForce="IOC"),
    "FOK": order(timeInForce="FOK"),
    "stop, then limit": order(triggerPrice=31_000),
    "stop, then market": order("sell", None, "market", stopLossPrice=29_000),
    "edit_order": lambda e: e.edit_order("12345", S, "limit", "buy", 1, 30_000),
    "cancel_order": lambda e: e.cancel_order("12345", S),
    "cancel_orders": lambda e: e.cancel_orders(["12345", "6"], S),
    "cancel_all_orders": lambda e: e.cancel_all_orders(S),
    "withdraw": lambda e: e.withdraw("BTC", 1, ADDRESS, {"network": "BTC", "key": "main"}),
    "transfer": lambda e: e.transfer("BTC", 1, "spot", "swap"),
    "set_leverage": lambda e: e.set_leverage(3, S),
}
MARKETS = ("fetch_currencies", "fetch_markets")
"""What load_markets() asks."""

UNKNOWN, MORE, TYPE = "route_unknown", "form_parameter_unknown", "order_type_unknown"
LEVERAGE = (UNKNOWN, "leverage is the account's, which nobody has a scope for")
FUNDS = (UNKNOWN, "funds leave, and move between wallets, by the dialect of Binance spot alone")
QUOTE = (TYPE, "a market order that buys says how much it spends, where the guard reads a quantity")
WORD = (MORE, "a name of ccxt's own that is none at the venue, which would place the order at once")
ALGO = (UNKNOWN, "algo orders may have three triggers, each with a price of its own")
SPOT = (UNKNOWN, "contracts have a dialect of their own, or none here")
SIGN = (UNKNOWN, "the sign of an amount is the side, which the guard cannot tell")

REFUSED: dict[str, dict[str, tuple[str, str]]] = {
    "binanceusdm": {"withdraw": FUNDS, "transfer": FUNDS, "set_leverage": LEVERAGE},
    "bitfinex": {
        "limit": SIGN, "market buy": SIGN, "market sell": SIGN, "post-only": SIGN, "IOC": SIGN,
        "FOK": SIGN, "stop, then limit": SIGN, "stop, then market": SIGN, "edit_order": SIGN,
        "cancel_orders": (MORE, "its list of numbers has a name of its own; cancel one, or all"),
    },
    "bitget": {
        "market buy": QUOTE, "market sell": QUOTE, "stop, then limit": WORD,
        "stop, then market": (UNKNOWN, "strategy orders may have two triggers and prices"),
        "withdraw": FUNDS, "transfer": FUNDS, "set_leverage": LEVERAGE,
    },
    "bybit": {"withdraw": FUNDS, "transfer": FUNDS},
    "coinbaseexchange": {"stop, then market": WORD, "withdraw": FUNDS},
    "deribit": {"stop, then limit": WORD, "withdraw": FUNDS, "transfer": FUNDS},
    "gate": {
        "fetch_positions": SPOT, "market buy": QUOTE, "market sell": QUOTE,
        "stop, then limit": (UNKNOWN, "the order stands inside another name than its pair"),
        "stop, then market": (UNKNOWN, "the order stands inside another name than its pair"),
        "edit_order": (UNKNOWN, "what it changes stands twice, in query and body"),
        "withdraw": FUNDS, "transfer": FUNDS,
    },
    "htx": {
        "fetch_positions": SPOT, "market buy": QUOTE, "market sell": QUOTE,
        "stop, then market": WORD, "transfer": FUNDS,
    },
    "kraken": {
        "post-only": (MORE, "oflags may make the volume one of quote currency"),
        "stop, then limit": WORD,
        "stop, then market": (TYPE, "its price is what triggers it, and not what it costs"),
        "cancel_orders": (MORE, "in egress a nonce inside of JSON cannot be written anew"),
        "withdraw": FUNDS, "transfer": FUNDS,
    },
    "krakenfutures": {
        "cancel_orders": (UNKNOWN, "one list has orders, amendments and cancels together"),
        "set_leverage": LEVERAGE,
    },
    "kucoin": {"fetch_positions": SPOT, "withdraw": FUNDS, "transfer": FUNDS},
    "mexc": {
        "fetch_positions": SPOT, "stop, then limit": WORD, "stop, then market": WORD,
        "cancel_orders": SPOT, "withdraw": FUNDS, "transfer": FUNDS,
    },
    "okx": {
        "stop, then limit": ALGO, "stop, then market": ALGO,
        "withdraw": FUNDS, "transfer": FUNDS, "set_leverage": LEVERAGE,
    },
}  # fmt: skip
"""By ccxt's name of a venue: what is refused, by which code, and why."""

OTHER_MARKETS = {
    "gate": ("/api/v4/futures/", "/api/v4/delivery/", "/api/v4/options/"),
    "kucoin": ("/api/v1/contracts/",),
    "mexc": ("/api/v1/contract/",),
}
"""What ccxt asks of contracts, unless its option `fetchMarkets` wants spot alone."""

SILENT = {
    "bitfinex": "fetch_time, fetch_deposit_address, fetch_deposits, fetch_withdrawals, withdraw,"
    " transfer, set_leverage",
    "bitget": "fetch_status",
    "bybit": "set_leverage",
    "coinbaseexchange": "fetch_status, fetch_positions, fetch_deposit_address, fetch_deposits,"
    " fetch_withdrawals, cancel_orders, transfer, set_leverage",
    "deribit": "cancel_orders, set_leverage",
    "gate": "fetch_status, set_leverage",
    "htx": "withdraw, set_leverage",
    "kraken": "set_leverage",
    "krakenfutures": "fetch_time, fetch_status, fetch_deposit_address, fetch_deposits,"
    " fetch_withdrawals, withdraw, transfer",
    "kucoin": "cancel_orders, set_leverage",
    "mexc": "set_leverage",
    "okx": "cancel_all_orders",
}
"""Calls that send nothing: ccxt has none, or wants to be told more than it is here."""


def asked(name: str, ask: Callable[[Any], Any]) -> list[Request]:
    """Return what a call sends until it needs an answer."""
    sent: list[Request] = []
    try:
        ask(client(name, sent))
    except Sent:
        pass
    except Exception:
        assert not sent
    return sent


def refusal(name: str, request: Request) -> str | None:
    """Return the code by which a request is refused for its form, if it is."""
    dialect = written(VENUES[name])
    message = (request.method, request.target, request.headers, request.body)
    try:
        read = read_dialect(dialect, *message)
    except EngineError as refused:
        return refused.code
    kind = read["order"] and read["order"]["type"]
    return TYPE if kind and kind not in dialect["order_types"] else None


@pytest.mark.parametrize("name", VENUES)
def test_each_call_has_a_route_or_a_row(name: str) -> None:
    refused, silent = {}, []
    for call, ask in CALLS.items():
        sent = asked(name, ask)
        if not sent:
            silent.append(call)
        elif (code := refusal(name, sent[-1])) is not None:
            refused[call] = code
    assert refused == {call: code for call, (code, _) in REFUSED[name].items()}
    assert ", ".join(silent) == SILENT.get(name, "")


@pytest.mark.parametrize("name", VENUES)
def test_all_that_load_markets_asks_has_a_route(name: str) -> None:
    answers: tuple[Any, ...] = ({}, [])
    for answer in answers:
        sent: list[Request] = []
        exchange = client(name, sent)
        hand_over = exchange.fetch

        def fetch(*request: Any, over: Any = hand_over, empty: Any = answer, **more: Any) -> Any:
            with pytest.raises(Sent):
                over(*request, **more)
            return empty

        exchange.fetch = fetch
        for call in MARKETS:
            try:
                getattr(exchange, call)()
            except Exception as raised:
                # It got nothing, and may say so.
                assert sent, raised
        for request in sent:
            if not request.target.startswith(OTHER_MARKETS.get(name, ())):
                assert refusal(name, request) is None, request
