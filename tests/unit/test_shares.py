"""Three of five shares are the master key, two are nothing; and nobody gets them alone."""

from __future__ import annotations

import itertools
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from shamir_mnemonic import combine_mnemonics

from ringfence.api import Client, KeyService
from ringfence.api.exports import Export, ExportService
from ringfence.api.server import app, serving
from ringfence.api.twofold import WINDOW_US, DualControl, Person
from ringfence.errors import EngineError, SealError
from ringfence.identity import MasterKey, Store
from ringfence.identity.principal import Principal
from ringfence.identity.seal.shares import combine, split
from tests import forked

ANN, BOB = Person(1001, "ann (uid 1001)"), Person(1002, "bob (uid 1002)")
SECRET = secrets.token_bytes(32)


class Ledger:
    """Keeps what it is told; `broken`: it takes nothing."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.broken = False

    def record(self, name: str, detail: Any) -> None:
        if self.broken:
            raise EngineError("the ledger takes no entries")
        self.told.append((name, dict(detail)))


class Desk:
    """An export service whose time stands still until it is moved."""

    def __init__(self) -> None:
        self.now_us = 1_000_000
        self.ledger = Ledger()
        self.service = ExportService(MasterKey(SECRET), self.ledger.record, lambda: self.now_us)

    def ask(self, who: Person, threshold: int = 3, count: int = 5) -> Export:
        return self.service.shares(threshold, count, who, "drill")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_any_three_of_five_shares_give_the_key_back() -> None:
    shares = split(SECRET, 3, 5)
    assert len(set(shares)) == 5
    for three in itertools.combinations(shares, 3):
        assert combine(three) == SECRET


def test_the_library_reads_the_standard_s_own_vector() -> None:
    # SLIP-0039, vectors.json, "Valid mnemonic without sharing (256 bits)".
    words = (
        "theory painting academic academic armed sweater year military elder discuss acne wildlife "
        "boring employer fused large satoshi bundle carbon diagnose anatomy hamster leaves tracks "
        "paces beyond phantom capital marvel lips brave detect luck"
    )
    secret = "989baf9dcaad5b10ca33dfd8cc75e42477025dce88ae83e75a230086a0e00e92"
    assert combine_mnemonics([words], b"TREZOR").hex() == secret
    with pytest.raises(SealError, match="share 1 is miswritten"):
        combine([words.replace("luck", "lunch")])


def test_fewer_shares_than_it_takes_are_refused_and_say_how_many_it_takes() -> None:
    for two in itertools.combinations(split(SECRET, 3, 5), 2):
        with pytest.raises(SealError, match="it takes 3"):
            combine(two)


def test_what_is_said_of_shares_that_do_not_fit_holds_no_word_of_them() -> None:
    one, other = split(SECRET, 3, 5), split(SECRET, 3, 5)
    wrong = one[1].split()
    wrong[7] = "academic" if wrong[7] != "academic" else "acid"
    for shares, said in [
        ((one[0], other[1], one[2]), "they are not of one splitting"),
        ((one[0], one[0], one[2]), "one of them is there twice"),
        ((one[0], " ".join(wrong), one[2]), "share 2 is miswritten; every word of it counts"),
        ((one[0], "not a share", one[2]), "share 2 is miswritten; every word of it counts"),
        (tuple(one[:4]), "give exactly 3"),
        ((), "there is none"),
    ]:
        with pytest.raises(SealError) as refusal:
            combine(shares)
        assert str(refusal.value) == f"the {len(shares)} shares give no secret: {said}"
        assert refusal.value.__cause__ is None


@pytest.mark.parametrize(("threshold", "count"), [(1, 5), (0, 5), (6, 5), (3, 17), (-1, -1)])
def test_a_share_that_is_enough_alone_is_not_made(desk: Desk, threshold: int, count: int) -> None:
    with pytest.raises(SealError, match="cannot be made"):
        split(SECRET, threshold, count)
    with pytest.raises(SealError, match="cannot be made"):
        desk.ask(ANN, threshold, count)


def test_the_second_operator_gets_the_shares_and_the_first_nothing(desk: Desk) -> None:
    first = desk.ask(ANN)
    assert (first.until_us, first.parts) == (desk.now_us + WINDOW_US, ())
    second = desk.ask(BOB)
    assert second.until_us is None and combine(second.parts[:3]) == SECRET
    what = {"what": "3 of 5 shares of the master key", "why": "drill"}
    assert desk.ledger.told == [
        ("export.asked", {**what, "who": ANN.name}),
        ("export.made", {**what, "who": BOB.name, "first": ANN.name}),
    ]


def test_nobody_gets_the_shares_alone_however_often_they_ask_or_are_renamed(desk: Desk) -> None:
    for name in ("ann", "anna", "bob (uid 1002)"):
        assert desk.ask(Person(ANN.uid, name)).parts == ()


def test_were_the_second_not_looked_at_one_operator_would_get_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DualControl, "agreed", lambda *_: ANN)
    assert combine(desk.ask(ANN).parts[:3]) == SECRET


def test_an_agreement_is_spent_by_one_export(desk: Desk) -> None:
    desk.ask(ANN)
    assert desk.ask(BOB).parts
    assert desk.ask(BOB).parts == ()


def test_who_asks_for_something_else_or_too_late_is_the_first(desk: Desk) -> None:
    desk.ask(ANN)
    assert desk.ask(BOB, 2, 5).parts == ()
    desk.now_us += WINDOW_US + 1
    assert desk.ask(BOB).parts == ()
    desk.now_us += WINDOW_US
    assert desk.ask(ANN).parts


def test_a_clock_that_went_back_makes_no_agreement(desk: Desk) -> None:
    desk.ask(ANN)
    desk.now_us -= 1
    assert desk.ask(BOB).parts == ()


def test_what_the_ledger_does_not_take_is_not_given_out(desk: Desk) -> None:
    desk.ask(ANN)
    desk.ledger.broken = True
    with pytest.raises(EngineError):
        desk.ask(BOB)
    desk.ledger.broken = False
    assert desk.ask(BOB).parts == ()


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Serve exports in a state folder; the yielded `uid` says who is at the socket."""
    asking = {"uid": ANN.uid}
    monkeypatch.setattr("ringfence.api.server.peer_uid", lambda _: asking["uid"])
    state = tmp_path / "state"
    state.mkdir()
    (state / "ringfence.yaml").write_text("")
    store, nothing = Store.create(state / "ringfence.db"), cast("Any", None)
    for name, uid, role in [("ann", 1001, "owner"), ("bob", 1002, "owner"), ("eve", 1003, "admin")]:
        store.principals.add(Principal(name, "operator", 1, role=role, uid=uid), "test")
    keys = KeyService(store, MasterKey(SECRET))
    with serving(app(keys, nothing, nothing, exports=Desk().service), state / "admin.sock"):
        yield asking


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(["vault", "shares", *words])


