"""A running stage for tests that act as clients do: venue, gateway, TLS, three credentials."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.stage import Stage, set_stage
from tests.integration.desk import desk_stage
from tests.integration.venues import USDM, VENUES, Place


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield the demonstration's stage, built anew for each module."""
    with set_stage(tmp_path_factory.mktemp("stage") / "demo") as built:
        yield built


@pytest.fixture(scope="module")
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Yield a stage of the venue that the test is parametrized with."""
    venue = VENUES[request.param]
    folder = tmp_path_factory.mktemp(venue.name) / "stage"
    with set_stage(folder, venue.profile, venue.name) as built:
        yield Place(venue, built)


@pytest.fixture(scope="session", params=["ingress", "egress"])
def usdm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Yield a gateway before the futures' paper venue: the venue's own, then a firm's.

    Of BTCUSDT an order may close the position.
    """

    def settle(text: str, _: object) -> str:
        symbol = "    - symbol: BTCUSDT\n"
        assert symbol in text
        return text.replace(symbol, f"{symbol}      whole_position: true\n")

    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "egress":
        built = desk_stage(folder, USDM, settle)
    else:
        built = set_stage(folder / "stage", USDM.profile, USDM.name, settle)
    with built as stage:
        yield stage
