"""Venue keys or a seal that were put back, `seal.db` and all, do not start: the ledger tells."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest

from demo.stage import ringfence, running
from ringfence import config
from ringfence.config import Loaded
from ringfence.config.folder import Folder
from ringfence.engine import Engine, LedgerReader
from ringfence.errors import EngineError, SealError, VaultError
from ringfence.identity import Vault, open_master
from ringfence.identity.seal import standing as standings
from ringfence.identity.seal.folder import floor_of
from ringfence.identity.seal.standing import EVENT, SEAL, VENUES, Standing, said_between
from tests import forked

NEVER = ("--plain", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9")


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay a folder that signs for a venue, with a ledger of two events."""
    state = tmp_path_factory.mktemp("standing") / "state"
    ringfence("init", "--egress", *NEVER, str(state))
    alone = Engine(config.load(state / "ringfence.yaml").snapshot()).event_alone
    alone(EVENT, {VENUES: 4, SEAL: 7})
    alone(EVENT, {VENUES: 5})
    return state


@pytest.fixture
def state(laid: Path, tmp_path: Path) -> Path:
    """Return one like it, of this test's own."""
    return Path(shutil.copytree(laid, tmp_path / "state"))


def load(state: Path) -> Loaded:
    return config.load(state / "ringfence.yaml")


def read(state: Path) -> Standing:
    return Standing.of(load(state), open_master(Folder(state))).read()


def test_what_was_said_last_holds_and_what_is_older_is_refused(state: Path) -> None:
    found = read(state)
    assert found.versions == {VENUES: 5, SEAL: 7}
    found.check({VENUES: 5, SEAL: 8})
    found.check({})
    with pytest.raises(
        VaultError, match="is version 4, and the ledger has seen version 5"
    ) as refused:
        found.check({VENUES: 4, SEAL: 8})
    assert refused.value.code == "vault_rolled_back" and "vault accept" in refused.value.hint
    with pytest.raises(SealError) as sealed:
        found.check({SEAL: 0})
    assert sealed.value.code == "seal_rolled_back"


def test_the_ledger_is_told_once_and_what_it_does_not_take_is_told_again(state: Path) -> None:
    told: list[Any] = []
    found = read(state)
    found.tell(lambda *event: told.append(event), {VENUES: 5, SEAL: 7})
    assert told == []
    found.tell(lambda *event: told.append(event), {VENUES: 6, SEAL: 7})
    assert told == [(EVENT, {VENUES: 6})]

    def full(*_: Any) -> None:
        raise EngineError("the ledger takes no entries")

    with pytest.raises(EngineError):
        found.tell(full, {VENUES: 7})
    found.tell(lambda *event: told.append(event), {VENUES: 7})
    assert told[1:] == [(EVENT, {VENUES: 7})]


