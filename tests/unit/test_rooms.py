"""The rooms' borders hold: who depends on whom, who touches the network, the clock, Python."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CRATES = ROOT / "crates"

MAY_DEPEND_ON = {
    "ringfence-core": set(),
    "ringfence-wire": {"ringfence-core"},
    "ringfence-ledger": {"ringfence-core"},
    "ringfence-policy": {"ringfence-core"},
    "ringfence-gate": {
        "ringfence-core",
        "ringfence-wire",
        "ringfence-ledger",
        "ringfence-policy",
    },
    "ringfence-py": {
        "ringfence-core",
        "ringfence-wire",
        "ringfence-ledger",
        "ringfence-policy",
        "ringfence-gate",
    },
    "ringfence-load": set(),
}
"""What each crate may name among our own crates."""

ONLY_IN = {
    "tokio": {"ringfence-gate", "ringfence-load"},
    "hyper": {"ringfence-gate"},
    "socket2": {"ringfence-gate"},
    "pyo3": {"ringfence-py"},
    "cedar-policy": {"ringfence-policy"},
    "cedar-policy-core": {"ringfence-policy"},
    "rustls": {"ringfence-gate", "ringfence-load"},
}
"""Outside crates that only some rooms may name."""

IO = re.compile(
    r"\bstd::(fs|io|process|env|os|thread)\b|\b(Tcp|Udp|Unix)(Stream|Listener|Socket|Datagram)\b"
)
CLOCK = re.compile(r"\b(SystemTime|Instant)::now\b|clock_gettime")


@cache
def direct_dependencies() -> dict[str, set[str]]:
    """Return each workspace crate's direct, non-development dependencies, from cargo itself."""
    answer = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    return {
        package["name"]: {d["name"] for d in package["dependencies"] if d["kind"] != "dev"}
        for package in json.loads(answer)["packages"]
    }


@pytest.mark.parametrize("crate", sorted(MAY_DEPEND_ON))
def test_a_crate_names_only_the_rooms_below_it(crate: str) -> None:
    ours = {name for name in direct_dependencies()[crate] if name.startswith("ringfence-")}
    assert ours <= MAY_DEPEND_ON[crate]


def test_every_crate_has_a_place_in_the_map() -> None:
    assert set(direct_dependencies()) == set(MAY_DEPEND_ON)


@pytest.mark.parametrize("outside", sorted(ONLY_IN))
def test_an_outside_crate_stays_in_its_rooms(outside: str) -> None:
    users = {crate for crate, names in direct_dependencies().items() if outside in names}
    assert users <= ONLY_IN[outside]


@pytest.mark.parametrize("crate", ["ringfence-core", "ringfence-policy", "ringfence-wire"])
def test_a_pure_crate_reads_no_clock(crate: str) -> None:
    sources = (CRATES / crate / "src").rglob("*.rs")
    readers = [p.name for p in sources if p.stem != "tests" and CLOCK.search(p.read_text())]
    assert readers == []


@pytest.mark.parametrize("crate", ["ringfence-core", "ringfence-policy", "ringfence-wire"])
def test_a_pure_crate_does_no_io(crate: str) -> None:
    sources = (CRATES / crate / "src").rglob("*.rs")
    own = [p for p in sources if "tests" not in (p.stem, *p.relative_to(CRATES).parts)]
    assert [p.name for p in own if IO.search(p.read_text())] == []


def test_the_core_forbids_unsafe_code() -> None:
    assert "#![forbid(unsafe_code)]" in (CRATES / "ringfence-core/src/lib.rs").read_text()