def test_the_commands_split_and_combine(gateway: dict[str, int], tmp_path: Path) -> None:
    config, out = str(tmp_path / "state" / "ringfence.yaml"), tmp_path / "shares"
    asked = run("split", "-c", config, "--out", str(out))
    assert "another owner must ask the same" in asked.stdout and not out.exists(), asked.stderr
    gateway["uid"] = 1003
    refused = run("split", "-c", config, "--out", str(out))
    assert refused.returncode != 0 and "eve is admin" in refused.stderr
    gateway["uid"] = BOB.uid
    done = run("split", "-c", config, "--out", str(out))
    assert "5 shares are in" in done.stdout, done.stderr
    files = sorted(out.iterdir())
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 5
    assert not any(file.read_text().strip() in done.stdout for file in files)

    master = tmp_path / "master.key"
    few = run("combine", *map(str, files[:2]), "--out", str(master))
    assert few.returncode != 0 and "it takes 3" in few.stderr and not master.exists()
    given = run("combine", *map(str, files[2:]), "--out", str(master))
    assert given.returncode == 0 and SECRET.hex() not in given.stdout, given.stderr
    assert bytes.fromhex(master.read_text()) == SECRET
    assert run("combine", *map(str, files[2:]), "--out", str(master)).returncode != 0


def test_shares_are_put_neither_into_the_state_folder_nor_over_others(
    gateway: dict[str, int], tmp_path: Path
) -> None:
    config = str(tmp_path / "state" / "ringfence.yaml")
    for out, said in [
        ("state/shares", "protect nothing"),
        ("state", "protect nothing"),
        ("", "is there already"),
    ]:
        refused = run("split", "-c", config, "--out", str(tmp_path / out))
        assert refused.returncode != 0 and said in refused.stderr
    assert Client(tmp_path / "state" / "admin.sock").export_shares(3, 5, "")["parts"] == []
