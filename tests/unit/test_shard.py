"""A gateway that has one shard's subtree derives that shard's secrets, and no other's."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from demo.stage import ringfence
from ringfence.api import KeyService, NewKey
from ringfence.api.export_files import ExportFiles
from ringfence.api.exports import ExportService
from ringfence.api.server import app, serving
from ringfence.api.twofold import Person
from ringfence.config.certificate import private_pem
from ringfence.config.folder import Folder, write_private
from ringfence.errors import (
    DerivationError,
    ExportError,
    FileError,
    KeyTextError,
    SealError,
    ShardError,
    StoreError,
)
from ringfence.identity import MasterKey, Store
from ringfence.identity import shard as shards
from ringfence.identity.bulk import elsewhere, engine_records
from ringfence.identity.derivation import Place, Places, ShardKey
from ringfence.identity.export import LASTS_US, Head, Recipient, digest, sealed
from ringfence.identity.opened import open_master
from ringfence.identity.principal import Principal
from ringfence.identity.secret import RootKey
from ringfence.identity.shard import Shard
from ringfence.identity.subtree import SubtreeKey
from tests import forked

MASTER = secrets.token_bytes(32)
READ: dict[str, Any] = {"scopes": ["read"], "allow": ["127.0.0.1/32"]}


class Whole:
    """A gateway that has the master key: `desk` in shard 7, `fund` in shard 8, `old` in neither."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.store = Store.create(folder / "ringfence.db")
        self.root = MasterKey(MASTER, Places(folder / "ringfence.db"))
        self.keys = KeyService(self.store, self.root)
        self.secrets = {n: self.make(n, shard) for n, shard in [("desk", 7), ("fund", 8)]}

    def make(self, account: str, shard: int | None = None, **more: Any) -> str:
        made = self.keys.create(NewKey(account, **READ, shard=shard, **more), "test")
        return cast("str", made["secret"])

    def shard(self, number: int = 7) -> Shard:
        return Shard.decode(Shard.gather(self.store, self.root, number).encode())


class Cell:
    """A folder without a master key, and what becomes of it."""

    def __init__(self, folder: Path) -> None:
        (folder / "keys").mkdir(parents=True)
        self.folder = Folder(folder)
        self.store = Store.create(self.folder.store)

    def take(self, shard: Shard) -> None:
        shard.install(self.folder, self.store, "test", "")

    @property
    def root(self) -> RootKey:
        return open_master(self.folder)

    @property
    def keys(self) -> KeyService:
        return KeyService(self.store, self.root)


@pytest.fixture
def whole(tmp_path: Path) -> Whole:
    return Whole(tmp_path / "whole")


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    return Cell(tmp_path / "cell")


def test_a_shard_brings_its_secrets_and_no_other_s(whole: Whole, cell: Cell) -> None:
    cell.take(whole.shard())
    [one] = cell.store.all()
    root = cell.root
    assert isinstance(root, SubtreeKey) and root.home == 7
    assert root.secret(one.key_id, 1) == whole.secrets["desk"]
    assert [one.account for one in cell.store.all()] == ["desk"]
    for number in (0, 8):
        with pytest.raises(ShardError, match=f"has shard 7, not shard {number}"):
            root.shard(number)
    with pytest.raises(ShardError, match="stands in no shard"):
        root.secret("key-of-old", 1)
    with pytest.raises(SealError, match="no master key"):
        ExportService(root, cast("Any", None)).shares(3, 5, Person(1, "ann"), "")
    assert elsewhere(cell.store, root.home) == 0


def test_no_byte_of_the_folder_tells_of_the_master_key_or_another_shard(
    whole: Whole, cell: Cell
) -> None:
    cell.take(whole.shard())
    told = b"".join(file.read_bytes() for file in cell.folder.path.rglob("*") if file.is_file())
    other, own = (ShardKey.derive(MASTER, n).material() for n in (8, 7))
    for secret in (MASTER, other[:32], other[32:], whole.secrets["fund"].encode()):
        assert secret not in told and secret.hex().encode() not in told
    # What must be there shows that this looks where things are.
    assert own.hex().encode() in told


