"""What Wycheproof calls invalid is refused, and every valid signature of ours verifies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ringfence.errors import EngineError
from tests.conformance import wycheproof_adapter as ours

SUITE = Path(__file__).parents[3] / "shared" / "suites" / "crypto" / "wycheproof"
FILES = {
    "ecdsa_secp256r1_sha256": 484,
    "ecdsa_secp256r1_sha256_p1363": 262,
    "ed25519": 151,
    "hmac_sha256": 174,
    "json_web_signature": 401,
    "rsa_signature_2048_sha256": 259,
    "rsa_signature_3072_sha256": 259,
}
"""Each file of an algorithm that is ours, and its cases."""


Case = dict[str, Any]


def cut(group: Case, _: Case) -> bool:
    return bool(group.get("tagSize", 256) < 256)


def other_algorithm(group: Case, test: Case) -> bool:
    ours = ("ES256", "EdDSA", "RS256", "HS256")
    return "jws" in test and key(group).get("alg", "RS256") not in ours


NOT_OURS: dict[str, Callable[[Case, Case], bool]] = {
    "a tag that was cut is no signature here": cut,
    "tokens are signed by ES256, EdDSA, RS256 or HS256": other_algorithm,
}
"""Why a valid case is refused."""
MISLABELLED = {
    367: "the very token of 357, which is valid",
    370: "the very token of 357, which is valid",
    372: "a `?` in the header is no base64url, whose alphabet RFC 4648 closes",
    373: "a `?` in the payload is no base64url",
}
"""Tokens that the suite calls what they are not, and what they are."""

pytestmark = pytest.mark.skipif(not SUITE.exists(), reason="the suite's folder is absent")


def key(group: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = group.get("public") or group["private"]
    return found


def cases(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    suite = json.loads((SUITE / f"{name}_test.json").read_text())
    for group in suite["testGroups"]:
        for test in group["tests"]:
            yield group, test


def verified(name: str, group: dict[str, Any], test: dict[str, Any]) -> bool:
    try:
        return judge(name, group, test)
    except EngineError:
        return False


def judge(name: str, group: dict[str, Any], test: dict[str, Any]) -> bool:
    if name == "json_web_signature":
        token = test["jws"]
        return ours.verify_jws(key(group), token if isinstance(token, str) else json.dumps(token))
    message = bytes.fromhex(test["msg"])
    if name.startswith("hmac"):
        secret, tag = bytes.fromhex(test["key"]), bytes.fromhex(test["tag"])
        return ours.verify_mac("HMACSHA256", secret, message, tag)
    signature = bytes.fromhex(test["sig"])
    if name == "ed25519":
        public = bytes.fromhex(group["publicKey"]["pk"])
        return ours.verify_ed25519(public, message, signature)
    der = bytes.fromhex(group["publicKeyDer"])
    if name.startswith("rsa"):
        return ours.verify_rsa_pkcs1(der, group["sha"], message, signature)
    return ours.verify_ecdsa(der, group["sha"], message, signature, "p1363" in name)


@pytest.mark.parametrize("name", FILES)
def test_a_signature_is_judged_as_by_wycheproof(name: str) -> None:
    count = 0
    for group, test in cases(name):
        count += 1
        reasons = [why for why, meant in NOT_OURS.items() if meant(group, test)]
        mislabelled = name == "json_web_signature" and test["tcId"] in MISLABELLED
        wanted = (test["result"] == "valid") != mislabelled and not reasons
        # "acceptable" is a DigestInfo without its NULL: either answer is sound.
        if test["result"] != "acceptable":
            assert verified(name, group, test) == wanted, (test["tcId"], test["comment"], reasons)
    assert count == FILES[name]


def test_what_the_suite_mislabels_is_what_we_say_of_it() -> None:
    tokens = {test["tcId"]: test["jws"] for _, test in cases("json_web_signature")}
    assert tokens[367] == tokens[370] == tokens[357]
    assert "?" in tokens[372].split(".")[0]
    assert "?" in tokens[373].split(".")[1]


def test_every_reason_to_refuse_a_valid_case_is_used() -> None:
    used = {
        why
        for name in FILES
        for group, test in cases(name)
        for why, meant in NOT_OURS.items()
        if test["result"] == "valid" and meant(group, test)
    }
    assert used == set(NOT_OURS)
