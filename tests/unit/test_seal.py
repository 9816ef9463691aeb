"""A sealed state folder tells no secret, and opens only whole, newest and with its own key.

Whatever is wrong, the reason is said and no file is touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.stage import ringfence
from ringfence import config as configuration
from ringfence import engine
from ringfence.config.folder import Folder
from ringfence.errors import GatewayError, SealError
from ringfence.identity import MasterKey, opened
from ringfence.identity.opened import key_files, opened_state
from ringfence.identity.seal import passphrase
from ringfence.identity.seal.book import Book, Slot
from ringfence.identity.seal.floor import Floor
from ringfence.identity.seal.folder import SEAL, open_folder, rewrap
from ringfence.identity.seal.kek import make_kek
from ringfence.identity.seal.unlock import Unlock, asked

KEYS = ("keys/master.key", "keys/attestation.key", "keys/ledger.key", "tls/server.key")


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay a folder in the clear once."""
    folder = tmp_path_factory.mktemp("laid") / "state"
    ringfence("init", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", str(folder))
    return folder


@pytest.fixture
def folder(laid: Path, tmp_path: Path) -> Folder:
    """Return a folder in the clear."""
    shutil.copytree(laid, tmp_path / "state")
    return Folder(tmp_path / "state")


@pytest.fixture
def sealed(folder: Folder, tmp_path: Path) -> Folder:
    """Return a folder sealed under a key in a file beside it."""
    seal(folder, f"file:{tmp_path / 'kek'}")
    return folder


def loaded(folder: Folder) -> configuration.Loaded:
    return configuration.load(folder.config)


def seal(folder: Folder, word: str, unlock: Unlock | None = None, **more: Any) -> Book:
    """Bring a folder under another key, as `ringfence vault rewrap` does."""
    with open_folder(folder, more.pop("now", Unlock())) as opening:
        kek = make_kek(word, unlock or Unlock())
        try:
            return rewrap(folder, opening, kek, key_files(loaded(folder)), **more)
        finally:
            kek.close()


def master(folder: Folder, unlock: Unlock | None = None) -> str:
    """Open everything and return a secret of the master key, which proves that it is there."""
    with opened_state(loaded(folder), unlock or Unlock()) as state:
        state.check()
        return state.master.secret("key-0001", 1)


def content(folder: Folder) -> dict[str, str]:
    """Return a hash of every file but the store, and the floors, which count their readers."""
    files = [p for p in folder.path.rglob("*") if p.is_file() and ".db" not in p.name]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def code(folder: Folder, unlock: Unlock | None = None) -> str:
    """Open a folder, which must fail and touch nothing; return the code."""
    before = content(folder)
    with pytest.raises(GatewayError) as refusal:
        master(folder, unlock)
    assert content(folder) == before
    return refusal.value.code


def phrase(path: Path, text: str) -> Unlock:
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return Unlock(path)


def test_what_was_in_the_clear_is_in_no_byte_of_the_folder(folder: Folder, tmp_path: Path) -> None:
    known = [needle(folder.path / name) for name in KEYS]
    before, vkey = master(folder), engine.ledger_vkey(folder.path / "keys/ledger.key", "origin")

    def found() -> list[bool]:
        whole = b"".join(p.read_bytes() for p in folder.path.rglob("*") if p.is_file())
        return [one in whole for one in known]

    assert found() == [True] * len(KEYS)
    seal(folder, f"file:{tmp_path / 'kek'}")
    assert found() == [False] * len(KEYS)
    assert master(folder) == before
    # Verifying needs the public key alone.
    assert engine.ledger_vkey(folder.path / "keys/ledger.key", "origin") == vkey


def needle(path: Path) -> bytes:
    """Return the middle of a key file: what no other file has."""
    lines = [line for line in path.read_bytes().splitlines() if not line.startswith(b"-----")]
    return b"".join(lines)[24:56]


def test_a_passphrase_opens_and_another_does_not(folder: Folder, tmp_path: Path) -> None:
    text = secrets.token_urlsafe(16)
    right, wrong = phrase(tmp_path / "right", text), phrase(tmp_path / "wrong", text + "x")
    before = master(folder)
    seal(folder, "passphrase", right)
    assert master(folder, right) == before
    assert code(folder, wrong) == "seal_wrong_key"
    assert code(folder, phrase(tmp_path / "empty", "")) == "seal_locked"
    assert code(folder, Unlock(tmp_path / "none")) == "seal_locked"
    (tmp_path / "right").chmod(0o644)
    assert code(folder, right) == "seal_locked"
    assert text.encode() not in b"".join(p.read_bytes() for p in folder.path.rglob("*.*"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("memory_kib", 8), ("memory_kib", 1 << 22), ("passes", 1), ("passes", 99), ("lanes", 0)],
)
def test_a_seal_cannot_ask_for_too_little_or_too_much(name: str, value: int) -> None:
    asked = {**passphrase.CHOSEN, "salt": "AAAAAAAAAAAAAAAAAAAAAA==", name: value}
    with pytest.raises(SealError, match=f"Argon2id {name} is {value}, not"):
        passphrase.open_again({"kind": "passphrase", "argon2id": asked}, Unlock(Path("/none")))


def test_a_passphrase_is_taken_from_no_command_line_and_is_not_short(tmp_path: Path) -> None:
    with pytest.raises(SealError, match="no place on a command line"):
        make_kek("passphrase:secret", Unlock())
    with pytest.raises(SealError, match="at least 12 bytes"):
        make_kek("passphrase", phrase(tmp_path / "short", "short"))


def test_systemd_hands_the_passphrase_over(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = phrase(tmp_path / "ringfence.unlock", secrets.token_urlsafe(16))
    seal(folder, "passphrase", given)
    assert code(folder) == "seal_locked"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert len(master(folder)) == 64


def lose_kek(folder: Folder) -> None:
    (folder.path.parent / "kek").unlink()


def change_kek(folder: Folder) -> None:
    (folder.path.parent / "kek").write_text(secrets.token_hex(32) + "\n")


def cut_kek(folder: Folder) -> None:
    (folder.path.parent / "kek").write_text("00\n")


def cut_seal(folder: Folder) -> None:
    path = folder.path / SEAL
    path.write_bytes(path.read_bytes()[:-20])


def lose_seal(folder: Folder) -> None:
    (folder.path / SEAL).unlink()


def lose_floor(folder: Folder) -> None:
    for path in folder.path.glob("seal.db*"):
        path.unlink()


def swap(folder: Folder) -> None:
    one, other = (folder.path / name for name in KEYS[:2])
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def change_item(folder: Folder) -> None:
    path = folder.path / "keys/ledger.key"
    raw = bytearray(path.read_bytes())
    raw[-9] ^= 1
    path.write_bytes(raw)


def other_public(folder: Folder) -> None:
    path = folder.path / "keys/ledger.key"
    head, _, body = path.read_bytes().partition(b"\n")
    said = json.loads(head)
    said["public"] = "A" * 43 + "="
    path.write_bytes(json.dumps(said, separators=(",", ":")).encode() + b"\n" + body)


def clear_key(folder: Folder) -> None:
    (folder.path / "keys/master.key").write_text(secrets.token_hex(32) + "\n")


def raise_version(folder: Folder) -> None:
    said = json.loads((folder.path / SEAL).read_text())
    said["version"] += 1
    (folder.path / SEAL).write_text(json.dumps(said))


def allow_clear(folder: Folder) -> None:
    said = json.loads((folder.path / SEAL).read_text())
    said["pending"] = ["keys/master.key"]
    (folder.path / SEAL).write_text(json.dumps(said))
    clear_key(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose_kek, "seal_locked"),
        (change_kek, "seal_wrong_key"),
        (cut_kek, "seal_wrong_key"),
        (cut_seal, "seal_damaged"),
        (lose_seal, "seal_rolled_back"),
        (lose_floor, "seal_rolled_back"),
        (swap, "seal_damaged"),
        (change_item, "seal_damaged"),
        (other_public, "seal_damaged"),
        (clear_key, "seal_damaged"),
        (raise_version, "seal_wrong_key"),
        (allow_clear, "seal_wrong_key"),
    ],
)
def test_what_is_not_as_it_was_sealed_stops_the_start_and_nothing_is_overwritten(
    sealed: Folder, spoil: Callable[[Folder], None], said: str
) -> None:
    master(sealed)
    spoil(sealed)
    assert code(sealed) == said


