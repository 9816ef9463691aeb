"""Captured requests verify by the shipped Binance dialect, and nothing else by their signatures."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ringfence.errors import EngineError
from tests.conformance.message import Seen, Sent, by_secret

SUITE = Path(__file__).parents[3] / "shared" / "suites" / "dialects" / "vectors.json"


def parse(raw: str) -> Sent:
    head, _, body = raw.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.splitlines()
    method, target, _ = first.split(" ")
    headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
    return Sent(method, target, headers, body.rstrip("\n").encode())


Captured = tuple[str, Sent, Callable[[Seen], bool]]


def verifier(suite: dict[str, Any], request: dict[str, Any]) -> Callable[[Seen], bool]:
    """Return what tells whether a reading's payload and signature belong together."""
    name = request["dialect"].removeprefix("binance-")
    if name not in suite["public_keys"]:
        return by_secret(suite["secrets"][request["secret"]])
    key = load_pem_public_key(suite["public_keys"][name].encode())

    def fits(seen: Seen) -> bool:
        payload = seen["payload"].encode()
        try:
            signature = base64.b64decode(seen["signature"], validate=True)
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, payload)
            else:
                assert isinstance(key, rsa.RSAPublicKey)
                key.verify(signature, payload, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True

    return fits


def captured() -> list[Captured]:
    if not SUITE.exists():
        return []
    suite = json.loads(SUITE.read_text())
    spot = [
        request
        for request in suite["requests"]
        if request["dialect"].startswith("binance") and " /api/v3/" in request["raw"]
    ]
    return [
        (f"{request['client']} {request['case']}", parse(request["raw"]), verifier(suite, request))
        for request in spot
    ]


CAPTURED = captured()
needs_suite = pytest.mark.skipif(not CAPTURED, reason="the suite's folder is absent")


@needs_suite
def test_every_captured_spot_request_verifies_and_with_a_wrong_secret_none() -> None:
    assert len(CAPTURED) >= 11
    for name, sent, fits in CAPTURED:
        seen = sent.read()
        assert fits(seen), name
        assert not by_secret("wrong")(seen), name
        assert "signature" not in seen["forward"]["target"] + seen["forward"]["body"], name


@needs_suite
def test_no_changed_byte_is_read_with_another_meaning() -> None:
    for name, sent, fits in CAPTURED:
        meaning = told(sent.read())
        path, mark, query = sent.target.partition("?")
        for changed in changes(query.encode()):
            check(replace(sent, target=path + mark + changed.decode()), fits, meaning, name)
        for changed in changes(sent.body):
            check(replace(sent, body=changed), fits, meaning, name)


def told(seen: Seen) -> Seen:
    """Return what is decided on and forwarded; how the signature is written tells nothing."""
    return {field: value for field, value in seen.items() if field != "signature"}


def changes(text: bytes) -> list[bytes]:
    """Return `text` once for each byte, with that byte's lowest bit flipped."""
    return [text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :] for at in range(len(text))]


def check(sent: Sent, fits: Callable[[Seen], bool], meaning: Seen, name: str) -> None:
    try:
        seen = sent.read()
    except EngineError:
        return
    assert not fits(seen) or told(seen) == meaning, (name, sent)
