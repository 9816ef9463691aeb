"""A one-time code is taken within its time and no second time; guesses soon cost hours."""

from __future__ import annotations

import pyotp
import pytest

from ringfence.errors import FactorError
from ringfence.identity import MasterKey
from ringfence.identity.factor.throttle import FREE, LOCKS_S, check_open, locked_until_us
from ringfence.identity.factor.totp import (
    STEP_SECONDS,
    enrolment_uri,
    matching_step,
    totp_secret,
)

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""RFC 6238, appendix B: the ASCII text 12345678901234567890."""
RFC = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
    20000000000: "353130",
}
"""RFC 6238, appendix B, SHA-1: the last six of eight digits."""
STEP_US = STEP_SECONDS * 1_000_000


@pytest.mark.parametrize(("time_s", "code"), RFC.items())
def test_the_standards_codes_are_taken(time_s: int, code: str) -> None:
    assert matching_step(SEED, code, time_s * 1_000_000, -1) == time_s // STEP_SECONDS


@pytest.mark.parametrize(
    ("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_code_is_good_one_step_around_its_own(steps: int, taken: bool) -> None:
    now_us = 1_000 * STEP_US
    code = pyotp.TOTP(SEED).generate_otp(1_000 + steps)
    assert (matching_step(SEED, code, now_us, -1) is not None) is taken


def test_a_step_once_spent_and_all_before_it_are_spent() -> None:
    now_us = 1_000 * STEP_US
    code = {step: pyotp.TOTP(SEED).generate_otp(step) for step in (999, 1_000, 1_001)}
    assert matching_step(SEED, code[1_000], now_us, 999) == 1_000
    assert matching_step(SEED, code[1_000], now_us, 1_000) is None
    assert matching_step(SEED, code[999], now_us, 1_000) is None
    assert matching_step(SEED, code[1_001], now_us, 1_000) == 1_001


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "12345٣", "-12345"])
def test_what_is_no_code_is_told_apart_from_a_wrong_one(code: str) -> None:
    with pytest.raises(FactorError) as refusal:
        matching_step(SEED, code, 0, -1)
    assert refusal.value.code == "totp_unreadable"


def test_a_secret_is_of_one_operator_and_enrolment() -> None:
    master = MasterKey(bytes(32))
    secrets = {
        totp_secret(master, name, generation) for name in ("ann", "bob") for generation in (1, 2)
    }
    assert len(secrets) == 4
    assert totp_secret(master, "ann", 1) in secrets
    assert totp_secret(MasterKey(b"\1" * 32), "ann", 1) not in secrets


def test_an_app_reads_what_it_needs() -> None:
    parsed = pyotp.parse_uri(enrolment_uri(SEED, "ann", "gw1"))
    assert (parsed.secret, parsed.name, parsed.issuer) == (SEED, "ann", "Ringfence gw1")


def test_guesses_lock_for_longer_and_longer() -> None:
    waits = [locked_until_us(failures, 0) // 1_000_000 for failures in range(FREE + 6)]
    assert waits == [0] * (FREE + 1) + [*LOCKS_S, LOCKS_S[-1]]


def test_a_lock_ends_at_its_time() -> None:
    until_us = locked_until_us(FREE + 1, 7)
    check_open(until_us, until_us)
    with pytest.raises(FactorError) as refusal:
        check_open(until_us, until_us - 1)
    assert refusal.value.code == "factor_locked"
