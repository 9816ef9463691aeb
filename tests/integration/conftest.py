"""A running stage for tests that act as clients do: venue, gateway, TLS, three credentials."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.stage import Stage, set_stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield the demonstration's stage, built anew for each module."""
    with set_stage(tmp_path_factory.mktemp("stage") / "demo") as built:
        yield built
