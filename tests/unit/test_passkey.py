"""A passkey proves that its own operator verified themself, here and now, or it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ringfence.errors import FactorError
from ringfence.identity.factor import RelyingParty, passkey
from ringfence.identity.factor.passkey import MAX_ID_BYTES, Passkey, challenge_of
from tests.authenticator import BE, BS, RP, SITE, UP, UV, Authenticator, b64

PARTY = RelyingParty(RP, (SITE,))
ASKED = b"c" * 32
ANSWERED = b"d" * 32


def enrolled(device: Authenticator, operator: str = "ann") -> Passkey:
    """Enrol `device`."""
    return PARTY.enrolled(operator, "laptop", device.create(ASKED), ASKED, 7)


def code_of(call: Callable[[], Any]) -> str:
    """Return the code by which `call` is refused."""
    with pytest.raises(FactorError) as refusal:
        call()
    return refusal.value.code


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["es256", "eddsa", "rs256"],
)
def test_a_passkey_is_enrolled_and_used(key: Any) -> None:
    device = Authenticator(key)
    made = enrolled(device)
    assert made.operator == "ann"
    assert made.credential_id == device.credential_id
    used = PARTY.used(made, device.get(ANSWERED), ANSWERED)
    assert used.sign_count == 1


def test_what_is_asked_of_a_browser_demands_verification() -> None:
    options = PARTY.registration("ann", ASKED, [b"known" * 4])
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["attestation"] == "none"
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert options["excludeCredentials"][0]["id"] == b64(b"known" * 4)
    assert options["timeout"] <= 120_000
    assert PARTY.assertion(ASKED, [])["userVerification"] == "required"


ENROL: dict[str, dict[str, Any]] = {
    "no user verification": {"flags": UP},
    "nobody present": {"flags": UV},
    "an embedded page": {"client": {"crossOrigin": True}},
    "a word for a truth": {"client": {"crossOrigin": "false"}},
    "below a foreign page": {"client": {"topOrigin": "https://evil.example"}},
    "another origin": {"origin": "https://evil.example"},
    "another port": {"origin": "http://localhost:9444"},
    "another party": {"rp": "evil.example"},
    "the other ceremony": {"client": {"type": "webauthn.get"}},
    "another challenge": {"client": {"challenge": b64(b"e" * 32)}},
    "a long id": {"credential_id": bytes(MAX_ID_BYTES + 1)},
    "a short id": {"credential_id": bytes(15)},
    "P-384 under ES256's number": {"key": ec.generate_private_key(ec.SECP384R1()), "alg": -7},
    "ES384": {"key": ec.generate_private_key(ec.SECP384R1()), "alg": -35},
    "short RSA": {"key": rsa.generate_private_key(65537, 1024)},  # noqa: S505
    "backed up and not eligible": {"flags": UP | UV | BS},
    "an attestation": {"fmt": "packed"},
}


@pytest.mark.parametrize("switch", ENROL.values(), ids=ENROL.keys())
def test_an_enrolment_is_refused_with(switch: dict[str, Any]) -> None:
    assert code_of(lambda: enrolled(Authenticator(**switch))) == "passkey_refused"


def test_the_longest_id_is_taken() -> None:
    assert enrolled(Authenticator(credential_id=bytes(MAX_ID_BYTES)))


USE = {
    name: switch
    for name, switch in ENROL.items()
    if not {"credential_id", "key", "fmt"} & switch.keys()
    and "type" not in switch.get("client", {})
} | {
    "the other ceremony": {"client": {"type": "webauthn.create"}},
    "another's handle": {"handle": b"bob"},
    "a key that could not be backed up and can": {"flags": UP | UV | BE},
    "another id": {"credential_id": b"x" * 32},
    "another key": {"key": ec.generate_private_key(ec.SECP256R1())},
}


@pytest.mark.parametrize("switch", USE.values(), ids=USE.keys())
def test_an_assertion_is_refused_with(switch: dict[str, Any]) -> None:
    device = Authenticator()
    made = enrolled(device)
    for name, value in switch.items():
        setattr(device, name, value)
    assert code_of(lambda: PARTY.used(made, device.get(ANSWERED), ANSWERED)) == "passkey_refused"


def test_client_data_that_says_a_thing_twice_is_refused() -> None:
    device = Authenticator()
    answer = device.create(ASKED)
    twice = json.dumps({"type": "webauthn.create", "challenge": b64(ASKED), "origin": SITE})
    twice = twice[:-1] + ', "crossOrigin": true, "crossOrigin": false}'
    answer["response"]["clientDataJSON"] = b64(twice.encode())
    assert code_of(lambda: PARTY.enrolled("ann", "", answer, ASKED, 7)) == "passkey_refused"


@pytest.mark.parametrize("answer", [{}, {"response": 3}, {"response": {"clientDataJSON": "%"}}])
def test_what_is_no_answer_is_refused(answer: dict[str, Any]) -> None:
    assert code_of(lambda: challenge_of(answer)) == "passkey_refused"
    assert code_of(lambda: PARTY.enrolled("ann", "", answer, ASKED, 7)) == "passkey_refused"


def test_a_counter_that_does_not_rise_is_told_apart() -> None:
    device = Authenticator(count=5)
    made = enrolled(device)
    device.count = 4
    assert code_of(lambda: PARTY.used(made, device.get(ANSWERED), ANSWERED)) == "passkey_counter"


def test_who_cannot_sign_does_not_raise_the_alarm() -> None:
    device = Authenticator(count=5)
    made = enrolled(device)
    device.count, device.key = 0, ec.generate_private_key(ec.SECP256R1())
    assert code_of(lambda: PARTY.used(made, device.get(ANSWERED), ANSWERED)) == "passkey_refused"


def test_a_passkey_that_counts_nothing_is_good_again() -> None:
    device = Authenticator(step=0)
    made = enrolled(device)
    for _ in range(2):
        assert PARTY.used(made, device.get(ANSWERED), ANSWERED).sign_count == 0


@pytest.mark.parametrize(
    ("control", "attack"),
    [
        ("RelyingParty._check_page", {"client": {"crossOrigin": True}}),
        ("check_counter", {"count": 2}),
    ],
)
def test_without_the_control_the_attack_succeeds(
    monkeypatch: pytest.MonkeyPatch, control: str, attack: dict[str, Any]
) -> None:
    device = Authenticator(count=5)
    made = enrolled(device)
    for name, value in attack.items():
        setattr(device, name, value)
    answer = device.get(ANSWERED)
    code_of(lambda: PARTY.used(made, answer, ANSWERED))
    monkeypatch.setattr(f"{passkey.__name__}.{control}", lambda *_: None)
    PARTY.used(made, answer, ANSWERED)
