"""A ledger of six years: what may go goes, what is held stays, and nothing goes untold."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from demo.stage import ringfence, running
from ringfence import config, engine
from ringfence.api import VolumeService, volumes
from ringfence.config.folder import Folder
from ringfence.identity import open_master
from ringfence.identity.seal.standing import EVENT, VENUES, Standing
from tests import forked

ROOT = Path(__file__).parent.parent.parent
OLD = ("2019-11:trade", "2019-12:trade", "2020-01:trade", "2022-03:security", "2026-10:trade")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(["ledger", *words])


def refused(*words: str) -> str:
    """Return what a command says that must fail."""
    done = run(*words)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay a state folder whose ledger has old volumes."""
    state = tmp_path_factory.mktemp("laid") / "gw1"
    ringfence(
        "init", "--plain", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9", str(state)
    )
    section = config.load(state / "ringfence.yaml").config.ledger
    aged = ["cargo", "run", "--quiet", "--locked", "-p", "ringfence-ledger", "--example", "aged"]
    words = [str(state / "ledger"), section.origin, str(state / "keys" / "ledger.key"), *OLD]
    subprocess.run([*aged, "--", *words], cwd=ROOT, check=True)
    return state


@pytest.fixture
def state(laid: Path, tmp_path: Path) -> Path:
    """Return one like it, of this test's own."""
    return Path(shutil.copytree(laid, tmp_path / "gw1"))


def months(state: Path) -> list[str | None]:
    return [volume.month for volume in engine.ledger_volumes(state / "ledger")]


def events(state: Path, name: str) -> list[dict[str, Any]]:
    """Return the details of the events of a name."""
    entries = (json.loads(one) for _, one in engine.LedgerReader(state / "ledger", 0).read(10_000))
    return [entry["detail"] for entry in entries if entry.get("event") == name]


def sound(state: Path) -> dict[str, Any]:
    report = ringfence("ledger", "verify", str(state))
    assert report["fault"] is None
    return report


def test_each_volume_is_kept_as_long_as_its_longest_kept_entry(state: Path) -> None:
    volumes = ringfence("ledger", "retain", str(state))["volumes"]
    told = {one["month"]: (one["until"], one["may_go"]) for one in volumes}
    assert told == {
        "2019-11": ("2024-12-01", True),
        "2019-12": ("2025-01-01", True),
        "2020-01": ("2025-02-01", True),
        "2022-03": ("2025-04-01", True),
        # The newest is written: it stays, however old.
        "2026-10": ("2031-11-01", False),
    }


def test_the_configuration_may_keep_longer_and_not_shorter(state: Path) -> None:
    file = state / "ringfence.yaml"
    text = file.read_text()
    longer = text.replace("\nledger:\n", "\nledger:\n  retention: {trade_years: 7}\n")
    assert longer != text
    file.write_text(longer)
    first = ringfence("ledger", "retain", str(state))["volumes"][0]
    assert first["until"] == "2026-12-01"
    file.write_text(longer.replace("trade_years: 7", "trade_years: 4"))
    assert "ledger.retention.trade_years" in refused("retain", str(state))


def test_what_goes_is_told_and_the_rest_is_sound(state: Path) -> None:
    before = {volume.month: volume for volume in engine.ledger_volumes(state / "ledger")}
    assert "--why" in refused("retain", str(state), "--drop", "--yes")
    done = ringfence("ledger", "retain", str(state), "--drop", "--yes", "--why", "five years")
    assert done["dropped"] == ["2019-11", "2019-12", "2020-01", "2022-03"]
    assert months(state)[0] == "2026-10"
    assert [detail["volume"] for detail in events(state, "ledger.dropped")] == done["dropped"]
    assert sound(state)["volumes"][0]["sequence"] == before["2026-10"].sequence
    assert not list((state / "ledger").glob(".dropped*"))
    # Index and proofs go on as they were.
    first = before["2026-10"].sequence
    assert f"the oldest is {first}" in refused("show", str(state), "0")
    assert "was dropped with its volume" in refused("prove", str(state), "0")
    rows = run("query", str(state), "SELECT min(index) AS first FROM entries", "--json").stdout
    assert json.loads(rows) == {"first": first}


