"""What a passkey approves is the text that the page shows, and that text is what is done."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from sqlalchemy import text

from ringfence.api import passkeys
from ringfence.config.model import Approval
from ringfence.identity.approval import store as kept
from ringfence.identity.factor.statement import challenge_for
from tests import browser
from tests.admin import ADMIN, OWNER, SECURITY, Gateway
from tests.authenticator import Authenticator
from tests.browser import Browser, token_of

RULE = Approval(need=1, roles=("owner", "security"))
WIDE: dict[str, Any] = {"account": "desk", "scopes": ["withdraw"], "allow": ["10.0.0.1"]}
WIDE |= {"key_id": "key-0001"}


class Desk:
    """A gateway with an approver who has a passkey, and a request."""

    def __init__(self, folder: Path) -> None:
        self.gateway = Gateway(folder, rules={"key.create": RULE})
        self.owner = self.device(OWNER, "owner")
        # Who was just let in may enrol, and nothing else.
        for name in ("admin", "security"):
            assert self.gateway.post(f"/mfa/{name}/reset").status_code == 200
        self.security = self.device(SECURITY, "security")
        self.admin = self.device(ADMIN, "admin")
        assert self.gateway.post("/keys", WIDE, ADMIN).json()["code"] == "approval_required"
        self.name = str(self.gateway.get("/approvals")[-1]["id"])
        for name in ("owner", "security"):
            self.gateway.aged(1_000, "passkey", name)

    def device(self, uid: int, handle: str) -> Authenticator:
        made = Authenticator(handle=handle.encode())
        link = self.gateway.post("/mfa/passkeys", {"label": "key"}, uid).json()["link"]
        assert "said" in Browser(self.gateway.site).perform(link, made)
        return made

    def link(self, uid: int = SECURITY) -> str:
        """Return the link to the approval's page."""
        opened: str = self.gateway.post(f"/approvals/{self.name}/passkey", uid=uid).json()["link"]
        return opened

    def standing(self) -> str:
        return str(self.gateway.get(f"/approvals/{self.name}")["standing"])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return one."""
    return Desk(tmp_path)


def test_a_passkey_approves_without_another_step_up(desk: Desk) -> None:
    assert desk.gateway.post(f"/approvals/{desk.name}/approve", uid=SECURITY).status_code == 401
    answer = Browser(desk.gateway.site).perform(desk.link(), desk.security)
    assert answer["said"] == f"the request {desk.name} is approved"
    name, detail = desk.gateway.told[-1]
    assert (name, detail["operator"]) == ("approval.approved", "security")
    again = {"act": "approval.approve", "operator": "security", "gateway": "gw1"}
    again |= {"approval": desk.name, "nonce": detail["nonce"]}
    kept = json.loads(desk.gateway.keys.approvals.one(desk.name).canonical)
    text = rfc8785.dumps(again | {"description": kept})
    assert detail["statement"] == hashlib.sha256(text).hexdigest()
    assert len(detail["passkey"]) == 16
    # It was for this, and for nothing else that asks for a step-up.
    assert desk.gateway.post("/mfa/recovery", uid=SECURITY).status_code == 401
    assert desk.gateway.post(f"/approvals/{desk.name}/execute", uid=ADMIN).status_code == 200


def test_the_page_shows_what_would_be_done_word_for_word(desk: Desk) -> None:
    web = Browser(desk.gateway.site)
    shown = web.post("/begin", token=token_of(desk.link()))[1]
    said = json.loads(shown["statement"])
    kept = desk.gateway.keys.approvals.one(desk.name)
    assert said["description"] == json.loads(kept.canonical)
    assert said["description"]["parameters"]["key_id"] == "key-0001"
    assert (said["act"], said["operator"], said["approval"]) == (
        "approval.approve",
        "security",
        desk.name,
    )
    digest = hashlib.sha256(b"ringfence/statement/v1\0" + shown["statement"].encode()).digest()
    assert challenge_for(shown["statement"].encode()) == digest


def more(statement: str) -> str:
    """Return a statement that gives more."""
    assert '"10.0.0.1"' in statement
    return statement.replace('"10.0.0.1"', '"0.0.0.0/0"')


def test_a_signature_over_another_description_approves_nothing(desk: Desk) -> None:
    answer = Browser(desk.gateway.site).perform(desk.link(), desk.security, more)
    assert answer["code"] == "challenge_unknown"
    assert desk.standing() == "open"


def test_without_the_digest_it_would(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_the_nonce(statement: bytes) -> bytes:
        return hashlib.sha256(json.loads(statement)["nonce"].encode()).digest()

    monkeypatch.setattr(passkeys, "challenge_for", of_the_nonce)
    monkeypatch.setattr(browser, "challenge_for", of_the_nonce)
    answer = Browser(desk.gateway.site).perform(desk.link(), desk.security, more)
    assert answer["said"] == f"the request {desk.name} is approved"


def test_a_request_that_the_store_was_made_to_change_is_refused_on_the_page(desk: Desk) -> None:
    web, link = Browser(desk.gateway.site), desk.link()
    assert web.post("/begin", token=token_of(link))[0] == 200
    with desk.gateway.store.database.transaction(writes=True) as db:
        db.execute(text("UPDATE approval SET description = REPLACE(description, '10.0.0.1', '::')"))
    assert web.perform(link, desk.security)["code"] == "approval_changed"


def test_what_was_signed_is_what_is_approved_though_its_id_fits_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, link = Browser(desk.gateway.site), desk.link()

    def changed(statement: str) -> str:
        with desk.gateway.store.database.transaction(writes=True) as db:
            fits = "UPDATE approval SET description = REPLACE(description, '10.0.0.1', '::')"
            db.execute(text(fits))
        return statement

    monkeypatch.setattr(kept, "id_of", lambda _: desk.name)
    answer = web.perform(link, desk.security, changed)
    assert answer["code"] == "approval_changed"
    assert desk.standing() == "open"


def test_nobody_approves_by_another_s_passkey_or_what_they_asked_for(desk: Desk) -> None:
    for device in (desk.owner, desk.admin):
        answer = Browser(desk.gateway.site).perform(desk.link(), device)
        assert answer["code"] == "passkey_missing"
    own = desk.gateway.post(f"/approvals/{desk.name}/passkey", uid=ADMIN)
    assert own.json()["code"] in ("approval_own", "role_missing")
    assert desk.standing() == "open"


def test_one_vote_each_on_the_page_too(desk: Desk) -> None:
    first, second = desk.link(), desk.link()
    assert "said" in Browser(desk.gateway.site).perform(first, desk.security)
    assert Browser(desk.gateway.site).perform(second, desk.security)["code"] == "approval_voted"
    again = desk.gateway.post(f"/approvals/{desk.name}/passkey", uid=SECURITY)
    assert again.json()["code"] == "approval_voted"


def test_what_is_rejected_meanwhile_is_approved_no_more(desk: Desk) -> None:
    link = desk.link()
    assert desk.gateway.post(f"/approvals/{desk.name}/reject", uid=OWNER).status_code == 200
    answer = Browser(desk.gateway.site).perform(link, desk.security)
    assert answer["code"] == "approval_state"
