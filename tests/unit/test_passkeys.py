"""A passkey is enrolled, proves and is removed on the gateway's page, by its own operator alone."""

from __future__ import annotations

from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import (
    booleans,
    dictionaries,
    integers,
    just,
    lists,
    none,
    recursive,
    sampled_from,
)
from hypothesis.strategies import text as texts
from sqlalchemy import text, update
from webauthn import verify_authentication_response

from ringfence.api import links
from ringfence.errors import FactorError
from ringfence.identity import MasterKey, Store
from ringfence.identity.factor import Challenges, Factors, RelyingParty, passkey
from ringfence.identity.factor.passkey import Passkey, Used
from ringfence.identity.factor.schema import PASSKEY
from ringfence.identity.factor.statement import challenge_for
from tests.admin import ADMIN, OWNER, SECURITY, Gateway
from tests.authenticator import RP, SITE, UP, Authenticator
from tests.browser import Browser, token_of

KEY = {"account": "desk", "scopes": ["read"], "allow": ["10.0.0.1"], "key_id": "key-0001"}
MADE = Passkey(
    bytes(32), "ann", "laptop", b"cose", 5, False, False, "0" * 32, 7, transports=("usb",)
)


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """Return a gateway in whose first minutes nobody has a factor."""
    return Gateway(tmp_path)


def link(gateway: Gateway, path: str, body: Any = None, uid: int = OWNER) -> str:
    """Return the link that a command opens."""
    answer = gateway.post(path, body, uid)
    assert answer.status_code == 200, answer.json()
    opened: str = answer.json()["link"]
    return opened


def enrolled(gateway: Gateway, uid: int = OWNER, **more: Any) -> Authenticator:
    """Enrol a device as its operator does."""
    device = Authenticator(**more)
    opened = link(gateway, "/mfa/passkeys", {"label": "laptop"}, uid)
    answer = Browser(gateway.site).perform(opened, device)
    assert "in force" in answer["said"], answer
    return device


def test_what_is_kept_is_what_was_enrolled(empty: Path | str) -> None:
    place = empty
    if isinstance(place, Path):
        place.unlink()
        Store.create(place)
    kept = Factors(Store(place).database, MasterKey(bytes(32))).passkeys
    assert (kept.any("ann"), kept.ever()) == (False, False)
    kept.add(MADE, lambda: None)
    assert kept.of("ann") == [MADE]
    used = kept.use("ann", bytes(32), lambda _: Used(6, True), 9)
    assert kept.of("ann") == [used] and (used.sign_count, used.used_us) == (6, 9)
    for operator, name in (("bob", bytes(32)), ("ann", b"another")):
        with pytest.raises(FactorError) as refusal:
            kept.use(operator, name, lambda _: Used(7, True), 9)
        assert refusal.value.code == "passkey_missing"
    kept.remove("ann", "laptop", 10)
    assert (kept.of("ann"), kept.any("ann"), kept.ever()) == ([], False, True)
    with pytest.raises(FactorError) as refusal:
        kept.add(MADE, lambda: None)
    assert refusal.value.code == "passkey_known"


