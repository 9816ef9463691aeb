"""Commands on the folder of a stopped gateway ask for the step-ups of the admin API."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ringfence import cli
from ringfence.api import NewVenueKey, StepUps
from ringfence.cli.ledger_hold import volumes
from ringfence.cli.vault import vaults
from ringfence.errors import GatewayError, StepUpError
from ringfence.identity.address import NewAddress

KEY = NewVenueKey("main", "binance", "venue-key-1", secrets.token_urlsafe(32))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of a gateway that asks for step-ups from the start."""
    made = tmp_path_factory.mktemp("stopped") / "state"
    with pytest.MonkeyPatch.context() as patch:
        command = f"init --egress --plain --listen 127.0.0.1:0 --upstream http://127.0.0.1:9 {made}"
        patch.setattr("sys.argv", ["ringfence", *command.split()])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
    file = made / "ringfence.yaml"
    file.write_text(file.read_text() + "\nadmin: {step_up: required}\n")
    return made


def put(state: Path) -> Any:
    with vaults(state / "ringfence.yaml") as service:
        return service.put_venue_key(KEY)


def lift(state: Path) -> Any:
    with volumes(state) as service:
        return service.lift("case-1", "over")


def drop(state: Path) -> Any:
    with volumes(state) as service:
        return service.drop("2020-01", "over")


def erase(state: Path) -> Any:
    with volumes(state) as service:
        return service.erase("192.0.2.1", None, "asked for")


def add(state: Path) -> Any:
    from ringfence.cli.address import book

    with book(state / "ringfence.yaml") as service:
        return service.add_address(NewAddress("desk", "BTC", "bc1qhome"))


def seal(state: Path) -> Any:
    from ringfence import config
    from ringfence.cli.vault_seal import telling

    file = state / "ringfence.yaml"
    with telling(file, config.load(file), None, None, [], "yearly"):
        return None


ACTS = [put, lift, drop, erase, add, seal]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: str(act.__name__))
def test_what_gives_more_or_lets_evidence_go_needs_a_step_up(
    state: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], Any]
) -> None:
    with pytest.raises(StepUpError):
        act(state)
    monkeypatch.setattr(StepUps, "require", lambda *_: None)
    try:
        act(state)
    except GatewayError as e:
        # There is no such hold, month or account: that is looked at behind it.
        assert not isinstance(e, StepUpError)


def test_what_takes_away_or_only_looks_needs_none(state: Path) -> None:
    gone = pytest.raises(GatewayError, match="there is no venue key")
    with vaults(state / "ringfence.yaml") as service, gone:
        service.remove_venue_key("nothing", "gone")
    with volumes(state) as holds:
        assert holds.hold("case-2", None, None, "a case")["name"] == "case-2"