def test_new_keys_are_made_in_its_own_shard_alone(whole: Whole, cell: Cell) -> None:
    cell.take(whole.shard())
    made = cell.keys.create(NewKey("new", **READ), "test")
    own = ShardKey.derive(MASTER, 7)
    assert made["secret"] == own.secret("new", made["key_id"], 1)
    assert cell.keys.create(NewKey("new", **READ, shard=7), "test")["secret"]
    for number in (0, 8):
        with pytest.raises(ShardError, match=f"not shard {number}"):
            cell.keys.create(NewKey("other", **READ, shard=number), "test")
    assert {one.account for one in cell.store.all()} == {"desk", "new"}


def test_credentials_of_another_shard_are_left_out_and_counted(whole: Whole, cell: Cell) -> None:
    cell.take(whole.shard())
    # As if somebody had put the whole gateway's store there.
    fund = next(one for one in whole.store.all() if one.account == "fund")
    cell.store.add(fund, "test")
    Places(cell.folder.store).take(fund.key_id, whole.root.place(fund.key_id) or Place(""))
    root = cell.root
    records = b"".join(engine_records(cell.store, root))
    assert b'"desk"' in records and b'"fund"' not in records
    assert elsewhere(cell.store, root.home) == 1
    with pytest.raises(ShardError):
        root.secret(fund.key_id, 1)