@pytest.mark.parametrize(
    "changed", [{"operator": "bob"}, {"public_key": b"mine"}, {"backup_eligible": 1}, {"prf": 1}]
)
def test_who_can_write_the_store_can_change_no_passkey(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    store = Store.create(tmp_path / "state.db")
    kept = Factors(store.database, MasterKey(bytes(32))).passkeys
    kept.add(MADE, lambda: None)
    with store.database.transaction(writes=True) as db:
        db.execute(update(PASSKEY).values(**changed))
    with pytest.raises(FactorError) as refusal:
        kept.of(changed.get("operator", "ann"))
    assert refusal.value.code == "passkey_changed"


def test_an_operator_enrols_a_passkey_which_is_a_step_up(gateway: Gateway) -> None:
    enrolled(gateway)
    found = gateway.get("/mfa")
    assert [one["label"] for one in found["passkeys"]] == ["laptop"]
    assert found["step_up"]["by"] == "passkey" and found["asked"]
    assert gateway.post("/keys", KEY).status_code == 200
    name, detail = gateway.told[0]
    assert (name, detail["kind"]) == ("factor.enrolled", "passkey")
    assert detail["passkey"] == found["passkeys"][0]["id"]


def test_a_passkey_proves_again_and_again_with_a_link_each(gateway: Gateway) -> None:
    device = enrolled(gateway)
    for _ in range(2):
        gateway.aged(1_000, "passkey")
        refused = gateway.post("/keys", KEY)
        assert (refused.status_code, "--passkey" in refused.json()["hint"]) == (401, True)
        opened = gateway.post("/mfa/passkeys/step-up").json()
        assert Browser(gateway.site).perform(opened["link"], device)["said"]
        assert gateway.get(f"/mfa/links/{opened['id']}")["state"] == "done"
    assert gateway.post("/keys", KEY).status_code == 200
    assert gateway.told[-1][1]["kind"] == "passkey"


def test_an_account_is_stepped_up_for_by_passkey_and_nobody_else(gateway: Gateway) -> None:
    gateway.post("/keys", KEY)
    device = enrolled(gateway)
    gateway.aged(1_000, "passkey")
    opened = link(gateway, "/mfa/accounts/desk/passkey")
    assert "desk" in Browser(gateway.site).perform(opened, device)["said"]
    assert gateway.opened == ["owner", "desk"]
    # It is not the operator's own step-up, too.
    assert gateway.post("/keys", {**KEY, "key_id": "key-0002"}).status_code == 401
    for name, code in {"nobody": "principal_unknown", "admin": "principal_state"}.items():
        assert gateway.post(f"/mfa/accounts/{name}/passkey").json()["code"] == code


def test_a_link_is_good_once_and_in_one_browser(gateway: Gateway) -> None:
    device = enrolled(gateway)
    opened = link(gateway, "/mfa/passkeys/step-up")
    mine, thief = Browser(gateway.site), Browser(gateway.site)
    assert mine.post("/begin", token=token_of(opened))[0] == 200
    assert thief.perform(opened, device)["code"] == "link_unknown"
    thief.cookies = {"ringfence": "x" * 43}
    assert thief.perform(opened, device)["code"] == "link_unknown"
    assert "said" in mine.perform(opened, device)
    assert mine.perform(opened, device)["code"] == "link_unknown"


def test_one_browser_has_several_links(gateway: Gateway) -> None:
    device, web = enrolled(gateway), Browser(gateway.site)
    first, second = (link(gateway, "/mfa/passkeys/step-up") for _ in range(2))
    for opened in (first, second):
        assert web.post("/begin", token=token_of(opened))[0] == 200
    for opened in (first, second):
        assert "said" in web.perform(opened, device)


def test_a_link_ends_after_minutes_and_after_failures(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = enrolled(gateway)
    opened = link(gateway, "/mfa/passkeys/step-up")
    monkeypatch.setattr(links, "LIFE_US", 0)
    old = link(gateway, "/mfa/passkeys/step-up")
    assert Browser(gateway.site).perform(old, device)["code"] == "link_unknown"
    browser, wrong = Browser(gateway.site), Authenticator(credential_id=device.credential_id)
    for _ in range(links.TRIES):
        assert browser.perform(opened, wrong)["code"] == "passkey_refused"
    assert browser.perform(opened, device)["code"] == "link_unknown"


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "no user verification": ({"flags": UP}, "passkey_refused"),
    "an embedded page": ({"client": {"crossOrigin": True}}, "passkey_refused"),
    "another origin": ({"origin": "https://evil.example"}, "passkey_refused"),
    "another party": ({"rp": "evil.example"}, "passkey_refused"),
    "another challenge": ({"client": {"challenge": "Y2hhbGxlbmdl"}}, "challenge_unknown"),
    "a counter that went back": ({"step": -1}, "passkey_counter"),
    "another's passkey": ({"credential_id": b"other" * 7}, "passkey_missing"),
    "another's handle": ({"handle": b"bob"}, "passkey_refused"),
}


@pytest.mark.parametrize(("switch", "code"), MALFORMED.values(), ids=MALFORMED.keys())
def test_no_step_up_by(gateway: Gateway, switch: dict[str, Any], code: str) -> None:
    device = enrolled(gateway, count=5)
    gateway.aged(1_000, "passkey")
    for name, value in switch.items():
        setattr(device, name, value)
    opened = link(gateway, "/mfa/passkeys/step-up")
    assert Browser(gateway.site).perform(opened, device)["code"] == code
    assert gateway.post("/keys", KEY).status_code == 401
    assert gateway.told[-1] == (
        "factor.refused",
        {"operator": "owner", "who": "somebody", "kind": "passkey", "code": code},
    )


@pytest.mark.parametrize(
    ("control", "instead", "switch"),
    [
        ("verified", True, {"flags": UP}),
        ("_check_page", lambda *_: None, {"client": {"crossOrigin": True}}),
    ],
)
def test_without_the_control_it_would_pass(
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    control: str,
    instead: Any,
    switch: dict[str, Any],
) -> None:
    device = enrolled(gateway)
    for name, value in switch.items():
        setattr(device, name, value)
    if control == "verified":

        def lax(**asked: Any) -> Any:
            return verify_authentication_response(**{**asked, "require_user_verification": False})

        monkeypatch.setattr(passkey, "verify_authentication_response", lax)
    else:
        monkeypatch.setattr(RelyingParty, control, instead)
    opened = link(gateway, "/mfa/passkeys/step-up")
    assert "said" in Browser(gateway.site).perform(opened, device)


def test_an_answer_is_good_once(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    device = enrolled(gateway, count=0, step=0)
    first, second = Browser(gateway.site), Browser(gateway.site)
    one, other = (token_of(link(gateway, "/mfa/passkeys/step-up")) for _ in range(2))
    begun = first.post("/begin", token=one)[1]
    second.post("/begin", token=other)
    answer = device.get(challenge_for(begun["statement"].encode()))
    # Of another link's, and then twice.
    assert second.post("/finish", token=other, answer=answer)[1]["code"] == "challenge_unknown"
    assert first.post("/finish", token=one, answer=answer)[1]["code"] == "challenge_unknown"
    # With challenges that are good for ever, it would pass.
    kept = begun["statement"].encode()
    monkeypatch.setattr(Challenges, "take", lambda *_: kept)
    assert "said" in second.post("/finish", token=other, answer=answer)[1]


def test_an_operator_who_is_out_of_use_meanwhile_proves_nothing(gateway: Gateway) -> None:
    gateway.post("/keys", KEY)
    device = enrolled(gateway)
    assert gateway.post("/mfa/admin/reset").status_code == 200
    admins = enrolled(gateway, ADMIN)
    opened = link(gateway, "/mfa/accounts/desk/passkey", uid=ADMIN)
    assert gateway.post("/principals/admin/suspend").status_code == 200
    assert Browser(gateway.site).perform(opened, admins)["code"] == "role_missing"
    assert device.count == 0


def test_a_second_factor_needs_the_first_and_a_thief_gets_none(gateway: Gateway) -> None:
    assert gateway.post("/mfa/passkeys", {"label": "x"}, ADMIN).json()["code"] == "factor_first"
    enrolled(gateway)
    gateway.aged(301, "passkey")
    for path, body in {"/mfa/passkeys": {"label": "two"}, "/mfa/totp": None}.items():
        assert gateway.post(path, body).json()["code"] == "step_up_required"
    # Who never enrolled waits for an owner.
    refused = gateway.post("/mfa/passkeys", {"label": "x"}, SECURITY)
    assert refused.json()["code"] == "step_up_required"


def test_a_removed_passkey_proves_nothing_and_step_ups_stay_asked_for(gateway: Gateway) -> None:
    device = enrolled(gateway)
    opened = link(gateway, "/mfa/passkeys/step-up")
    assert gateway.post("/mfa/passkeys/remove", {"label": "laptop"}).status_code == 200
    assert Browser(gateway.site).perform(opened, device)["code"] == "passkey_missing"
    assert gateway.post("/keys", KEY).status_code == 401
    assert gateway.post("/mfa/passkeys/step-up").json()["code"] == "passkey_missing"
    enrolled(gateway)
    assert gateway.post("/keys", KEY).status_code == 200


def test_a_reset_takes_passkeys_too(gateway: Gateway) -> None:
    enrolled(gateway)
    assert gateway.post("/mfa/admin/reset").status_code == 200
    enrolled(gateway, ADMIN)
    assert gateway.post("/mfa/admin/reset").json()["passkeys"] == []


@pytest.mark.parametrize("label", ["", " a", "a" * 65, "a\n", "laptop"])
def test_a_label_that_cannot_be_kept_is_refused_before_the_page(
    gateway: Gateway, label: str
) -> None:
    enrolled(gateway)
    assert gateway.post("/mfa/passkeys", {"label": label}).json()["code"] == "passkey_label"


def test_what_the_ledger_does_not_take_is_no_passkey_and_no_step_up(gateway: Gateway) -> None:
    opened = link(gateway, "/mfa/passkeys", {"label": "laptop"})
    gateway.writable = False
    answer = Browser(gateway.site).perform(opened, Authenticator())
    assert answer["code"] == "ledger_unavailable"
    assert gateway.get("/mfa")["passkeys"] == []
    gateway.writable = True
    device = enrolled(gateway)
    gateway.aged(1_000, "passkey")
    opened = link(gateway, "/mfa/passkeys/step-up")
    gateway.writable = False
    assert Browser(gateway.site).perform(opened, device)["code"] == "ledger_unavailable"
    assert gateway.get("/mfa")["step_up"]["by"] == "passkey"
    assert gateway.post("/keys", KEY).status_code == 401


def test_no_link_and_no_answer_is_in_the_ledger_or_the_store(
    gateway: Gateway, tmp_path: Path
) -> None:
    device = enrolled(gateway)
    opened = link(gateway, "/mfa/passkeys/step-up")
    Browser(gateway.site).perform(opened, device)
    with gateway.store.database.transaction() as db:
        rows = str(db.execute(text("SELECT * FROM passkey")).all())
    assert token_of(opened) not in rows + str(gateway.told) + repr(gateway.passkeys.__dict__)
    assert SITE.startswith("http://" + RP)


ANYTHING = recursive(
    none() | booleans() | integers() | texts() | just("AAAA"),
    lambda inner: lists(inner, max_size=3) | dictionaries(texts(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sampled_from(["id", "rawId", "type", "response", "clientExtensionResults", "sealed"])
INSIDE = sampled_from(["clientDataJSON", "authenticatorData", "signature", "userHandle"])


NUMBERS = count()


@cache
def anybody() -> Gateway:
    """Return the gateway of all examples."""
    return Gateway(Path(mkdtemp()))


@given(found=dictionaries(FIELDS, ANYTHING), inside=dictionaries(INSIDE, ANYTHING), real=booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_a_browser_answers_is_refused_by_a_code(
    found: dict[str, Any], inside: dict[str, Any], real: bool
) -> None:
    gateway, label = anybody(), f"laptop {next(NUMBERS)}"
    opened = link(gateway, "/mfa/passkeys", {"label": label})
    browser, token = Browser(gateway.site), token_of(opened)
    begun = browser.post("/begin", token=token)[1]
    if real:
        whole = Authenticator().create(challenge_for(begun["statement"].encode()))
        found = whole | found | {"response": whole["response"] | inside}
    status, answer = browser.post("/finish", token=token, answer=found)
    if status == 200:
        assert gateway.post("/mfa/passkeys/remove", {"label": label}).status_code == 200
    else:
        assert (status, set(answer)) == (409, {"code", "message", "hint"})
