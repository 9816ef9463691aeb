"""`key create` reads times with their zones; a private key goes only if its half was refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ringfence.cli.key_create import expiry_us, public_half
from ringfence.errors import KeyExistsError, KeyTextError, RunningError

NOW_US = 1_700_000_000_000_000


@pytest.mark.parametrize(
    ("text", "end_us"),
    [
        (None, None),
        ("90d", NOW_US + 90 * 86_400_000_000),
        ("12h", NOW_US + 12 * 3_600_000_000),
        ("30m", NOW_US + 30 * 60_000_000),
        ("2027-01-31T00:00:00Z", 1_801_353_600_000_000),
        ("2027-01-31T01:00:00+01:00", 1_801_353_600_000_000),
    ],
)
def test_an_end_is_a_time_or_how_long(text: str | None, end_us: int | None) -> None:
    assert expiry_us(text, NOW_US) == end_us


@pytest.mark.parametrize("text", ["2027-01-31T00:00:00", "tomorrow", "0d", "-1d", "1w", ""])
def test_an_end_that_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(KeyTextError):
        expiry_us(text, NOW_US)


def test_a_new_private_key_is_for_its_owner_only(tmp_path: Path) -> None:
    with public_half("ed25519", None, tmp_path / "key.pem") as pem:
        assert pem is not None
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_a_private_key_goes_with_a_refusal_and_stays_with_a_lost_answer(tmp_path: Path) -> None:
    refused, lost = tmp_path / "refused.pem", tmp_path / "lost.pem"
    with pytest.raises(KeyExistsError), public_half("ed25519", None, refused):
        raise KeyExistsError("its id is taken")
    assert not refused.exists()
    # The gateway may have registered the other half.
    with pytest.raises(RunningError), public_half("ed25519", None, lost):
        raise RunningError("no answer")
    assert lost.exists()


@pytest.mark.parametrize(
    ("algorithm", "given", "new"),
    [("ed25519", None, None), (None, "a.pem", "b.pem"), ("hmac-sha256", None, "b.pem")],
)
def test_options_that_contradict_each_other_are_refused(
    tmp_path: Path, algorithm: str | None, given: str | None, new: str | None
) -> None:
    paths = [None if name is None else tmp_path / name for name in (given, new)]
    with pytest.raises(KeyTextError), public_half(algorithm, *paths):
        raise AssertionError
    assert list(tmp_path.iterdir()) == []
