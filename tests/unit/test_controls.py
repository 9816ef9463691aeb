"""Each listed control stands where its list says, and so do the tests that fail without it.

`make controls` takes them out one by one; that takes too long to be done each time.
"""

from __future__ import annotations

import pytest

from tests.controls.listed import ROOT, Control, Proof, controls, missing

LISTED = controls()


@pytest.mark.parametrize("control", LISTED, ids=lambda one: f"{one.room}: {one.name}")
def test_a_control_can_be_taken_out_and_has_a_test(control: Control) -> None:
    text = (ROOT / control.file).read_text()
    assert control.without(text) != text
    assert control.proofs
    assert missing(list(control.proofs)) == []


def test_no_control_is_listed_twice() -> None:
    named = [(one.room, one.name) for one in LISTED]
    assert len(set(named)) == len(named)
    assert len({(one.file, one.take, one.put) for one in LISTED}) == len(LISTED)


@pytest.mark.parametrize(
    ("place", "target", "called"),
    [
        ("tests/unit/test_x.py::test_y", (), "tests/unit/test_x.py::test_y"),
        ("crates/c/src/a/tests.rs::y", ("-p", "c", "--lib"), "a::tests::y"),
        ("crates/c/src/a/tests/b.rs::y", ("-p", "c", "--lib"), "a::tests::b::y"),
        ("crates/c/tests/t.rs::y", ("-p", "c", "--test", "t"), "y"),
    ],
)
def test_a_test_is_called_as_its_runner_calls_it(
    place: str, target: tuple[str, ...], called: str
) -> None:
    proof = Proof.at(place)
    assert (proof.target, proof.called, str(proof)) == (target, called, place)


def test_a_test_that_is_not_there_is_missing() -> None:
    own = "tests/unit/test_controls.py"
    there, gone = f"{own}::test_no_control_is_listed_twice", f"{own}::test_no_control_is_listed"
    nowhere = "crates/ringfence-core/tests/nothing.rs::y"
    assert missing([Proof.at(one) for one in (there, gone, nowhere)]) == [gone, nowhere]


def test_what_stands_twice_or_not_at_all_cannot_be_taken_out() -> None:
    control = Control("r", "n", "f", "a", "b", ())
    assert control.without("xay") == "xby"
    for text in ("", "aa"):
        with pytest.raises(ValueError, match="times in f"):
            control.without(text)
