"""Behind HAProxy each client is who it is: its address is allowed, banned and recorded."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.attack import Key, order_text, post, signed
from demo.stage import Stage, ringfence, set_stage
from ringfence.api import Client, NewKey
from tests.balancer import Balancer, balanced, missing


def behind(text: str, _state: Path) -> str:
    """Return a configuration whose listener is behind a balancer on this machine."""
    place = "    dialect: binance\n"
    assert text.count(place) == 1
    return text.replace(place, place + "    proxy_protocol: {from: [127.0.0.1/32]}\n")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if (why := missing()) is not None:
        pytest.skip(why)
    with set_stage(tmp_path_factory.mktemp("proxy") / "demo", settle=behind) as built:
        yield built


def config(stage: Stage) -> str:
    return str(stage.state / "ringfence.yaml")


@pytest.fixture(scope="module")
def balancer(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    to = stage.gateway.removeprefix("https://")
    with balanced(tmp_path_factory.mktemp("h"), to, "send-proxy-v2 check check-send-proxy") as run:
        yield run


def client(stage: Stage, port: int, source: str) -> httpx.Client:
    """Return a client that comes from `source` by a balancer."""
    tls = ssl.create_default_context(cafile=str(stage.ca))
    transport = httpx.HTTPTransport(verify=tls, local_address=source)
    return httpx.Client(base_url=f"https://127.0.0.1:{port}", transport=transport)


def order(stage: Stage, port: int, source: str, key: Key) -> int:
    with client(stage, port, source) as http:
        return post(http, key, signed(order_text(), key.secret)).status_code


def test_a_key_is_bound_to_the_client_s_address_and_not_to_the_balancer_s(
    stage: Stage, balancer: Balancer
) -> None:
    made = Client(stage.state / "admin.sock").create(NewKey("alice", ["trade"], ["127.0.0.9/32"]))
    key = Key(made["key_id"], made["secret"])
    assert order(stage, balancer.port, "127.0.0.9", key) == 200
    assert order(stage, balancer.port, "127.0.0.1", key) == 403


def test_a_ban_keeps_one_client_out_and_nobody_else_of_the_balancer(
    stage: Stage, balancer: Balancer
) -> None:
    ringfence("ban", "add", "127.0.0.2", "--for", "1h", "-c", config(stage))
    assert order(stage, balancer.port, "127.0.0.2", stage.trader) == 418
    assert order(stage, balancer.port, "127.0.0.3", stage.trader) == 200
    ringfence("ban", "lift", "127.0.0.2", "-c", config(stage))
    assert order(stage, balancer.port, "127.0.0.2", stage.trader) == 200


def test_the_balancer_finds_the_gateway_well(stage: Stage, balancer: Balancer) -> None:
    balancer.until("UP")
    refused = ringfence("status", "-c", config(stage))["proxy_refused"]["main"]
    assert refused.keys() <= {"hung_up"}


@pytest.mark.parametrize("how", ["", "send-proxy"], ids=["no-header", "version-1"])
def test_a_balancer_that_does_not_say_who_comes_is_not_served(
    stage: Stage, tmp_path: Path, how: str
) -> None:
    to = stage.gateway.removeprefix("https://")
    with balanced(tmp_path, to, how) as other, pytest.raises(httpx.TransportError):
        order(stage, other.port, "127.0.0.9", stage.trader)
    why = "version_1" if how else "missing"
    assert ringfence("status", "-c", config(stage))["proxy_refused"]["main"][why] > 0


def test_who_goes_round_the_balancer_is_not_served(stage: Stage) -> None:
    port = int(stage.gateway.rpartition(":")[2])
    with pytest.raises(httpx.TransportError):
        order(stage, port, "127.0.0.2", stage.trader)
