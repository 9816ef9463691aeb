"""What an unmodified ccxt sends to trade has a route in every dialect, and verifies there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from ringfence.engine import Request, Secret, read_dialect, verify_request
from tests.conformance.captured import written
from tests.conformance.offline import SECRET, VENUES, Sent, client

CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "create": ("order.place", lambda e: e.create_order("BTC/USDT", "limit", "buy", 1, 30000)),
    "cancel": ("order.cancel", lambda e: e.cancel_order("12345", "BTC/USDT")),
    "open": ("order.query", lambda e: e.fetch_open_orders("BTC/USDT")),
    "balance": ("account.read", lambda e: e.fetch_balance()),
}
NOT_OFFERED = {
    ("bitfinex", "create"): "the sign of an amount is the side, which the guard cannot tell",
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", VENUES)
def test_a_private_call_has_a_route_and_verifies(name: str, call: str) -> None:
    if (name, call) in NOT_OFFERED:
        pytest.skip(NOT_OFFERED[name, call])
    operation, ask = CALLS[call]
    sent: list[Request] = []
    with contextlib.suppress(Sent):
        ask(client(name, sent))
    assert sent
    request = sent[-1]
    seen = verify_request(written(VENUES[name]), request, Secret("hmac-sha256", SECRET.encode()))
    assert seen["verified"], seen
    read = read_dialect(
        written(VENUES[name]), request.method, request.target, request.headers, request.body
    )
    assert read["operation"] == operation, request
    if operation == "order.place":
        assert read["order"]["side"] == "BUY"
        assert float(read["order"]["quantity"]) == 1
        assert float(read["order"]["price"]) == 30000
