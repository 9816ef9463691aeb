"""Nine attacks on the gateway. Each must be refused, and with the code that its cause calls for."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ccxt
import httpx

from demo.line import Line, Outcome, attempt
from demo.trade import SYMBOL

__all__ = ["Key", "Target", "attack"]

HOUR_MS = 3_600_000
BURST = 250
"""Orders sent at once: far more than one of the profile's windows holds (100 in 10 s)."""
WINDOW_S = 10
BURST_S = 3
"""How long sending them may take."""


@dataclass(frozen=True, slots=True)
class Key:
    """A credential as its owner holds it."""

    key_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where the gateway is, and the credentials that the attacker has got hold of."""

    url: str
    ca: Path
    trader: Key
    burst: Key
    elsewhere: Key
    """Bound to another address than ours."""
    exchange: Any
    """The trader's own ccxt client."""


def order_text(quantity: str = "0.01", time_ms: int | None = None) -> str:
    """Return the parameters of a small limit order, unsigned."""
    now_ms = int(time.time() * 1000) if time_ms is None else time_ms
    return (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
        f"&quantity={quantity}&price=50000&recvWindow=5000&timestamp={now_ms}"
    )


def signature(text: str, secret: str) -> str:
    """Return Binance's HMAC signature of `text`."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def signed(text: str, secret: str) -> str:
    """Return `text` with its Binance HMAC signature."""
    return f"{text}&signature={signature(text, secret)}"


def post(http: httpx.Client, key: Key, body: str) -> httpx.Response:
    """Send an order as a form."""
    headers = {"X-MBX-APIKEY": key.key_id, "Content-Type": "application/x-www-form-urlencoded"}
    return http.post("/api/v3/order", content=body, headers=headers)


def refused(response: httpx.Response, code: int) -> Outcome:
    """Say what the gateway answered; right only if it is the refusal `code`."""
    answer = response.json()
    said = f"{response.status_code} {answer.get('code')} {answer.get('msg')}"
    return Outcome(said, response.status_code >= 400 and answer.get("code") == code)


def attack(target: Target) -> list[Line]:
    """Run all attacks and return a line for each."""
    tls = ssl.create_default_context(cafile=str(target.ca))
    with httpx.Client(base_url=target.url, verify=tls, trust_env=False) as http:
        return [attempt(title, partial(act, target, http)) for title, act in ATTACKS]


def forged_signature(target: Target, http: httpx.Client) -> Outcome:
    return refused(post(http, target.trader, signed(order_text(), "not-the-secret")), -1022)


def changed_body(target: Target, http: httpx.Client) -> Outcome:
    body = signed(order_text(), target.trader.secret).replace("quantity=0.01", "quantity=9.99")
    return refused(post(http, target.trader, body), -1022)


def replay(target: Target, http: httpx.Client) -> Outcome:
    body = signed(order_text(), target.trader.secret)
    first = post(http, target.trader, body)
    if first.status_code != 200:
        return Outcome(f"the original was not accepted: {first.text}", right=False)
    return refused(post(http, target.trader, body), -1021)


def stale_time(target: Target, http: httpx.Client) -> Outcome:
    hour_ago_ms = int(time.time() * 1000) - HOUR_MS
    body = signed(order_text(time_ms=hour_ago_ms), target.trader.secret)
    return refused(post(http, target.trader, body), -1021)


def wrong_address(target: Target, http: httpx.Client) -> Outcome:
    return refused(
        post(http, target.elsewhere, signed(order_text(), target.elsewhere.secret)), -1002
    )


def missing_scope(target: Target, http: httpx.Client) -> Outcome:
    try:
        target.exchange.withdraw("BTC", 1, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq")
    except ccxt.PermissionDenied as error:
        return Outcome(f"ccxt raises PermissionDenied: {json_message(error)}", right=True)
    return Outcome("the withdrawal went through", right=False)


def fat_finger(target: Target, http: httpx.Client) -> Outcome:
    try:
        target.exchange.create_order(SYMBOL, "limit", "buy", 1000, 60_000)
    except ccxt.InvalidOrder as error:
        return Outcome(f"ccxt raises InvalidOrder: {json_message(error)}", right=True)
    return Outcome("an order for sixty million went through", right=False)


def burst(target: Target, http: httpx.Client) -> Outcome:
    # All in one window: those that go over in two may be too few in each to climb the ladder.
    left_s = WINDOW_S - time.time() % WINDOW_S
    if left_s < BURST_S:
        time.sleep(left_s)
    answers = []
    for n in range(BURST):
        text = f"newClientOrderId=burst-{n}&{order_text()}"
        answers.append(post(http, target.burst, signed(text, target.burst.secret)))
    passed = sum(answer.status_code == 200 for answer in answers)
    codes = [answer.json().get("code") for answer in answers if answer.status_code != 200]
    wait = answers[-1].headers.get("Retry-After")
    said = f"{passed} of {BURST} orders passed, then -1015; who goes on: -1003, Retry-After: {wait}"
    # The budget's own refusals first; then the key has climbed the ladder, and stays there.
    expected = [-1015] * codes.count(-1015) + [-1003] * codes.count(-1003)
    right = len(set(codes)) == 2 and codes == expected and 0 < passed == BURST - len(codes)
    return Outcome(said, right=right)


def smuggled_request(target: Target, http: httpx.Client) -> Outcome:
    """An encoding that some servers take for chunked: for those, the body is a second request."""
    hidden = b"DELETE /api/v3/openOrders HTTP/1.1\r\nHost: x\r\n\r\n"
    raw = (
        b"POST /api/v3/order HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n"
        b"Content-Length: %d\r\n\r\n0\r\n\r\n%s" % (len(hidden) + 5, hidden)
    )
    address = urlsplit(target.url)
    tls = ssl.create_default_context(cafile=str(target.ca))
    with (
        socket.create_connection((address.hostname, address.port), timeout=5) as plain,
        tls.wrap_socket(plain, server_hostname=address.hostname) as wrapped,
    ):
        wrapped.sendall(raw)
        answer = b"".join(iter(lambda: wrapped.recv(65536), b""))
    answers = answer.count(b"HTTP/1.1 ")
    status = answer.split(b"\r\n", 1)[0].decode("ascii", "replace")
    return Outcome(
        f"{status}; {answers} answer, connection closed", answers == 1 and b" 400 " in answer[:16]
    )


def json_message(error: Exception) -> str:
    """Return the `msg` inside a ccxt error."""
    text = str(error)
    return str(json.loads(text[text.index("{") :])["msg"]) if "{" in text else text


ATTACKS: list[tuple[str, Callable[[Target, httpx.Client], Outcome]]] = [
    ("forged signature", forged_signature),
    ("changed body", changed_body),
    ("replay", replay),
    ("stale time", stale_time),
    ("wrong address", wrong_address),
    ("missing scope (withdraw)", missing_scope),
    ("fat-finger order", fat_finger),
    ("burst over the budget", burst),
    ("smuggled request", smuggled_request),
]
