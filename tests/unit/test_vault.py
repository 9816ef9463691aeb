"""The vault opens only with its own master key and whole; what it holds is shown to nobody."""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from ringfence.api import NewVenueKey, VaultService
from ringfence.config import Loaded, shipped_dialects
from ringfence.config.certificate import private_pem
from ringfence.config.text import read_document
from ringfence.engine import Engine
from ringfence.errors import EngineError, VaultError
from ringfence.identity import MasterKey, Vault, VenueKey
from ringfence.identity.keypair import make_pair
from ringfence.identity.seal.floor import Floor
from ringfence.identity.vault import exact, read_material

SECRET = secrets.token_urlsafe(48)
PHRASE = secrets.token_urlsafe(12)
KEY = VenueKey("main", "okx", "id-1", "hmac-sha256", 7, SECRET.encode(), PHRASE)


@pytest.fixture
def master() -> MasterKey:
    return MasterKey(secrets.token_bytes(32))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "venues.sealed"


def test_what_was_sealed_is_opened_again(file: Path, master: MasterKey) -> None:
    vault = Vault(file, master)
    assert vault.read() == {}
    vault.write([KEY])
    assert vault.read() == {"main": KEY}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_every_changed_byte_is_seen_and_nothing_is_overwritten(
    file: Path, master: MasterKey
) -> None:
    vault = Vault(file, master)
    vault.write([KEY])
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        # The last newline is no part of what is sealed.
        if at == len(whole) - 1:
            continue
        with pytest.raises(VaultError):
            vault.read()
    for cut in (b"", whole[:40], whole[: len(whole) // 2], whole + whole):
        file.write_bytes(cut)
        with pytest.raises(VaultError, match="damaged, or sealed by another"):
            vault.read()
        assert file.read_bytes() == cut


def test_another_master_key_opens_nothing(file: Path, master: MasterKey) -> None:
    Vault(file, master).write([KEY])
    with pytest.raises(VaultError) as refused:
        Vault(file, MasterKey(secrets.token_bytes(32))).read()
    assert SECRET not in repr(refused.value)


def test_the_names_are_bound_to_what_is_sealed(file: Path, master: MasterKey) -> None:
    vault = Vault(file, master)
    vault.write([KEY])
    first = file.read_bytes().split(b"\n")
    vault.write([])
    second = file.read_bytes().split(b"\n")
    for taken in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2)):
        mixed = [first[at] if at in taken else line for at, line in enumerate(second)]
        file.write_bytes(b"\n".join(mixed))
        with pytest.raises(VaultError):
            vault.read()


