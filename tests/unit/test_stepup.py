"""What gives more rights needs a fresh proof of a factor, whichever way it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pyotp
import pytest

from ringfence.api import Asked, NewKey, NewPrincipal, StepUps
from ringfence.api.operators import ENDPOINTS, STEP_UP
from ringfence.errors import StepUpError
from ringfence.identity.stepup import ACTS, StepUp, require_step_up
from tests.admin import ADMIN, CHIEF, OWNER, SECOND_US, Gateway

KEY = {"account": "desk", "scopes": ["read"], "allow": ["10.0.0.1"], "key_id": "key-0001"}


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """Return a gateway in whose first minutes nobody has a factor."""
    return Gateway(tmp_path)


def asked_for(gateway: Gateway, uid: int = OWNER) -> list[str]:
    """Return what is refused for want of a step-up, of all that gives more; does the rest."""
    gateway.keys.create(NewKey("desk", ["read"], ["any"], expires_us=2**52), "test")
    [*_, made] = gateway.keys.all()
    place, number = f"/keys/{made['key_id']}", len(gateway.keys.all())
    operator = {"kind": "operator", "role": "auditor", "uid": 4_000_100 + number}
    acts = {
        "key.create": ("/keys", {**KEY, "key_id": f"key-9{number:03}"}),
        "key.scope": (f"{place}/scopes", {"scopes": ["read", "trade"]}),
        "key.expire": (f"{place}/expire", {"expires_us": 2**52 + 1}),
        "key.rotate": (f"{place}/rotate", {"overlap_us": 0}),
        "key.resume": (f"{place}/resume", {}),
        "principal.resume": ("/principals/desk/resume", {}),
        "operator.create": ("/principals", {"name": f"new-{number}", **operator}),
    }
    refused = []
    for act, (path, body) in acts.items():
        answer = gateway.post(path, body, uid)
        if answer.status_code == 401:
            refused.append(act)
        else:
            assert answer.status_code == 200, (act, answer.json())
    assert refused in ([], list(acts)), refused
    return refused


def test_in_the_first_minutes_nothing_is_asked_for(gateway: Gateway) -> None:
    assert asked_for(gateway) == []


def test_once_one_operator_has_a_factor_all_are_asked(gateway: Gateway) -> None:
    gateway.enrol()
    assert asked_for(gateway) == []
    assert asked_for(gateway, ADMIN)
    gateway.aged(1_000)
    assert asked_for(gateway)


def test_a_removed_factor_does_not_end_it(gateway: Gateway) -> None:
    gateway.enrol()
    assert gateway.post("/mfa/totp/remove").status_code == 200
    assert asked_for(gateway)


def test_required_asks_before_anybody_has_a_factor(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, required=True)
    assert asked_for(gateway)
    gateway.enrol()
    assert asked_for(gateway) == []


def test_without_the_judgement_nothing_is_refused(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.enrol()
    monkeypatch.setattr(StepUps, "require", lambda *_: None)
    assert asked_for(gateway, ADMIN) == []


def test_what_takes_rights_away_needs_none(gateway: Gateway) -> None:
    gateway.post("/keys", KEY)
    gateway.enrol()
    gateway.aged(100_000)
    place = "/keys/key-0001"
    assert gateway.post(f"{place}/suspend").status_code == 200
    assert gateway.post(f"{place}/expire", {"expires_us": 2**51}).status_code == 200
    assert gateway.post(f"{place}/revoke").status_code == 200
    assert gateway.post("/principals/desk/suspend").status_code == 200
    assert set(STEP_UP) <= set(ENDPOINTS) and set(STEP_UP.values()) <= set(ACTS)
    assert not any("suspend" in one or "revoke" in one for one in STEP_UP)


def test_the_answer_says_which_proof_and_how_fresh(gateway: Gateway) -> None:
    gateway.enrol()
    gateway.aged(901)
    answer = gateway.post("/keys", KEY)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        'Ringfence error="insufficient_user_authentication", acr_values="totp passkey", max_age=900'
    )
    said = answer.json()
    assert (said["error"], said["acr_values"], said["max_age"]) == (
        "insufficient_user_authentication",
        "totp passkey",
        900,
    )
    assert said["code"] == "step_up_required" and "ringfence mfa step-up" in said["hint"]


def test_a_step_up_is_good_for_its_time(gateway: Gateway) -> None:
    made = gateway.enrol(shift=-1)
    gateway.aged(901)
    assert gateway.post("/keys", KEY).status_code == 401
    proved = gateway.post("/mfa/step-up", {"code": made.now()})
    assert proved.json()["step_up"]["by"] == "totp"
    assert gateway.post("/keys", KEY).status_code == 200
    assert [name for name, _ in gateway.told] == ["factor.enrolled", "step_up.proved"]
    assert gateway.told[-1][1] == {"operator": "owner", "who": "somebody", "kind": "totp"}


def test_a_wrong_code_proves_nothing_and_is_told(gateway: Gateway) -> None:
    made = gateway.enrol(shift=-1)
    gateway.aged(901)
    wrong = f"{(int(made.now()) + 1) % 1_000_000:06}"
    assert gateway.post("/mfa/step-up", {"code": wrong}).json()["code"] == "totp_wrong"
    assert gateway.post("/keys", KEY).status_code == 401
    name, detail = gateway.told[-1]
    assert (name, detail["code"]) == ("factor.refused", "totp_wrong")
    assert wrong not in str(gateway.told)


def test_what_the_ledger_does_not_take_is_no_step_up_and_no_factor(gateway: Gateway) -> None:
    gateway.writable = False
    made = pyotp.TOTP(gateway.post("/mfa/totp").json()["secret"])
    refused = gateway.post("/mfa/totp/confirm", {"code": made.at(int(time.time()) - 30)})
    assert refused.json()["code"] == "ledger_unavailable"
    assert not gateway.keys.factors.has_totp("owner")
    gateway.writable = True
    made = gateway.enrol(shift=-1)
    gateway.aged(901)
    gateway.writable = False
    assert gateway.post("/mfa/step-up", {"code": made.now()}).status_code == 409
    assert gateway.post("/keys", KEY).status_code == 401


def test_a_recovery_code_leads_back_to_a_factor_and_to_nothing_else(gateway: Gateway) -> None:
    gateway.enrol(shift=-1)
    codes = gateway.post("/mfa/recovery").json()
    gateway.aged(901)
    assert gateway.post("/mfa/totp/remove").status_code == 401
    gateway.post("/mfa/step-up", {"kind": "recovery", "code": codes[0]})
    assert gateway.post("/keys", KEY).status_code == 401
    assert gateway.post("/mfa/totp/remove").status_code == 200
    gateway.enrol()
    assert gateway.post("/keys", KEY).status_code == 200


def test_an_operator_enrols_once_admitted_by_another(gateway: Gateway) -> None:
    gateway.enrol()
    # A thief at an operator who never enrolled must not make the first factor theirs.
    assert gateway.post("/mfa/totp", uid=ADMIN).json()["code"] == "step_up_required"
    assert gateway.post("/mfa/owner/reset").json()["code"] == "factor_own"
    assert gateway.post("/mfa/desk/reset").json()["code"] == "principal_unknown"
    assert gateway.post("/mfa/admin/reset", {"why": "new phone"}).status_code == 200
    assert gateway.told[-1][1]["why"] == "new phone"
    gateway.enrol(ADMIN)
    gateway.aged(86_401, "admitted", "admin")
    gateway.keys.factors.remove_totp("admin", 1)
    assert gateway.post("/mfa/totp", uid=ADMIN).status_code == 401


def test_a_secret_that_was_begun_before_is_no_way_round_that(gateway: Gateway) -> None:
    made = pyotp.TOTP(gateway.post("/mfa/totp", uid=CHIEF).json()["secret"])
    gateway.enrol()
    answer = gateway.post("/mfa/totp/confirm", {"code": made.now()}, CHIEF)
    assert answer.json()["code"] == "step_up_required"
    assert gateway.post("/mfa/totp").json()["code"] == "totp_enrolled"


def test_an_owner_enrols_first_or_the_others_would_be_locked_out(gateway: Gateway) -> None:
    assert gateway.post("/mfa/totp", uid=ADMIN).json()["code"] == "factor_first"
    assert asked_for(gateway) == []
    gateway.enrol()
    assert gateway.post("/mfa/admin/reset").status_code == 200
    gateway.enrol(ADMIN)
    assert asked_for(gateway, ADMIN) == []


def test_a_new_operator_may_enrol(gateway: Gateway) -> None:
    gateway.enrol()
    new = {"name": "ann", "kind": "operator", "role": "admin", "uid": 4_000_009}
    assert gateway.post("/principals", new).status_code == 200
    gateway.enrol(4_000_009)


def test_an_account_is_stepped_up_for_by_a_code_and_not_as_a_side_effect(gateway: Gateway) -> None:
    gateway.post("/keys", KEY)
    made = gateway.enrol(shift=-1)
    gateway.aged(901)
    wrong = {"code": f"{(int(made.now()) + 1) % 1_000_000:06}"}
    assert gateway.post("/mfa/accounts/desk/step-up", wrong).json()["code"] == "totp_wrong"
    for name, code in {"nobody": "principal_unknown", "admin": "principal_state"}.items():
        assert (
            gateway.post(f"/mfa/accounts/{name}/step-up", {"code": made.now()}).json()["code"]
            == code
        )
    gateway.writable = False
    spent = {"code": made.now()}
    assert gateway.post("/mfa/accounts/desk/step-up", spent).json()["code"] == "ledger_unavailable"
    assert set(gateway.opened) == {"owner"}
    gateway.writable = True
    assert gateway.post("/mfa/accounts/desk/step-up", spent).json()["code"] == "totp_wrong"
    later = {"code": made.at(int(time.time()) + 30)}
    assert gateway.post("/mfa/accounts/desk/step-up", later).status_code == 200
    assert gateway.opened[-1] == "desk"
    assert gateway.told[-1][1]["account"] == "desk"
    # It is not the operator's own step-up, too.
    assert gateway.post("/keys", {**KEY, "key_id": "key-0002"}).status_code == 401


def test_the_store_of_a_stopped_gateway_asks_for_the_same(gateway: Gateway) -> None:
    gateway.enrol()
    alone = Asked(gateway.keys, "ann", gateway.step_ups.may("owner"))
    other = Asked(gateway.keys, "bob", gateway.step_ups.may(None))
    made = alone.create(NewKey("desk", ["read"], ["10.0.0.1"]))
    operator = NewPrincipal("ann", "operator", role="auditor", uid=9)
    for more in cast(
        "list[Callable[[], Any]]",
        [
            lambda: other.create(NewKey("desk", ["read"], ["10.0.0.1"])),
            lambda: other.rescope(made["key_id"], ["trade"], ""),
            lambda: other.step(made["key_id"], "resume", ""),
            lambda: other.step_principal("desk", "resume", ""),
            lambda: other.create_principal(operator),
        ],
    ):
        with pytest.raises(StepUpError):
            more()
    other.step(made["key_id"], "suspend", "")


@pytest.mark.parametrize(
    ("proof", "enough"),
    [
        (None, False),
        (StepUp("totp", 0), True),
        (StepUp("passkey", 0), True),
        (StepUp("passkey", -901 * SECOND_US), False),
        (StepUp("recovery", 0), False),
        (StepUp("admitted", 0), False),
        (StepUp("anything", 0), False),
        (StepUp("totp", 1), False),  # Of the future.
        (StepUp("totp", -900 * SECOND_US), True),
        (StepUp("totp", -900 * SECOND_US - 1), False),
    ],
    ids=str,
)
def test_a_proof_is_enough_when_strong_and_fresh(proof: StepUp | None, enough: bool) -> None:
    refusal = nullcontext() if enough else pytest.raises(StepUpError)
    with refusal:
        require_step_up("key.create", "", proof, 0, enrolled=["totp"])


def test_an_act_without_a_rule_is_refused() -> None:
    with pytest.raises(StepUpError, match="nothing says"):
        require_step_up("key.paint", "", StepUp("totp", 0), 0, enrolled=["totp"])
