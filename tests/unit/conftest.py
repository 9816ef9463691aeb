"""Stores on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import postgres

Place = Path | str
"""Where a store is: a file, or a URL."""


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """Yield a PostgreSQL; skip what needs one where none can be had."""
    if (why := postgres.missing()) is not None:
        pytest.skip(why)
    with postgres.running() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a place of each kind with nothing in it."""
    if request.param == "postgresql":
        found: postgres.Server = request.getfixturevalue("server")
        return found.database()
    (tmp_path / "state.db").touch(mode=0o600)
    return tmp_path / "state.db"


@pytest.fixture
def shown() -> Callable[[BaseException], str]:
    """Return how an error looks with all that it was raised from."""
    import traceback

    return lambda error: "".join(traceback.format_exception(error))
