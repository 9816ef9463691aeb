"""A challenge is good once, for one operator and one purpose, and not for long."""

from __future__ import annotations

import pytest

from ringfence.errors import FactorError
from ringfence.identity.factor.challenge import CAPACITY, MAX_LIFE_US, PER_OPERATOR, Challenges


class Clock:
    """A clock that is told the time."""

    now_us = 0

    def __call__(self) -> int:
        """Return the time."""
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    """Return a clock at zero."""
    return Clock()


def refused(challenges: Challenges, operator: str, purpose: str, value: bytes) -> bool:
    """Tell whether taking is refused, as it must be then."""
    try:
        challenges.take(operator, purpose, value)
    except FactorError as e:
        return e.code == "challenge_unknown"
    return False


def test_a_challenge_is_random_and_is_taken_once(clock: Clock) -> None:
    challenges = Challenges(clock)
    one, two = (challenges.issue("ann", "login") for _ in range(2))
    assert one != two and len(one) == 32
    assert challenges.take("ann", "login", one) == b""
    assert refused(challenges, "ann", "login", one)


@pytest.mark.parametrize(("operator", "purpose"), [("bob", "login"), ("ann", "enrol")])
def test_a_challenge_is_for_one_operator_and_purpose(
    clock: Clock, operator: str, purpose: str
) -> None:
    challenges = Challenges(clock)
    value = challenges.issue("ann", "login")
    assert refused(challenges, operator, purpose, value)
    assert refused(challenges, "ann", "login", value)  # spent by the attempt


@pytest.mark.parametrize(("after_us", "gone"), [(MAX_LIFE_US - 1, False), (MAX_LIFE_US, True)])
def test_a_challenge_lives_two_minutes(clock: Clock, after_us: int, gone: bool) -> None:
    challenges = Challenges(clock)
    value = challenges.issue("ann", "login")
    clock.now_us = after_us
    assert refused(challenges, "ann", "login", value) is gone


@pytest.mark.parametrize("life_us", [0, MAX_LIFE_US + 1])
def test_no_challenge_lives_longer(clock: Clock, life_us: int) -> None:
    with pytest.raises(ValueError, match="lives"):
        Challenges(clock, life_us)


def test_one_operator_cannot_fill_the_table_for_all(clock: Clock) -> None:
    challenges = Challenges(clock)
    first = challenges.issue("ann", "login")
    for _ in range(2 * CAPACITY):
        last = challenges.issue("mallory", "login")
    assert challenges.take("ann", "login", first) == b""
    assert challenges.take("mallory", "login", last) == b""


def test_a_full_table_refuses_rather_than_forgets(clock: Clock) -> None:
    challenges = Challenges(clock)
    kept = [challenges.issue(f"op{n // PER_OPERATOR}", "login") for n in range(CAPACITY)]
    with pytest.raises(FactorError) as refusal:
        challenges.issue("ann", "login")
    assert refusal.value.code == "challenge_full"
    assert challenges.take("op0", "login", kept[0]) == b""
    clock.now_us = MAX_LIFE_US
    challenges.issue("ann", "login")