def test_an_older_seal_put_back_is_noticed(sealed: Folder, tmp_path: Path) -> None:
    older = (sealed.path / SEAL).read_bytes()
    seal(sealed, f"file:{tmp_path / 'other'}")
    (sealed.path / SEAL).write_bytes(older)
    assert code(sealed) == "seal_rolled_back"


def test_an_older_seal_would_open_were_there_no_floor(
    sealed: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = (sealed.path / SEAL).read_bytes()
    seal(sealed, f"file:{tmp_path / 'other'}")
    (sealed.path / SEAL).write_bytes(older)
    monkeypatch.setattr(Floor, "check", lambda *_: None)
    assert len(master(sealed)) == 64


def test_every_changed_byte_of_the_seal_is_seen(sealed: Folder) -> None:
    path = sealed.path / SEAL
    whole = path.read_bytes()
    said = json.loads(whole)
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            same = json.loads(path.read_bytes()) == said
        except ValueError:
            same = False
        if not same:
            with pytest.raises(GatewayError), open_folder(sealed, Unlock()) as opening:
                assert opening is None
    path.write_bytes(whole)
    assert len(master(sealed)) == 64


def test_a_key_that_was_replaced_is_taken_only_when_it_is_named(
    sealed: Folder, laid: Path, tmp_path: Path
) -> None:
    replaced = sealed.path / "tls/server.key"
    shutil.copy(laid / "tls/server.key", replaced)
    kek = f"file:{tmp_path / 'kek'}"
    with pytest.raises(SealError, match="lies in the clear now"):
        seal(sealed, kek)
    assert seal(sealed, kek, adopted=["tls/server.key"]).items["tls/server.key"] == 2
    assert needle(laid / "tls/server.key") not in replaced.read_bytes()
    assert len(master(sealed)) == 64


def test_a_key_that_lies_in_the_clear_in_a_sealed_folder_is_refused(
    sealed: Folder, laid: Path
) -> None:
    shutil.copy(laid / "keys/ledger.key", sealed.path / "keys/second.key")
    text = sealed.config.read_text().replace("keys/ledger.key", "keys/second.key")
    sealed.config.write_text(text)
    with pytest.raises(SealError, match=r"keys/second.key lies in the clear"):
        master(sealed)


def test_keys_are_in_memory_alone_and_gone_when_the_engine_has_them(sealed: Folder) -> None:
    with opened_state(loaded(sealed), Unlock()) as state:
        places = list(state.files.values())
        assert len(places) == len(KEYS) - 1
        assert all(place.startswith("/proc/self/fd/") for place in places)
        state.close()
        assert not any(Path(place).exists() for place in places)


def quick(folder: Folder) -> str:
    """Open the folder, every item of it, without what else a start does."""
    with open_folder(folder, Unlock()) as opening:
        for name in () if opening is None else opening.book.items:
            assert opening is not None and opening.content(name)
    return opened.open_master(folder).secret("key-0001", 1)


def slots(folder: Folder) -> tuple[Slot, ...]:
    book = Book.read(folder.path / SEAL)
    assert book is not None
    return book.slots


def killed(folder: Folder, step: int, when: str, kek: Path) -> bool:
    """Seal a folder in a process that is killed at its `step`-th file; tell whether it was."""
    child = os.fork()
    if child == 0:
        real, left = os.replace, iter(range(step, -1, -1))

        def replace(source: Any, target: Any) -> None:
            last = next(left) == 0
            if not last or when == "after":
                real(source, target)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)

        vars(os)["replace"] = replace
        try:
            seal(folder, f"file:{kek}")
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL)
    return status != 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("start", ["clear", "sealed"])