def test_a_start_reads_what_came_since_the_last_one(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(state).keep()
    starts: list[int] = []

    def seen(_: Path, start: int) -> dict[str, int]:
        starts.append(start)
        return {}

    monkeypatch.setattr(standings, "said_between", seen)
    assert read(state).versions == {VENUES: 5, SEAL: 7}
    assert starts == [3]


def test_a_mark_that_is_not_ours_is_none_and_an_older_one_makes_it_read_more(state: Path) -> None:
    file = Folder(state).standing
    read(state).keep()
    older = file.read_bytes()
    Engine(load(state).snapshot()).event_alone(EVENT, {VENUES: 6})
    assert read(state).versions[VENUES] == 6
    read(state).keep()
    file.write_bytes(older)
    assert read(state).versions[VENUES] == 6
    line = json.loads(older)
    for body in ('{"next": 3, "said": {}}', line["kept"].replace('"venues": 5', '"venues": 1')):
        file.write_text(json.dumps({**line, "kept": body}))
        assert read(state).versions == {VENUES: 6, SEAL: 7}
    for content in (b"", b"[]", b"{}", older[:40], secrets.token_bytes(64)):
        file.write_bytes(content)
        assert read(state).versions == {VENUES: 6, SEAL: 7}
    file.unlink()
    assert read(state).versions == {VENUES: 6, SEAL: 7}


def test_another_ledger_says_what_it_says_and_the_mark_the_rest(state: Path) -> None:
    read(state).keep()
    for volume in (state / "ledger").iterdir():
        shutil.rmtree(volume)
    assert read(state).versions == {VENUES: 5, SEAL: 7}
    Engine(load(state).snapshot()).event_alone(EVENT, {VENUES: 9})
    assert read(state).versions == {VENUES: 9, SEAL: 7}
    Folder(state).standing.unlink()
    assert read(state).versions == {VENUES: 9}
    shutil.rmtree(state / "ledger")
    assert read(state).versions == {}


def test_what_is_said_again_later_does_not_lower_what_was_said(state: Path) -> None:
    alone = Engine(load(state).snapshot()).event_alone
    alone(EVENT, {VENUES: 4})
    assert read(state).versions == {VENUES: 5, SEAL: 7}
    assert said_between(state / "ledger", 0, 2) == {VENUES: 4, SEAL: 7}
    assert said_between(state / "ledger", 3) == {VENUES: 4}


def test_no_text_of_a_client_s_is_taken_for_what_the_gateway_says(state: Path) -> None:
    alone = Engine(load(state).snapshot()).event_alone
    alone("vault.put", {"why": '"event":"vault.standing"', VENUES: 99})
    alone("vault.put", {"event": EVENT, VENUES: 99})
    assert read(state).versions == {VENUES: 5, SEAL: 7}


def put(state: Path, name: str) -> None:
    words = ["vault", "put", name, "--dialect", "binance", "--key-id", f"id-of-{name}"]
    done = forked.run([*words, "-c", str(state / "ringfence.yaml")], typed=secrets.token_hex(32))
    assert done.returncode == 0, done.stderr


def failed(*words: str) -> str:
    # A gateway that starts after all would run for good.
    done = forked.run(words, timeout=30)
    assert done.returncode == 1, done.stdout
    return done.stderr


def copied(state: Path, folder: Path, *names: str) -> list[tuple[Path, Path]]:
    """Copy files of a folder; return where each was put and where it belongs."""
    folder.mkdir()
    found = [one for name in names for one in state.glob(name)]
    return [(Path(shutil.copy2(one, folder / one.name)), one) for one in found]


def put_back(state: Path, copies: list[tuple[Path, Path]]) -> None:
    for left in state.glob("seal.db*"):
        left.unlink()
    for copy, place in copies:
        shutil.copy2(copy, place)


def test_a_vault_that_was_put_back_does_not_start_until_somebody_accepts_it(
    tmp_path: Path,
) -> None:
    state, log = tmp_path / "state", tmp_path / "log"
    ringfence("init", "--egress", *NEVER, str(state))
    there = ("-c", str(state / "ringfence.yaml"))
    put(state, "first")
    copies = copied(state, tmp_path / "backup", "keys/venues.sealed", "seal.db*")
    with running(log, "serve", *there):
        put(state, "second")
    put_back(state, copies)
    # The floor went back with the file, and does not notice.
    vault = Vault(state / "keys/venues.sealed", open_master(Folder(state)), floor_of(Folder(state)))
    assert list(vault.read()) == ["first"]
    for _ in range(2):
        said = failed("serve", *there)
        assert "[vault_rolled_back]" in said and "is version 1" in said and "version 2" in said
        assert "ringfence vault accept" in said
    assert vault.found()[0] == 1
    accepted: Any = ringfence("vault", "accept", "--why", "the disk is lost", *there)
    assert [one["name"] for one in accepted] == ["first"]
    # Newer than all that has been there, so that the lost one does not start again either.
    assert vault.found()[0] == 3
    with running(log, "serve", *there):
        pass
    entries = [json.loads(one) for _, one in LedgerReader(state / "ledger", 0).read(1_000)]
    events = [(one["event"], one["detail"]) for one in entries if one.get("kind") == "event"]
    assert [detail[VENUES] for name, detail in events if name == EVENT] == [1, 2, 3]
    [detail] = [detail for name, detail in events if name == "vault.accepted"]
    assert detail["why"] == "the disk is lost" and detail["found"] == 1


def test_a_seal_that_was_put_back_does_not_open_until_somebody_accepts_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ringfence("init", *NEVER, str(state))
    there = ("-c", str(state / "ringfence.yaml"))
    old, new = (f"file:{tmp_path / name}" for name in ("old.kek", "new.kek"))
    ringfence("vault", "rewrap", "--to", old, *there)
    copies = copied(state, tmp_path / "backup", "keys/seal.json", "seal.db*")
    before = {copy.name for copy, _ in copies}
    ringfence("vault", "rewrap", "--to", new, *there)
    assert "seal.json" in before
    put_back(state, copies)
    for words in (("serve",), ("vault", "unseal-check")):
        assert "[seal_rolled_back]" in failed(*words, *there)
    accepted: Any = ringfence("vault", "accept", *there)
    assert accepted == []
    assert ringfence("vault", "unseal-check", *there)["opens"]
    found = ringfence("vault", "status", *there)
    assert found["opened_by"] == [f"file {tmp_path / 'old.kek'}"]
    assert found["version"] > 4
