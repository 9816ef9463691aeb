"""Signs that somebody else has a key: it comes from elsewhere, by another client, or is guessed at.

A key's first use teaches what is usual; what is new after that is a finding, once. A finding names
the entry that it was made from: who may see the address sees it there.
"""

from __future__ import annotations

import ipaddress
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ringfence.watch.places import Place, Places, distance_km
from ringfence.watch.seen import Seen

__all__ = ["Finding", "Rules", "Takeover"]

GUESSED_KEYS = 10_000
"""Keys whose wrong signatures are counted at once; the one that was quiet longest makes room."""
NETWORK_BITS = {4: 24, 6: 48}
US_PER_S, US_PER_H = 1_000_000, 3_600_000_000
NEW = {
    "address": "a key is used from an address that it was never used from",
    "network": "a key is used from a network that it was never used from",
    "client": "a key is used in a way that it was never used in",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """From when on something is a sign."""

    failed_signatures: int = 10
    window_s: int = 600
    speed_kmh: int = 1_000
    distance_km: int = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """A sign: the event's name without its room, and what is told beside key and entry."""

    sign: str
    what: str
    detail: dict[str, str | int]


class Takeover:
    """The detector. It remembers in `seen`, and asks `places` where there is a GeoIP file."""

    def __init__(self, rules: Rules, seen: Seen, places: Places | None = None) -> None:
        """Keep what is needed."""
        self._rules, self._seen, self._places = rules, seen, places
        self._guesses: OrderedDict[str, deque[int]] = OrderedDict()

    def look(self, entry: dict[str, Any], address: str | None) -> Iterator[Finding]:
        """Yield the signs in one decision; `address` is its client's, None where erased."""
        if claimed := entry.get("claimed"):
            yield from self._guessed(claimed, entry["time_us"])
        credential = entry.get("credential")
        if credential is None or address is None:
            return
        if (entry.get("refusal") or {}).get("code") == "address_not_allowed":
            said = "a right signature came from an address that its key is not bound to"
            if self._first(credential, "refused", address, entry):
                yield Finding("address_refused", said, {})
            return
        if entry["outcome"] != "permitted":
            return
        # Whoever is new has nothing that is usual.
        usual = self._seen.is_known(credential)
        if self._places is not None and (place := self._places.of(address)):
            yield from self._travelled(credential, place, entry)
        for kind, value in usage(entry, address):
            if self._first(credential, kind, value, entry) and usual:
                yield Finding(f"{kind}_new", NEW[kind], {})

    def forget(self, is_there: Callable[[str], bool]) -> None:
        """Forget addresses that were erased."""
        self._seen.forget(is_there)

    def _first(self, credential: str, kind: str, value: str, entry: dict[str, Any]) -> bool:
        # How a key is used tells of no address.
        source = "" if kind == "client" else entry["address"]
        return self._seen.note(credential, kind, value, entry["time_us"], source)

    def _guessed(self, claimed: str, time_us: int) -> Iterator[Finding]:
        times = self._guesses.setdefault(claimed, deque())
        self._guesses.move_to_end(claimed)
        if len(self._guesses) > GUESSED_KEYS:
            self._guesses.popitem(last=False)
        times.append(time_us)
        while times[0] < time_us - self._rules.window_s * US_PER_S:
            times.popleft()
        if len(times) >= self._rules.failed_signatures:
            detail: dict[str, str | int] = {"count": len(times), "window_s": self._rules.window_s}
            yield Finding("signatures_failed", "wrong signatures claim to be of a key", detail)
            # Told once for so many.
            times.clear()

    def _travelled(self, credential: str, place: Place, entry: dict[str, Any]) -> Iterator[Finding]:
        before = self._seen.last(credential, "place")
        shown = json.dumps([place.latitude, place.longitude, place.radius_km, place.country])
        self._first(credential, "place", shown, entry)
        if before is None or before[0] == shown:
            return
        then = Place(*json.loads(before[0]))
        far = distance_km(then, place)
        # Entries of several threads are not quite in the order of their times.
        hours = max(entry["time_us"] - before[1], US_PER_S) / US_PER_H
        if far >= self._rules.distance_km and far / hours > self._rules.speed_kmh:
            detail: dict[str, str | int] = {
                "from": then.country,
                "to": place.country,
                "distance_km": round(far),
                "minutes": round(hours * 60),
            }
            yield Finding("travel_impossible", "nobody travels that fast", detail)


def usage(entry: dict[str, Any], address: str) -> Iterator[tuple[str, str]]:
    """Yield what a permitted message shows of how its key is used."""
    read = ipaddress.ip_address(address)
    yield "address", str(read)
    bits = NETWORK_BITS[read.version]
    yield "network", str(ipaddress.ip_network((read, bits), strict=False))
    proof = entry.get("proof") or "dialect"
    yield "client", f"{entry['dialect']} {entry['transport']} {proof}"
