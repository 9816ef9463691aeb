"""A running stage for tests that act as clients do: venue, gateway, TLS, three credentials."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.stage import Stage, set_stage
from tests.integration.venues import VENUES, Place


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
