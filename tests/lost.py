"""A store that nobody reaches for a while: its file is away, or its server takes nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

__all__ = ["lost"]


@contextmanager
def lost(place: Path | str) -> Iterator[None]:
    """Have nobody reach a store as long as the context lasts."""
    if isinstance(place, Path):
        away = place.with_suffix(".away")
        place.rename(away)
        try:
            yield
        finally:
            away.rename(place)
        return
    front, _, name = place.rpartition("/")
    with psycopg.connect(f"{front}/postgres", autocommit=True) as db:
        db.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        db.execute(ended, [name])
        try:
            yield
        finally:
            db.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
