"""Recovery codes are many enough to guess in vain, and read as people write them."""

from __future__ import annotations

import pytest

from ringfence.errors import FactorError
from ringfence.identity import MasterKey
from ringfence.identity.factor.recovery import fresh_codes, matching, recovery_digest

MASTER = MasterKey(bytes(32))


def test_ten_codes_are_all_different() -> None:
    assert len(set(fresh_codes() + fresh_codes())) == 20


def test_a_code_is_read_however_it_is_written() -> None:
    digest = recovery_digest(MASTER, "ann", "01234-56789-ABCDE-FGH11")
    assert digest == recovery_digest(MASTER, "ann", " o1234 56789 abcde fghIL ")


@pytest.mark.parametrize(
    "code", ["", "01234", "01234-56789-ABCDE-FGH1U", "01234-56789-ABCDE-FGH111"]
)
def test_what_is_no_code_is_told_apart_from_a_wrong_one(code: str) -> None:
    with pytest.raises(FactorError) as refusal:
        recovery_digest(MASTER, "ann", code)
    assert refusal.value.code == "recovery_unreadable"


def test_what_is_kept_fits_one_operator_and_one_master_key() -> None:
    code = fresh_codes()[0]
    digest = recovery_digest(MASTER, "ann", code)
    others = [
        recovery_digest(MASTER, "bob", code),
        recovery_digest(MasterKey(b"\1" * 32), "ann", code),
    ]
    assert digest not in others
    assert matching(digest, enumerate(others)) is None
    assert matching(digest, enumerate([*others, digest])) == 2
