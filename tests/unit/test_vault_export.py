"""What leaves a vault opens for its recipient alone, whole, as two owners agreed; and once."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from demo.stage import LAUNCH, ringfence, running
from ringfence.api import AskedVault, VaultService, approvals
from ringfence.api.export_files import ExportFiles
from ringfence.config import shipped_dialects
from ringfence.config.certificate import private_pem
from ringfence.config.folder import write_private
from ringfence.config.model import Approval
from ringfence.config.text import read_document
from ringfence.errors import EngineError, ExportError, StepUpError, VaultError
from ringfence.identity import MasterKey, Vault, VenueKey
from ringfence.identity.export import LASTS_US, Head, Recipient, digest, opened, read_head, sealed
from ringfence.identity.seal.floor import Floor
from ringfence.identity.vault import opened_key
from tests.admin import ADMIN, CHIEF, OWNER, SECURITY, Gateway

SECRET = secrets.token_urlsafe(48)
MAIN = VenueKey("main", "okx", "id-1", "hmac-sha256", 7, SECRET.encode(), "phrase")
SPARE = VenueKey("spare", "okx", "id-2", "hmac-sha256", 8, SECRET[::-1].encode(), "phrase")
KEY = X25519PrivateKey.generate()
TO = Recipient.of(KEY)
NOW = 1_800_000_000_000_000
HEAD = Head("id", "gw1", {"venue_keys": []}, TO.fingerprint, NOW, NOW + LASTS_US)
CONTENT = b"what is sealed"


def code(error: pytest.ExceptionInfo[Any]) -> str:
    return str(error.value.code)


def test_only_the_recipient_opens_it_and_every_changed_byte_is_seen() -> None:
    file = sealed(HEAD, CONTENT, TO)
    assert opened(file, KEY, NOW) == (HEAD, CONTENT)
    assert CONTENT not in file and file != sealed(HEAD, CONTENT, TO)
    with pytest.raises(ExportError, match="it is sealed to the key") as refused:
        opened(file, X25519PrivateKey.generate(), NOW)
    assert code(refused) == "export_recipient"
    # The last newline is no part of what is sealed.
    for at in range(len(file) - 1):
        with pytest.raises(ExportError) as refused:
            opened(file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :], KEY, NOW)
        assert code(refused) in ("export_damaged", "export_recipient")
    for cut in (b"", file[:40], file[:-30], file + file, b"[]\n", b"{}\n"):
        with pytest.raises(ExportError) as refused:
            opened(cut, KEY, NOW)
        assert code(refused) == "export_damaged"


def test_a_head_of_one_file_does_not_fit_another() -> None:
    other = Head("id", "gw2", HEAD.what, TO.fingerprint, NOW, NOW + LASTS_US)
    lines = [sealed(head, CONTENT, TO).split(b"\n") for head in (HEAD, other)]
    with pytest.raises(ExportError, match="it was changed"):
        opened(b"\n".join([lines[1][0], lines[0][1], b""]), KEY, NOW)


def test_a_file_that_lay_about_for_a_day_is_not_taken_in() -> None:
    file = sealed(HEAD, CONTENT, TO)
    assert opened(file, KEY, NOW + LASTS_US - 1)
    with pytest.raises(ExportError) as refused:
        opened(file, KEY, NOW + LASTS_US)
    assert code(refused) == "export_expired"


@pytest.mark.parametrize(
    "text",
    ["", TO.line()[:-1], TO.line()[12:], "ringfence-recipient AAAA"],
    ids=["nothing", "cut", "headless", "short"],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    assert Recipient.read(f" {TO.line()}\n") == TO
    with pytest.raises(ExportError) as refused:
        Recipient.read(text)
    assert code(refused) == "export_recipient"


def test_nothing_is_sealed_to_a_key_to_which_everything_is_the_same() -> None:
    weak = Recipient(bytes(32))
    with pytest.raises(ExportError) as refused:
        sealed(HEAD, CONTENT, weak)
    assert code(refused) == "export_recipient"


class Desk(Gateway):
    """An admin API that has a vault with two keys."""

    def __init__(self, folder: Path, **more: Any) -> None:
        super().__init__(folder, **more)
        self.root = MasterKey(bytes(32))
        self.vault = Vault(folder / "venues.sealed", self.root, Floor(folder / "seal.db"))
        self.vault.write([MAIN, SPARE])
        files = ExportFiles(self.root, self.store, self.record, "gw1", self.vault)
        self._services["files"] = files

    def ask(self, uid: int = OWNER, **more: Any) -> Any:
        body = {"recipient": TO.line(), "venue_keys": ["main"], "why": "move"} | more
        return self.post("/exports/files", body, uid).json()

    def say(self, name: str, word: str, uid: int) -> Any:
        return self.post(f"/approvals/{name}/{word}", uid=uid).json()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_another_owner_approves_and_who_asked_gets_it_once(desk: Desk) -> None:
    asked = desk.ask()
    name, what = asked["id"], asked["parameters"]["what"]
    assert what == {
        "venue_keys": [
            {
                "name": "main",
                "dialect": "okx",
                "key_id": "id-1",
                "algorithm": "hmac-sha256",
                "added_us": 7,
            }
        ]
    }
    assert asked["parameters"]["fingerprint"] == TO.fingerprint
    assert (asked["act"], asked["need"], asked["roles"]) == ("vault.export", 1, ["owner"])
    assert asked["expires_us"] - asked["asked_us"] == 86_400_000_000
    assert desk.ask()["id"] == name
    for uid, word, said in [
        (OWNER, "execute", "approval_state"),
        (OWNER, "approve", "approval_own"),
        (ADMIN, "approve", "approval_role"),
        (SECURITY, "approve", "approval_role"),
        (CHIEF, "execute", "approval_other"),
    ]:
        assert desk.say(name, word, uid)["code"] == said
    assert desk.say(name, "approve", CHIEF)["standing"] == "approved"
    made = desk.say(name, "execute", OWNER)
    file = base64.b64decode(made["file"])
    head, content = opened(file, KEY, read_head(file).made_us)
    assert [opened_key(row) for row in json.loads(content)] == [MAIN]
    assert (head.approval, head.gateway, head.what) == (name, "gw1", what)
    assert desk.say(name, "execute", OWNER)["code"] == "approval_state"
    told = dict(desk.told)
    assert told["export.made"] == {
        "what": "venue keys main",
        "who": "somebody",
        "approval": name,
        "approved_by": "chief",
        "fingerprint": TO.fingerprint,
        "sha256": digest(file),
        "why": "move",
    }
    assert made["sha256"] == digest(file)
    assert SECRET not in repr(desk.told) + repr(asked) + repr(made)


def test_nobody_but_an_owner_asks(desk: Desk) -> None:
    for uid in (ADMIN, SECURITY, 4_900_000):
        assert desk.ask(uid)["code"] == "role_missing"


def test_an_export_needs_a_step_up_where_such_are_asked_for(tmp_path: Path) -> None:
    assert Desk(tmp_path, required=True).ask()["code"] == "step_up_required"


def test_no_configuration_lets_one_operator_do_it(tmp_path: Path) -> None:
    rule = Approval(need=1, roles=("security",), scopes=("withdraw",), wait_s=60)
    asked = Desk(tmp_path, rules={"vault.export": rule}).ask()
    assert (asked["need"], asked["roles"]) == (1, ["owner"])
    assert asked["not_before_us"] - asked["asked_us"] == 60_000_000
    two = Desk(tmp_path, rules={"vault.export": Approval(need=2, roles=("owner",))}).ask()
    assert two["need"] == 2


def test_without_that_rule_who_asks_would_get_it_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Approval.model_construct(need=0, roles=("owner",), scopes=(), wait_s=0, expire_s=86_400)
    monkeypatch.setitem(approvals.ALWAYS, "vault.export", alone)
    bare = ApprovalsOf(desk)
    name = bare.request("vault.export", "owner", {"what": {"venue_keys": []}})["id"]
    assert bare.one(name)["standing"] == "approved"
    monkeypatch.undo()
    assert ApprovalsOf(desk).one(name)["standing"] == "open"


def ApprovalsOf(desk: Desk) -> approvals.ApprovalService:  # noqa: N802
    """Return the requests of a desk under the rules of this moment."""
    tree = desk.store.principals
    return approvals.ApprovalService(desk.keys.approvals, tree, {}, desk.record)


def test_what_was_changed_since_it_was_approved_does_not_leave(desk: Desk) -> None:
    name = desk.ask()["id"]
    desk.say(name, "approve", CHIEF)
    again = VenueKey("main", "okx", "id-1", "hmac-sha256", 9, b"another", "phrase")
    desk.vault.write([again, SPARE])
    assert desk.say(name, "execute", OWNER)["code"] == "export_changed"
    assert desk.say(name, "execute", OWNER)["code"] == "approval_state"
    assert "export.made" not in dict(desk.told)


def test_what_the_ledger_does_not_take_is_not_given_out(desk: Desk) -> None:
    files = desk._services["files"]
    of = desk.ask()["parameters"]
    desk.writable = False
    with pytest.raises(EngineError):
        files.make(of, "ann", ("chief:id",))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"venue_keys": []}, "name venue keys, or a shard"),
        ({"shard": 7}, "name venue keys, or a shard"),
        ({"venue_keys": ["main", "other"]}, "there is no venue key other"),
        ({"recipient": "nobody"}, "a recipient is a line"),
    ],
)
def test_what_cannot_leave_is_not_asked_for(desk: Desk, more: dict[str, Any], said: str) -> None:
    assert said in desk.ask(**more)["detail"]
    assert desk.get("/approvals") == []


class Firm:
    """Stands in for a configuration whose listener speaks one dialect."""

    def __init__(self, dialect: str) -> None:
        self.dialects = {dialect: read_document(shipped_dialects()[dialect])}

    def venue_keys(self) -> set[str]:
        return set()


class Other:
    """Another vault, into which keys are taken."""

    def __init__(self, folder: Path, dialect: str = "okx") -> None:
        self.told: list[Any] = []
        self.vault = Vault(folder / "keys" / "venues.sealed", MasterKey(secrets.token_bytes(32)))
        loaded = cast("Any", Firm(dialect))
        self.service = VaultService(self.vault, loaded, lambda *event: self.told.append(event))

    def take_in(self, *keys: VenueKey) -> list[str]:
        taken = self.service.take_in(keys, {"sha256": "ab"}, "move", "bob")
        return [one["name"] for one in taken]


def test_keys_are_taken_in_together_or_not_at_all(tmp_path: Path) -> None:
    other = Other(tmp_path)
    same = VenueKey("else", "okx", "id-2", "hmac-sha256", 8, b"other", "phrase")
    assert other.take_in(MAIN) == ["main"]
    for keys in ((SPARE, MAIN), (MAIN, SPARE)):
        with pytest.raises(ExportError, match="has main already") as refused:
            other.take_in(*keys)
        assert code(refused) == "export_there"
    assert other.vault.read() == {"main": MAIN}
    assert other.take_in(SPARE) == ["spare"]
    with pytest.raises(ExportError, match="has spare already"):
        other.take_in(same)
    with pytest.raises(ExportError, match="has twin already"):
        other.take_in(replace(MAIN, name="twin", key_id="3"), replace(MAIN, name="b", key_id="3"))
    assert other.told[0] == (
        "vault.imported",
        {"sha256": "ab", "who": "bob", "generation": 1, "why": "move"},
    )
    assert len(other.told) == 2


def test_keys_that_no_listener_could_use_are_not_taken_in(tmp_path: Path) -> None:
    other = Other(tmp_path, "binance")
    with pytest.raises(VaultError, match="no listener speaks okx"):
        other.take_in(MAIN)
    assert other.vault.read() == {} and other.told == []


def test_taking_in_needs_the_step_up_that_putting_a_key_needs(tmp_path: Path) -> None:
    asked = AskedVault(Other(tmp_path).service, "bob")
    with pytest.raises(StepUpError):
        asked.take_in([MAIN], {}, "")


def test_the_command_takes_venue_keys_into_a_folder_and_its_gateway_knows_them(
    tmp_path: Path,
) -> None:
    state, key, file = tmp_path / "state", tmp_path / "key", tmp_path / "out"
    never = ("--plain", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9")
    ringfence("init", "--egress", *never, str(state))
    write_private(key, private_pem(KEY))
    mine = replace(MAIN, dialect="binance", passphrase=None)
    what = {"venue_keys": [{"name": "main"}]}
    now_us = time.time_ns() // 1_000
    head = Head("id", "gw1", what, TO.fingerprint, now_us, now_us + LASTS_US)
    file.write_bytes(sealed(head, json.dumps([mine.row()]).encode(), TO))
    there = ("-c", str(state / "ringfence.yaml"))
    bring = ("vault", "import", str(file), "--key", str(key), *there)
    sure = ("--sha256", digest(file.read_bytes()))
    with running(tmp_path / "log", "serve", *there):
        refused = LAUNCH.completed([*bring, *sure])
        assert "[gateway_running]" in refused.stderr
    assert ringfence(*bring, *sure)["from"] == "gw1"
    assert "[export_there]" in LAUNCH.completed([*bring, *sure]).stderr
    with running(tmp_path / "log", "serve", *there):
        listed: Any = ringfence("vault", "list", *there)
    assert [(one["name"], one["key_id"]) for one in listed] == [("main", "id-1")]
    assert SECRET not in (tmp_path / "log").read_text()
