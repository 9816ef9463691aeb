"""Signs of a stolen key, from entries as the ledger has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from ringfence.errors import FileError, StoreError
from ringfence.watch import Rules, Takeover
from ringfence.watch.places import Places, distance_km
from ringfence.watch.seen import MOST_PER_KEY, Seen

SECOND, HOUR = 1_000_000, 3_600_000_000
CITIES = {
    "192.0.2.0/24": (52.5, 13.4, "DE"),
    "198.51.100.0/24": (35.7, 139.7, "JP"),
    "203.0.113.0/24": (52.4, 13.1, "DE"),
}


def decision(time_us: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a permitted message of key-1."""
    usual = {
        "account": "alice",
        "address": "sha256:one",
        "credential": "key-1",
        "dialect": "binance",
        "kind": "decision",
        "outcome": "permitted",
        "time_us": time_us,
        "transport": "http/1.1",
    }
    return {name: value for name, value in (usual | fields).items() if value is not None}


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Seen]:
    memory = Seen(tmp_path / "watch.db")
    yield memory
    memory.close()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    writer = MMDBWriter(4, "GeoLite2-City")
    for network, (north, east, country) in CITIES.items():
        location = {"latitude": north, "longitude": east, "accuracy_radius": 20}
        content = {"location": location, "country": {"iso_code": country}}
        writer.insert_network(IPSet([network]), content)
    writer.to_db_file(str(tmp_path / "city.mmdb"))
    return Places(tmp_path / "city.mmdb")


def signs(takeover: Takeover, entry: dict[str, Any], address: str | None) -> list[str]:
    return [found.sign for found in takeover.look(entry, address)]


def test_a_first_use_is_usual_and_only_what_is_new_after_it_is_told_once(seen: Seen) -> None:
    takeover = Takeover(Rules(), seen)
    assert signs(takeover, decision(), "192.0.2.1") == []
    assert signs(takeover, decision(1), "192.0.2.1") == []
    assert signs(takeover, decision(2), "192.0.2.9") == ["address_new"]
    assert signs(takeover, decision(3), "192.0.2.9") == []
    assert signs(takeover, decision(4), "198.51.100.1") == ["address_new", "network_new"]
    assert signs(takeover, decision(5, transport="websocket"), "192.0.2.1") == ["client_new"]
    assert signs(takeover, decision(6, credential="key-2"), "203.0.113.9") == []


def test_a_network_of_ipv6_is_48_bits(seen: Seen) -> None:
    takeover = Takeover(Rules(), seen)
    assert signs(takeover, decision(), "2001:db8:1:1::1") == []
    assert signs(takeover, decision(), "2001:db8:1:ffff::1") == ["address_new"]
    assert signs(takeover, decision(), "2001:db8:2::1") == ["address_new", "network_new"]


def test_what_was_seen_is_known_after_a_restart(tmp_path: Path) -> None:
    for expected in (["address_new"], []):
        seen = Seen(tmp_path / "watch.db")
        takeover = Takeover(Rules(), seen)
        signs(takeover, decision(), "192.0.2.1")
        assert signs(takeover, decision(), "192.0.2.2") == expected
        seen.close()


def test_refused_messages_teach_nothing(seen: Seen) -> None:
    takeover = Takeover(Rules(), seen)
    refused = decision(outcome="refused", refusal={"code": "scope_missing"})
    assert signs(takeover, refused, "192.0.2.1") == []
    assert not seen.is_known("key-1")


def test_a_right_signature_from_an_address_that_is_not_allowed_is_told_once(seen: Seen) -> None:
    takeover = Takeover(Rules(), seen)
    refused = decision(outcome="refused", refusal={"code": "address_not_allowed"})
    assert signs(takeover, refused, "192.0.2.1") == ["address_refused"]
    assert signs(takeover, refused, "192.0.2.1") == []


def guess(time_us: int, claimed: str = "key-1") -> dict[str, Any]:
    refusal = {"code": "signature_invalid"}
    return decision(
        time_us, account=None, credential=None, claimed=claimed, outcome="refused", refusal=refusal
    )


def test_wrong_signatures_are_counted_for_each_key_in_a_window(seen: Seen) -> None:
    takeover = Takeover(Rules(failed_signatures=3, window_s=10), seen)
    assert signs(takeover, guess(0), "192.0.2.1") == []
    assert signs(takeover, guess(1 * SECOND, "key-2"), "192.0.2.1") == []
    assert signs(takeover, guess(2 * SECOND), "198.51.100.1") == []
    # The first is too old by now.
    assert signs(takeover, guess(11 * SECOND), "192.0.2.1") == []
    (found,) = takeover.look(guess(11 * SECOND + 1), "192.0.2.1")
    assert (found.sign, found.detail["count"]) == ("signatures_failed", 3)
    assert signs(takeover, guess(11 * SECOND + 2), "192.0.2.1") == []


def test_nobody_is_in_berlin_and_tokyo_within_an_hour(seen: Seen, places: Places) -> None:
    takeover = Takeover(Rules(), seen, places)
    assert signs(takeover, decision(), "192.0.2.1") == []
    # Potsdam is next door, and a day is enough for Tokyo.
    assert "travel_impossible" not in signs(takeover, decision(SECOND), "203.0.113.1")
    assert "travel_impossible" not in signs(takeover, decision(25 * HOUR), "198.51.100.1")
    found = next(
        one for one in takeover.look(decision(26 * HOUR), "192.0.2.1") if "travel" in one.sign
    )
    assert (found.detail["from"], found.detail["to"]) == ("JP", "DE")
    assert 8_800 < int(found.detail["distance_km"]) < 9_000
    assert found.detail["minutes"] == 60


def test_a_distance_takes_off_what_both_places_may_be_wrong_by(places: Places) -> None:
    berlin, tokyo = places.of("192.0.2.1"), places.of("198.51.100.1")
    assert berlin and tokyo
    assert distance_km(berlin, tokyo) == pytest.approx(8_922 - 40, abs=30)
    assert distance_km(berlin, berlin) == 0
    assert places.of("10.0.0.1") is None
    assert places.of("2001:db8::1") is None


def test_what_is_no_geoip_file_is_refused_by_name(tmp_path: Path) -> None:
    wrong = tmp_path / "city.mmdb"
    for content in (None, b"no such thing"):
        if content is not None:
            wrong.write_bytes(content)
        with pytest.raises(FileError, match=r"city\.mmdb"):
            Places(wrong)


def test_a_key_that_is_everywhere_takes_no_more_room(seen: Seen) -> None:
    for number in range(MOST_PER_KEY + 10):
        seen.note("key-1", "address", str(number), number, "sha256:one")
    assert not seen.note("key-1", "address", str(MOST_PER_KEY + 9), 1_000, "sha256:one")
    # The oldest made room.
    assert seen.note("key-1", "address", "0", 1_001, "sha256:one")


def test_an_erased_address_is_in_the_file_no_more(seen: Seen, tmp_path: Path) -> None:
    takeover = Takeover(Rules(), seen)
    signs(takeover, decision(), "192.0.2.1")
    signs(takeover, decision(address="sha256:two"), "203.0.113.7")
    assert b"203.0.113.7" in (tmp_path / "watch.db").read_bytes()
    takeover.forget(lambda source: source == "sha256:one")
    assert b"203.0.113.7" not in (tmp_path / "watch.db").read_bytes()
    assert signs(takeover, decision(), "192.0.2.1") == []


def test_a_file_that_is_something_else_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "watch.db"
    path.write_bytes(b"x" * 8192)
    with pytest.raises(StoreError, match=r"watch\.db"):
        Seen(path)