def test_an_older_file_that_was_put_back_is_noticed(
    file: Path, master: MasterKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(file, master, Floor(tmp_path / "seal.db"))
    assert vault.read() == {}
    vault.write([KEY])
    older = file.read_bytes()
    vault.write([])
    file.write_bytes(older)
    for _ in range(2):
        with pytest.raises(VaultError, match="an older one was put back") as refused:
            vault.read()
        assert refused.value.code == "vault_rolled_back"
    file.unlink()
    with pytest.raises(VaultError) as refused:
        vault.read()
    assert refused.value.code == "vault_rolled_back"
    file.write_bytes(older)
    file.chmod(0o600)
    with monkeypatch.context() as patch:
        patch.setattr(Floor, "check", lambda *_: None)
        assert vault.read() == {"main": KEY}
    # Whoever takes it for the newest makes it so, and tells the ledger.
    told: list[Any] = []
    loaded = cast("Loaded", Firm("okx"))
    service = VaultService(vault, loaded, lambda *event: told.append(event))
    assert [one["name"] for one in service.accept("the newest is lost", "ann")] == ["main"]
    assert told == [
        ("vault.accepted", {"found": 1, "generation": 3, "who": "ann", "why": "the newest is lost"})
    ]
    assert vault.read() == {"main": KEY}
    for left in tmp_path.glob("seal.db*"):
        left.unlink()
    with pytest.raises(VaultError, match="is gone"):
        vault.read()


def test_a_file_of_the_first_form_is_read_and_written_anew(
    file: Path, master: MasterKey, tmp_path: Path
) -> None:
    rows = [{**KEY.for_engine(), "added_us": KEY.added_us}]
    named = [{"name": KEY.name, "dialect": KEY.dialect, "algorithm": KEY.algorithm}]
    head = json.dumps({"keys": named, "version": 1}).encode()
    nonce = bytes(12)
    cipher = AESGCMSIV(master.vault_key())
    body = base64.b64encode(nonce + cipher.encrypt(nonce, json.dumps(rows).encode(), head))
    file.parent.mkdir()
    file.write_bytes(head + b"\n" + body + b"\n")
    file.chmod(0o600)
    vault = Vault(file, master, Floor(tmp_path / "seal.db"))
    assert vault.read() == {"main": KEY}
    vault.write([KEY])
    assert vault.found() == (1, {"main": KEY})
    assert json.loads(file.read_bytes().split(b"\n")[0])["version"] == 2


def test_a_file_that_others_may_read_is_not_used(file: Path, master: MasterKey) -> None:
    vault = Vault(file, master)
    vault.write([KEY])
    file.chmod(0o640)
    with pytest.raises(VaultError, match="others than its owner"):
        vault.read()


def test_what_fails_leaves_what_was_there(
    file: Path, master: MasterKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(file, master)
    vault.write([KEY])

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Exception, match="No space left"):
        vault.write([])
    assert vault.read() == {"main": KEY}
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_the_same_keys_are_never_sealed_alike(file: Path, master: MasterKey) -> None:
    vault = Vault(file, master)
    vault.write([KEY])
    first = file.read_bytes()
    vault.write([KEY])
    assert file.read_bytes() != first
    assert SECRET.encode() not in first
    assert b"id-1" not in first


def test_nothing_that_signs_is_shown() -> None:
    shown = repr(KEY) + repr(KEY.shown()) + repr(NewVenueKey("a", "b", "c", SECRET, PHRASE))
    assert SECRET not in shown
    assert PHRASE not in shown


def test_secrets_are_read_as_venues_hand_them_out() -> None:
    assert read_material(f" {SECRET}\n") == ("hmac-sha256", SECRET.encode())
    pair = Ed25519PrivateKey.generate()
    assert read_material(private_pem(pair).decode()) == ("ed25519", pair.private_bytes_raw())
    strong, _public = make_pair("rsa-pkcs1-sha256")
    assert read_material(strong.decode())[0] == "rsa-pkcs1-sha256"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "two words",
        "zwölf",
        "x" * 16_385,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        private_pem(ec.generate_private_key(ec.SECP384R1())).decode(),
    ],
)
def test_what_is_no_secret_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(VaultError) as refused:
        read_material(text)
    assert not text.strip() or text not in str(refused.value)


