"""Where an address is, by a GeoIP file in MaxMind's format, and how fast somebody would have to be.

Source: maxmind.github.io/MaxMind-DB; the haversine formula for distances on a sphere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import maxminddb

from ringfence.errors import FileError

__all__ = ["Place", "Places", "distance_km"]

EARTH_KM = 6_371.0088
"""The mean radius (IUGG)."""


@dataclass(frozen=True, slots=True)
class Place:
    """A point on earth in degrees, and how far off it may be."""

    latitude: float
    longitude: float
    radius_km: float
    country: str


class Places:
    """A GeoIP file with cities or at least locations."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            FileError: it cannot be read, or is no such file.
        """
        try:
            self._reader = maxminddb.open_database(path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as e:
            hint = "a City database in MaxMind's format (.mmdb) is needed"
            raise FileError(f"the GeoIP file {path} cannot be read: {e}", hint=hint) from e

    def of(self, address: str) -> Place | None:
        """Return where an address is, None where the file does not know."""
        try:
            found = self._reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return None
        if not isinstance(found, Mapping):
            return None
        location, country = found.get("location"), found.get("country")
        if not isinstance(location, Mapping):
            return None
        north, east = location.get("latitude"), location.get("longitude")
        if not isinstance(north, float) or not isinstance(east, float):
            return None
        radius = location.get("accuracy_radius")
        code = country.get("iso_code") if isinstance(country, Mapping) else None
        return Place(
            north, east, float(radius) if isinstance(radius, int) else 0.0, str(code or "")
        )


def distance_km(one: Place, other: Place) -> float:
    """Return how far apart two places are at least: what either may be off is taken away."""
    north, south = math.radians(one.latitude), math.radians(other.latitude)
    east = math.radians(other.longitude - one.longitude)
    half = math.sin((south - north) / 2) ** 2
    half += math.cos(north) * math.cos(south) * math.sin(east / 2) ** 2
    straight = 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))
    return max(0.0, straight - one.radius_km - other.radius_km)