def test_without_the_check_another_shard_s_credential_would_get_a_secret_that_is_not_its_own(
    whole: Whole, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell.take(whole.shard())
    fund = next(one for one in whole.store.all() if one.account == "fund")
    Places(cell.folder.store).take(fund.key_id, whole.root.place(fund.key_id) or Place(""))
    monkeypatch.setattr(SubtreeKey, "shard", lambda self, _: self._key)
    wrong = cell.root.secret(fund.key_id, 1)
    assert wrong != whole.secrets["fund"]


def test_an_account_has_one_shard_and_its_successors_stay_there(whole: Whole) -> None:
    with pytest.raises(ShardError, match="the keys of desk stand in shard 7"):
        whole.make("desk", 8)
    assert whole.make("desk", key_id="desk-second") == ShardKey.derive(MASTER, 7).secret(
        "desk", "desk-second", 1
    )
    assert whole.make("plain", key_id="plain-first") == ShardKey.derive(MASTER, 0).secret(
        "plain", "plain-first", 1
    )
    with pytest.raises(KeyTextError, match="no secret that stands in a shard"):
        public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"  # noqa: E501
        whole.make("other", 7, public_key=public)
    with pytest.raises(DerivationError):
        whole.make("wrong", 2**31)


def test_credentials_stand_as_they_stood_and_what_is_held_is_suspended(
    whole: Whole, cell: Cell
) -> None:
    for name in ("key-stopped", "key-revoked"):
        whole.make("desk", key_id=name)
    whole.keys.step("key-stopped", "suspend", "", "test")
    whole.keys.step("key-revoked", "deactivate", "", "test")
    whole.store.principals.add(Principal("late", "account", 1), "test")
    whole.make("late", 7, key_id="key-of-late")
    whole.store.principals.step("late", "suspend", "test", "", 2)
    cell.take(whole.shard())
    states = {one.key_id: one.state for one in cell.store.all()}
    assert states.pop("key-of-late") == "suspended"
    assert all(whole.store.one(key_id).state == state for key_id, state in states.items())
    assert states["key-revoked"] == "deactivated" and len(states) == 3


def test_what_is_there_is_not_overwritten(whole: Whole, cell: Cell, tmp_path: Path) -> None:
    cell.take(whole.shard())
    for number in (7, 8):
        with pytest.raises(ExportError, match=r"shard\.key is there already") as refused:
            cell.take(whole.shard(number))
        assert refused.value.code == "export_there"
    full = Cell(tmp_path / "full")
    write_private(full.folder.master_key, MASTER.hex().encode())
    with pytest.raises(ExportError, match=r"master\.key is there already"):
        full.take(whole.shard())
    assert full.store.all() == [] and not full.folder.shard_key.exists()


def test_a_shard_is_taken_in_whole_or_not_at_all(
    whole: Whole, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = whole.shard()
    cell.store.add(shard.credentials[0], "test")
    with pytest.raises(ExportError, match="exists already") as refused:
        cell.take(shard)
    assert refused.value.code == "export_there" and not cell.folder.shard_key.exists()

    def full(*_: Any) -> None:
        raise FileError("No space left on device")

    other = Cell(cell.folder.path / "other")
    monkeypatch.setattr(shards, "write_private", full)
    with pytest.raises(FileError):
        other.take(shard)
    assert other.store.all() == [] and Places(other.folder.store).shards() == []
    monkeypatch.undo()
    # The power fails between the file and the store: doing it again ends it.
    write_private(other.folder.shard_key, shard.line())
    other.take(shard)
    assert len(other.store.all()) == 1


def test_a_folder_with_both_keys_or_none_is_refused(whole: Whole, cell: Cell) -> None:
    with pytest.raises(StoreError, match="neither a master key nor a shard's subtree"):
        open_master(cell.folder)
    cell.take(whole.shard())
    write_private(cell.folder.master_key, MASTER.hex().encode())
    with pytest.raises(SealError, match="has both"):
        open_master(cell.folder)


@pytest.mark.parametrize(
    "text", ["", "7", "7 abcd", f"x {'0' * 128}", f"7 {'0' * 127}", "7 " + "g" * 128]
)
def test_what_is_no_subtree_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(StoreError) as refused:
        SubtreeKey.parse(text)
    assert len(text) < 3 or text not in str(refused.value)
    key = ShardKey.derive(MASTER, 7)
    assert SubtreeKey.parse(SubtreeKey(key).line().decode()).shard(7) == key
    assert key.material().hex() not in repr(SubtreeKey(key)) + repr(Shard(key, ()))


def test_a_shard_s_state_is_authenticated_under_a_key_of_its_own() -> None:
    one, other = (SubtreeKey(ShardKey.derive(MASTER, n)) for n in (1, 2))
    made = {one.derived(b"a", 32), one.derived(b"b", 32), other.derived(b"a", 32)}
    made |= {one.vault_key(), other.vault_key(), MasterKey(MASTER).derived(b"a", 32)}
    assert len(made) == 6


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Serve a gateway's exports in `whole`; the yielded `uid` says who is at the socket."""
    asking = {"uid": 1001}
    monkeypatch.setattr("ringfence.api.server.peer_uid", lambda _: asking["uid"])
    whole = Whole(tmp_path / "whole")
    (tmp_path / "whole" / "ringfence.yaml").write_text("")
    for name, uid in [("ann", 1001), ("bob", 1002)]:
        whole.store.principals.add(Principal(name, "operator", 1, role="owner", uid=uid), "test")
    nothing: Any = Quiet()
    files = ExportFiles(whole.root, whole.store, lambda *_: None, "gw1")
    made = app(whole.keys, nothing, nothing, files=files)
    with serving(made, tmp_path / "whole" / "admin.sock"):
        yield asking


class Quiet:
    """Stands where an engine would be that takes every event."""

    def event(self, *_: Any) -> None:
        """Take it."""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(words)


def failed(code: str, *words: str) -> str:
    done = run(*words)
    assert done.returncode == 1 and f"[{code}]" in done.stderr, done.stderr
    return done.stderr


def test_the_commands_bring_a_shard_from_one_gateway_to_another(
    gateway: dict[str, int], tmp_path: Path
) -> None:
    config, key, out = (
        str(tmp_path / "whole" / "ringfence.yaml"),
        tmp_path / "key",
        tmp_path / "out",
    )
    cell = tmp_path / "cell"
    never = ("--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9", "--plain")
    ringfence("init", "--for-shard", *never, str(cell))
    there = str(cell / "ringfence.yaml")
    assert "neither a master key" in failed("store_failed", "key", "list", "-c", there)
    to = ringfence("vault", "recipient", str(key))
    assert key.stat().st_mode & 0o777 == 0o600

    ask = ("vault", "export", "ask", "--shard", "7", "--to", f"{key}.pub", "-c", config)
    asked = ringfence(*ask, "--why", "own machine")
    assert asked["parameters"]["fingerprint"] == to["fingerprint"]
    take = ("vault", "export", "take", asked["id"], "--out", str(out), "-c", config)
    gateway["uid"] = 1002
    ringfence("approval", "approve", asked["id"], "-c", config)
    gateway["uid"] = 1001
    taken = ringfence(*take)
    assert taken["what"] == "shard 7: 1 credentials of 1 accounts"
    assert taken["sha256"] == digest(out.read_bytes())

    bring = ("vault", "import", str(out), "--key", str(key), "-c", there)
    failed("export_unconfirmed", *bring)
    failed("export_unconfirmed", *bring, "--sha256", "0" * 64)
    (tmp_path / "other").write_bytes(private_pem(X25519PrivateKey.generate()))
    (tmp_path / "other").chmod(0o600)
    sure = ("--sha256", taken["sha256"])
    wrong = ("--key", str(tmp_path / "other"), "-c", there)
    failed("export_recipient", "vault", "import", str(out), *wrong, *sure)
    assert ringfence(*bring, *sure)["what"]["shard"] == 7
    failed("export_there", *bring, *sure)
    listed: Any = ringfence("key", "list", "-c", there)
    assert [one["account"] for one in listed] == ["desk"]
    more = ("key", "create", "--account", "b", "--scope", "read", "--allow", "any", "--hmac")
    failed("shard_other", *more, "--shard", "8", "-c", there)
    made = ringfence(*more, "-c", there)
    assert made["secret"] == ShardKey.derive(MASTER, 7).secret("b", made["key_id"], 1)


def test_a_sealed_folder_takes_a_shard_in_sealed(tmp_path: Path) -> None:
    whole, cell, phrase = Whole(tmp_path / "whole"), tmp_path / "cell", tmp_path / "phrase"
    phrase.write_text(secrets.token_urlsafe(32))
    phrase.chmod(0o600)
    opened = ("--unlock-file", str(phrase))
    never = ("--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9", "--plain")
    ringfence(*opened, "init", "--for-shard", "--seal", "passphrase", *never, str(cell))
    file = exported(whole.shard(), tmp_path)
    there = ("-c", str(cell / "ringfence.yaml"))
    sure = ("--key", str(tmp_path / "key"), "--sha256", digest(file.read_bytes()))
    ringfence(*opened, "vault", "import", str(file), *sure, *there)
    assert ringfence(*opened, "vault", "unseal-check", *there) == {"opens": True, "sealed": True}
    material = ShardKey.derive(MASTER, 7).material()
    for part in (material, material[:32], material[32:]):
        for left in (one for one in cell.rglob("*") if one.is_file()):
            assert part not in left.read_bytes() and part.hex().encode() not in left.read_bytes()
    made = ("--account", "b", "--scope", "read", "--allow", "any", "--hmac")
    assert ringfence(*opened, "key", "create", *made, *there)["secret"]
    status = ringfence("vault", "status", *there)
    assert (status["derives_from"], status["clear"]) == ("a shard's subtree", [])


def exported(shard: Shard, folder: Path) -> Path:
    """Write a shard's export to a new key in `folder`, as a gateway would; return the file."""
    key = X25519PrivateKey.generate()
    write_private(folder / "key", private_pem(key))
    to = Recipient.of(key)
    what = {"shard": shard.key.shard, "credentials": 1, "accounts": shard.accounts()}
    now_us = time.time_ns() // 1_000
    head = Head("id", "gw1", what, to.fingerprint, now_us, now_us + LASTS_US)
    (folder / "out").write_bytes(sealed(head, shard.encode(), to))
    return folder / "out"


def test_what_holds_no_shard_is_not_taken_for_one(whole: Whole) -> None:
    for content in (b"", b"[]", b"{}", b'{"shard":7,"key":"ab","credentials":[]}'):
        with pytest.raises(ExportError, match="holds no shard") as refused:
            Shard.decode(content)
        assert refused.value.code == "export_damaged"
    row = whole.shard().encode().replace(b'"native"', b'"naive"')
    with pytest.raises(ExportError, match="holds no shard"):
        Shard.decode(row)