def test_a_folder_opens_wherever_a_rewrap_was_killed_and_the_rewrap_can_be_done_again(
    laid: Path, tmp_path: Path, start: str, when: str
) -> None:
    step, ended = 0, False
    while not ended:
        folder = Folder(tmp_path / f"{step}" / "state")
        shutil.copytree(laid, folder.path)
        before = quick(folder)
        if start == "sealed":
            seal(folder, f"file:{tmp_path / 'first'}")
        ended = not killed(folder, step, when, tmp_path / "second")
        assert quick(folder) == before, step
        seal(folder, f"file:{tmp_path / 'second'}")
        assert quick(folder) == before, step
        # The first key is needed no more.
        assert [slot.kek["path"] for slot in slots(folder)] == [str(tmp_path / "second")]
        step += 1
    # Two seals are written, and four files where they lay in the clear.
    assert step - 1 == (6 if start == "clear" else 2)


def test_a_key_encryption_key_in_the_folder_is_refused(tmp_path: Path) -> None:
    from ringfence.cli.vault_seal import elsewhere

    (tmp_path / "link").symlink_to(tmp_path / "state")
    for place in ("state/kek", "state/keys/../kek", "link/kek"):
        with pytest.raises(SealError, match="protects nothing"):
            elsewhere(f"file:{tmp_path / place}", tmp_path / "state")
    elsewhere(f"file:{tmp_path / 'stateless'}", tmp_path / "state")


def test_who_cannot_be_asked_for_a_new_passphrase_is_told_how_else_to_give_it() -> None:
    for twice, way in ((True, "--new-unlock-file PATH"), (False, "--unlock-file PATH COMMAND")):
        with pytest.raises(SealError, match="there is nobody to ask") as refusal:
            asked("passphrase", twice=twice)
        assert way in refusal.value.hint


def test_the_master_key_opens_for_a_command_as_for_the_gateway(sealed: Folder) -> None:
    found = opened.open_master(sealed)
    assert isinstance(found, MasterKey) and found.secret("key-0001", 1) == master(sealed)
