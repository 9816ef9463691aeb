"""Many threads at once: one signature is accepted once, and no budget is exceeded by one order."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from demo.attack import Key, order_text, post, signed
from demo.stage import ringfence, running
from ringfence.venue.server import PaperVenue, VenueConfig, read_attestation_key

WORKERS = 16
QUOTA = 100
TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""No certificates are needed: to read the system's takes each client longer than an order."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[str, Key]]:
    """Yield a gateway with two engine threads, and a key good for 100 orders a day."""
    venue = PaperVenue(VenueConfig())
    state = tmp_path / "state"
    ringfence(
        "init", "--profile", "binance-spot", "--plain", "--listen", "127.0.0.1:0",
        "--upstream", venue.url, str(state),
    )  # fmt: skip
    config = state / "ringfence.yaml"
    text = config.read_text().replace("threads: 1", "threads: 2")
    # Only the limit of a day, so that no window ends while the test runs.
    text = text.replace("quota: 100,", "quota: 100000,").replace(
        "quota: 200000,", f"quota: {QUOTA},"
    )
    config.write_text(text)
    made = ringfence(
        "key", "create", "--hmac", "-c", str(config), "--account", "alice", "--scope", "trade",
        "--allow", "127.0.0.0/8",
    )  # fmt: skip
    venue.trust(read_attestation_key(state / "keys" / "attestation.key"))
    venue.start()
    with running(tmp_path / "gateway.log", "serve", "-c", str(config)) as ready:
        yield f"http://{ready['addresses'][0]}", Key(made["key_id"], made["secret"])
    venue.stop()


def at_once(url: str, key: Key, bodies: Iterable[Callable[[], str]]) -> Counter[int]:
    """Post bodies from many connections, each made when it is sent: none may age meanwhile.

    Count the answers' codes; 0 is accepted.
    """

    def send(body: Callable[[], str]) -> int:
        with httpx.Client(base_url=url, trust_env=False, timeout=30, verify=TRUSTS_NOBODY) as http:
            answer = post(http, key, body())
            return 0 if answer.status_code == 200 else int(answer.json()["code"])

    with ThreadPoolExecutor(WORKERS) as pool:
        return Counter(pool.map(send, bodies))


def test_equal_orders_at_once_are_accepted_exactly_once(gateway: tuple[str, Key]) -> None:
    url, key = gateway
    for number in range(5):
        body = signed(f"newClientOrderId=race-{number}&{order_text()}", key.secret)
        assert at_once(url, key, [partial(str, body)] * 40) == {0: 1, -1021: 39}


def test_the_budget_is_spent_to_the_last_order_and_no_further(gateway: tuple[str, Key]) -> None:
    url, key = gateway

    def body(number: int) -> str:
        return signed(f"newClientOrderId=b-{number}&{order_text('0.001')}", key.secret)

    bodies = [partial(body, number) for number in range(140)]
    assert at_once(url, key, bodies) == {0: QUOTA, -1015: 40}
