"""Each invariant of ARCHITECTURE.md is proved by tests that are named, and are there."""

from __future__ import annotations

import re

import pytest

from tests.controls.listed import ROOT, Proof, invariants, missing

PROVED = invariants()
SAID = re.compile(r"^- \*\*Invariant:\*\* (.+)$", re.MULTILINE)
GATE = ROOT / "crates/ringfence-gate/src"


def test_every_invariant_is_listed_and_nothing_else() -> None:
    said = SAID.findall((ROOT / "ARCHITECTURE.md").read_text())
    assert len(said) > 10
    assert sorted(PROVED) == sorted(said)


@pytest.mark.parametrize("proofs", PROVED.values(), ids=PROVED.keys())
def test_an_invariant_s_tests_are_there(proofs: list[Proof]) -> None:
    assert proofs
    assert missing(proofs) == []


def test_a_permit_is_made_in_one_place_and_forwarding_takes_one() -> None:
    makers = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "crates").rglob("src/**/*.rs")
        if re.search(r"(?<!struct )(?<!impl )(?<!&)\bPermit \{", path.read_text())
    }
    assert makers == {"crates/ringfence-core/src/pipeline/passage.rs"}
    fields = re.search(
        r"pub struct Permit \{(.+?)\n\}", source("ringfence-core/src/pipeline.rs"), re.S
    )
    assert fields
    assert "pub" not in fields[1]
    # A connection to the venue is lent to what takes a permit, and to nothing else.
    lenders = [
        path.name for path in GATE.rglob("*.rs") if ".lend(permit.place())" in path.read_text()
    ]
    assert lenders == ["exchange.rs"]
    sends = re.search(r"async fn send\((.+?)\)", source("ringfence-gate/src/exchange.rs"), re.S)
    assert sends
    assert "permit: &Permit" in sends[1]


def source(path: str) -> str:
    return (ROOT / "crates" / path).read_text()