def test_a_hold_keeps_its_volume_and_all_newer_ones(state: Path) -> None:
    hold = ["ledger", "hold", "place", str(state), "case-17", "--why", "subpoena"]
    assert ringfence(*hold, "--from", "2019-12", "--to", "2019-12")["name"] == "case-17"
    assert "already" in refused(*hold[1:])
    drop = ["ledger", "retain", str(state), "--drop", "--yes", "--why", "five years"]
    assert ringfence(*drop)["dropped"] == ["2019-11"]
    assert ringfence(*drop)["dropped"] == []
    assert months(state)[0] == "2019-12"
    ringfence("ledger", "hold", "lift", str(state), "case-17", "--why", "case closed")
    assert "there is no hold" in refused("hold", "lift", str(state), "case-17", "--why", "again")
    assert ringfence(*drop)["dropped"] == ["2019-12", "2020-01", "2022-03"]
    (placed,), (lifted,) = events(state, "ledger.hold_placed"), events(state, "ledger.hold_lifted")
    assert (placed["since"], placed["why"], lifted["why"]) == ("2019-12", "subpoena", "case closed")
    sound(state)


def test_a_running_gateway_does_it_itself(state: Path, tmp_path: Path) -> None:
    with running(tmp_path / "log", "serve", "-c", str(state / "ringfence.yaml")):
        ringfence("ledger", "hold", "place", str(state), "later", "--why", "x", "--from", "2020-01")
        assert ringfence("ledger", "hold", "list", str(state))[0]["name"] == "later"  # type: ignore[index]
        drop = ["ledger", "retain", str(state), "--drop", "--yes", "--why", "five years"]
        assert ringfence(*drop)["dropped"] == ["2019-11", "2019-12"]
    assert months(state)[0] == "2020-01"
    sound(state)


def test_holds_that_cannot_be_read_keep_everything(state: Path) -> None:
    (state / "holds.json").write_text("[{}]")
    drop = ["retain", str(state), "--drop", "--yes", "--why", "five years"]
    assert "cannot be read" in refused(*drop)
    assert len(months(state)) == len(OLD)


def test_a_damaged_ledger_loses_nothing_more(state: Path) -> None:
    log = state / "ledger" / "2020-01" / "entries.log"
    content = bytearray(log.read_bytes())
    content[content.index(b"alice")] ^= 1
    log.write_bytes(content)
    refused("retain", str(state), "--drop", "--yes", "--why", "five years")
    assert len(months(state)) == len(OLD)


def test_a_volume_that_went_untold_is_missed(state: Path) -> None:
    shutil.rmtree(state / "ledger" / "2019-11")
    done = run("verify", str(state), "--json")
    assert json.loads(done.stdout)["fault"]["kind"] == "volume_missing"


def test_a_removal_that_was_interrupted_is_finished(state: Path) -> None:
    ringfence("ledger", "hold", "place", str(state), "h", "--why", "x", "--from", "2019-12")
    left = state / "ledger" / ".dropped-2019-10"
    left.mkdir()
    (left / "entries.log").write_bytes(b"old")
    ringfence("ledger", "retain", str(state), "--drop", "--yes", "--why", "five years")
    assert not left.exists()
    assert months(state)[0] == "2019-12"


def test_what_only_a_volume_that_goes_says_of_the_vault_is_said_again(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, root = config.load(state / "ringfence.yaml"), open_master(Folder(state))
    alone = engine.Engine(loaded.snapshot()).event_alone
    first, second = engine.ledger_volumes(state / "ledger")[:2]
    asked: list[tuple[int, int]] = []

    def said(_: Path, start: int, end: int) -> dict[str, int]:
        asked.append((start, end))
        return {VENUES: 5}

    monkeypatch.setattr(volumes, "said_between", said)
    VolumeService(loaded, alone).drop("2019-11", "five years", "test")
    assert asked == [(first.sequence, second.sequence)]
    assert events(state, EVENT) == [{VENUES: 5}]
    # The ledger begins later now, and a start still hears of it.
    assert Standing.of(loaded, root).read().versions == {VENUES: 5}
