"""A code is spent once across processes and restarts, and guesses are counted whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyotp
import pytest

from ringfence.errors import FactorError
from ringfence.identity import MasterKey, Store
from ringfence.identity.factor import Factors, store
from ringfence.identity.factor.throttle import FREE, LOCKS_S
from ringfence.identity.stepup import StepUp

STEP_US = 30_000_000
NOW_US = 1_000 * STEP_US
MASTER = MasterKey(bytes(32))


@pytest.fixture
def factors(tmp_path: Path) -> Factors:
    """Return the factors of an empty store."""
    return Factors(Store.create(tmp_path / "state.db").database, MASTER)


def enrolled(factors: Factors) -> pyotp.TOTP:
    """Enrol ann's app and return it; the step before the present one is spent."""
    app = pyotp.TOTP(factors.enrol_totp("ann", NOW_US))
    factors.prove_totp("ann", app.generate_otp(999), NOW_US, first=True)
    return app


def code_of(call: Callable[[], object]) -> str:
    """Return the code by which `call` is refused; empty: it is not."""
    try:
        call()
    except FactorError as e:
        return e.code
    return ""


def test_codes_are_in_force_once_the_app_has_shown_one(factors: Factors) -> None:
    app = pyotp.TOTP(factors.enrol_totp("ann", NOW_US))
    assert not factors.has_totp("ann")
    code = app.generate_otp(1_000)
    assert code_of(lambda: factors.prove_totp("ann", code, NOW_US)) == "totp_missing"
    factors.prove_totp("ann", code, NOW_US, first=True)
    assert factors.has_totp("ann")
    assert code_of(lambda: factors.enrol_totp("ann", NOW_US)) == "totp_enrolled"


def test_a_spent_code_stays_spent_across_a_restart(factors: Factors, tmp_path: Path) -> None:
    code = enrolled(factors).generate_otp(1_000)
    factors.prove_totp("ann", code, NOW_US)
    again = Factors(Store(tmp_path / "state.db").database, MASTER)
    assert code_of(lambda: again.prove_totp("ann", code, NOW_US)) == "totp_wrong"


def test_of_many_at_once_one_spends_the_code(factors: Factors) -> None:
    code = enrolled(factors).generate_otp(1_000)
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(factors.prove_totp, "ann", code, NOW_US) for _ in range(4)]
        refused = [code_of(one.result) for one in tries]
    assert sorted(refused) == ["", *["totp_wrong"] * 3]


def test_guesses_lock_out_even_the_right_code_until_the_time_is_over(factors: Factors) -> None:
    app = enrolled(factors)
    for _ in range(FREE + 1):
        assert (
            code_of(lambda: factors.prove_totp("ann", app.generate_otp(7), NOW_US)) == "totp_wrong"
        )
    right = app.generate_otp(1_000)
    assert code_of(lambda: factors.prove_totp("ann", right, NOW_US)) == "factor_locked"
    code = factors.new_recovery_codes("ann")[0]
    assert code_of(lambda: factors.prove_recovery("ann", code, NOW_US)) == "factor_locked"
    later_us = NOW_US + LOCKS_S[0] * 1_000_000
    factors.prove_totp("ann", app.generate_otp(later_us // STEP_US), later_us)


def test_without_the_lock_a_guesser_goes_on(
    factors: Factors, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = enrolled(factors)
    monkeypatch.setattr(store, "check_open", lambda *_: None)
    for _ in range(2 * FREE):
        code_of(lambda: factors.prove_totp("ann", app.generate_otp(7), NOW_US))
    factors.prove_totp("ann", app.generate_otp(1_000), NOW_US)


def test_an_enrolment_makes_a_new_secret_and_the_old_one_never_counts(factors: Factors) -> None:
    old = enrolled(factors)
    factors.remove_totp("ann", NOW_US)
    assert code_of(lambda: factors.prove_totp("ann", old.generate_otp(1_000), NOW_US)) == (
        "totp_missing"
    )
    new = pyotp.TOTP(factors.enrol_totp("ann", NOW_US))
    assert new.secret != old.secret


def test_a_recovery_code_is_good_once_and_for_its_operator(factors: Factors) -> None:
    codes = factors.new_recovery_codes("ann")
    assert code_of(lambda: factors.prove_recovery("bob", codes[0], NOW_US)) == "recovery_wrong"
    factors.prove_recovery("ann", codes[0], NOW_US)
    assert code_of(lambda: factors.prove_recovery("ann", codes[0], NOW_US)) == "recovery_wrong"
    assert factors.recovery_left("ann") == 9


def test_new_recovery_codes_end_the_old(factors: Factors) -> None:
    old = factors.new_recovery_codes("ann")[0]
    factors.new_recovery_codes("ann")
    assert code_of(lambda: factors.prove_recovery("ann", old, NOW_US)) == "recovery_wrong"


def test_no_secret_and_no_code_is_in_the_store(factors: Factors, tmp_path: Path) -> None:
    app, codes = enrolled(factors), factors.new_recovery_codes("ann")
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for secret in [app.secret.encode(), app.byte_secret(), *(code.encode() for code in codes)]:
        assert secret not in kept


def test_the_last_step_up_is_kept(factors: Factors) -> None:
    assert factors.step_up("ann") is None
    factors.keep_step_up("ann", "recovery", 1)
    factors.keep_step_up("ann", "totp", 2)
    assert factors.step_up("ann") == StepUp("totp", 2)


def test_that_somebody_had_a_factor_stays_known(factors: Factors) -> None:
    factors.enrol_totp("ann", NOW_US)
    assert not factors.ever()
    enrolled(factors)
    factors.keep_step_up("ann", "totp", NOW_US)
    factors.remove_totp("ann", NOW_US + 1)
    assert factors.ever()
    assert factors.step_up("ann") == StepUp("admitted", NOW_US + 1)
    factors.enrol_totp("ann", NOW_US)
    assert factors.ever()


def test_a_reset_takes_all_factors_and_the_lock(factors: Factors) -> None:
    app, codes = enrolled(factors), factors.new_recovery_codes("ann")
    for _ in range(FREE + 1):
        code_of(lambda: factors.prove_totp("ann", app.generate_otp(7), NOW_US))
    factors.reset("ann", NOW_US)
    code = app.generate_otp(1_000)
    assert code_of(lambda: factors.prove_totp("ann", code, NOW_US)) == "totp_missing"
    assert code_of(lambda: factors.prove_recovery("ann", codes[0], NOW_US)) == "recovery_wrong"
    assert factors.step_up("ann") == StepUp("admitted", NOW_US)