class RecordingEngine:
    """Stands in for the engine: keeps the names that it is told, or refuses."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.refuses = ""

    def put_venue_keys(self, keys: list[dict[str, Any]]) -> int:
        self.note("keys", [key["name"] for key in keys])
        return len(keys)

    def record(self, name: str, detail: Any) -> None:
        self.note("event", (name, dict(detail)))

    def note(self, kind: str, what: Any) -> None:
        if self.refuses == kind:
            raise EngineError("the engine refuses", code="ledger_unavailable")
        self.told.append(what)


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine()


class Firm:
    """Stands in for a configuration: what its listeners speak, and which keys its accounts use."""

    def __init__(self, *dialects: str) -> None:
        self.dialects = {name: read_document(shipped_dialects()[name]) for name in dialects}

    def venue_keys(self) -> set[str]:
        return {"main"}


@pytest.fixture
def service(file: Path, master: MasterKey, engine: RecordingEngine) -> VaultService:
    loaded = cast("Loaded", Firm("binance", "okx"))
    return VaultService(Vault(file, master), loaded, engine.record, cast("Engine", engine))


def test_a_key_is_told_of_then_kept_then_in_force(
    service: VaultService, engine: RecordingEngine, file: Path
) -> None:
    wanted = NewVenueKey("main", "binance", "id-1", SECRET, why="new desk")
    done = service.put_venue_key(wanted, "ann (uid 7)")
    assert done["in_force"] and done["used"]
    (name, detail), keys = engine.told
    assert (name, detail["who"], detail["why"], keys) == (
        "vault.put", "ann (uid 7)", "new desk", ["main"],
    )  # fmt: skip
    assert SECRET not in repr(engine.told) + repr(done) + repr(service.venue_keys())
    engine.refuses = "event"
    with pytest.raises(EngineError):
        service.put_venue_key(NewVenueKey("other", "binance", "id-2", SECRET), "ann")
    assert [one["name"] for one in service.venue_keys()] == ["main"]


def test_a_key_that_no_account_uses_is_not_said_to_be_in_force(service: VaultService) -> None:
    done = service.put_venue_key(NewVenueKey("spare", "binance", "id-1", SECRET), "ann")
    assert (done["used"], done["in_force"]) == (False, False)


def test_a_removal_does_not_wait_for_the_ledger(
    service: VaultService, engine: RecordingEngine
) -> None:
    service.put_venue_key(NewVenueKey("main", "binance", "id-1", SECRET), "ann")
    engine.refuses = "event"
    with pytest.raises(EngineError):
        service.remove_venue_key("main", "", "ann")
    assert service.venue_keys() == []
    assert engine.told[-1] == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (NewVenueKey("a b", "binance", "id", SECRET), "is not a name"),
        (NewVenueKey("main", "kraken", "id", SECRET), "no listener speaks kraken"),
        (NewVenueKey("main", "binance", "", SECRET), "the key's id"),
        (NewVenueKey("main", "okx", "id", SECRET), "with a passphrase"),
        (NewVenueKey("main", "binance", "id", SECRET, PHRASE), "without a passphrase"),
        (NewVenueKey("main", "binance", "id-1", SECRET), "first is this very key"),
    ],
)
def test_what_could_not_sign_is_not_kept(
    service: VaultService, wanted: NewVenueKey, said: str
) -> None:
    service.put_venue_key(NewVenueKey("first", "binance", "id-1", SECRET), "ann")
    with pytest.raises(VaultError, match=said) as refused:
        service.put_venue_key(wanted, "ann")
    assert SECRET not in str(refused.value)
    assert [one["name"] for one in service.venue_keys()] == ["first"]


def test_a_secret_that_the_dialect_cannot_use_is_refused(
    file: Path, master: MasterKey, engine: RecordingEngine
) -> None:
    loaded = cast("Loaded", Firm("kraken"))
    service = VaultService(Vault(file, master), loaded, engine.record)
    with pytest.raises(VaultError, match="nothing can be signed"):
        service.put_venue_key(NewVenueKey("main", "kraken", "id", "not*base64"), "ann")
    assert not file.exists()


UNTOLD = {
    "hyperliquid": "its refusals are sentences, with the wallet's address in them",
    "ringfence-admin": "nothing is signed for it: it is our own admin API",
}


def test_every_dialect_says_what_its_venue_s_refusals_mean() -> None:
    for name, file in shipped_dialects().items():
        written = yaml.safe_load(file.read_text())
        if "signing" not in written:
            continue
        assert ("venue_errors" in written) != (name in UNTOLD), name
        if name not in UNTOLD:
            assert written["venue_errors"]["code"], name
            assert written["venue_errors"]["key_refused"], name
        moves = {route["operation"] for route in written["routes"]}
        assert ("withdraw.create" in moves) == ("withdraw_fields" in written), name
        assert ("transfer.create" in moves) == ("transfer_fields" in written), name


def test_base64_that_another_text_would_mean_too_is_refused() -> None:
    # 'QQ==' and 'QR==' are both b'A' to a decoder that ignores the spare bits.
    assert exact(b"QQ==") == exact("QQ==") == b"A"
    for text in (b"QR==", b"QQ=", b"QQ==\n", b" QQ=="):
        with pytest.raises(ValueError):
            exact(text)
