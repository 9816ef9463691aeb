"""A request is signed by its bytes as they are sent; others' code agrees; keys stay unseen."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from hypothesis import given
from hypothesis import strategies as st

from ringfence.client import RingfenceKey, digest, signature_base
from ringfence.client.httpx import RingfenceAuth as HttpxAuth
from ringfence.client.requests import RingfenceAuth as RequestsAuth
from ringfence.errors import KeyTextError

PAIR = Ed25519PrivateKey.generate()
KEY = RingfenceKey("alice-key", PAIR)
PARAMETERS = ';created=1;expires=2;nonce="n";keyid="k"'


class Resolver(HTTPSignatureKeyResolver):
    """Knows one key."""

    def resolve_public_key(self, key_id: str) -> Any:
        return PAIR.public_key()

    def resolve_private_key(self, key_id: str) -> Any:
        raise NotImplementedError


def agrees(request: requests.PreparedRequest) -> None:
    """Raise unless http-message-signatures verifies it, and what it covers is all."""
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Resolver())
    body = request.body if isinstance(request.body, bytes) else None
    (verified,) = verifier.verify(request, body=body)
    covered = ['"@method"', '"@authority"', '"@path"', '"@query"']
    assert list(verified.covered_components)[:-1] == covered + ['"content-digest"'] * bool(body)


@pytest.mark.parametrize(
    ("url", "lines"),
    [
        (
            "https://Gate.Example:443/a%20b?x=%2F&y=",
            ['"@authority": gate.example', '"@path": /a%20b', '"@query": ?x=%2F&y='],
        ),
        ("http://gate:80", ['"@authority": gate', '"@path": /', '"@query": ?']),
        ("http://gate:443/?", ['"@authority": gate:443', '"@path": /', '"@query": ?']),
        ("wss://[::1]:8443/ws;a=1#x", ['"@authority": [::1]:8443', '"@path": /ws;a=1']),
        ("https://u:p@gate/", ['"@authority": gate']),
    ],
)
def test_what_is_signed_of_a_url_is_what_is_sent(url: str, lines: list[str]) -> None:
    _, base = signature_base("GET", url, PARAMETERS)
    assert set(lines) <= set(base.split("\n"))


def test_the_base_is_the_one_of_the_gateways_tests() -> None:
    parameters = ';created=1700000000;expires=1700000005;nonce="n1";keyid="alice-key"'
    signed, base = signature_base("POST", "https://gate.example/order", parameters, "sha-256=:A:")
    covered = '("@method" "@authority" "@path" "@query" "content-digest")'
    assert signed == covered + parameters
    assert base == (
        '"@method": POST\n"@authority": gate.example\n"@path": /order\n"@query": ?\n'
        f'"content-digest": sha-256=:A:\n"@signature-params": {covered}{parameters}'
    )


@pytest.mark.parametrize("url", ["/order", "ftp://gate/", "https://", ""])
def test_a_url_that_is_not_absolute_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="absolute"):
        KEY.sign("GET", url)


def test_every_signature_is_another_one_and_names_its_window() -> None:
    key = RingfenceKey("alice-key", PAIR, window_seconds=9, clock=lambda: 1_700_000_000.9)
    first, second = (key.sign("GET", "https://gate/")["Signature-Input"] for _ in range(2))
    assert first != second
    assert ";created=1700000000;expires=1700000009;" in first


@given(
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3),
    st.binary(max_size=64),
)
def test_others_code_verifies_what_we_sign(
    method: str, query: list[tuple[str, str]], body: bytes
) -> None:
    url = "https://Gate.Example:8443/api/v3/order"
    asked = requests.Request(method, url, params=query, data=body, auth=RequestsAuth(KEY))
    agrees(asked.prepare())


def parts() -> Iterator[bytes]:
    yield from (b"symbol=", b"BTCUSDT")


def test_a_stream_is_read_whole_and_sent_as_it_was_signed() -> None:
    whole = b"symbol=BTCUSDT"
    for data in (parts(), io.BytesIO(whole), "symbol=BTCUSDT", whole, {"symbol": "BTCUSDT"}):
        asked = requests.Request("POST", "https://gate/", data=data, auth=RequestsAuth(KEY))
        prepared = asked.prepare()
        assert prepared.body == whole
        assert prepared.headers["Content-Length"] == "14"
        assert "Transfer-Encoding" not in prepared.headers
        assert prepared.headers["Content-Digest"] == digest(whole)
        agrees(prepared)


def pem(key: Ed25519PrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> bytes:
    sealed = NoEncryption() if password is None else BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)


def test_a_key_file_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem(PAIR))
    file.chmod(0o640)
    with pytest.raises(KeyTextError, match="others than its owner"):
        RingfenceKey.read("alice-key", file)
    file.chmod(0o600)
    assert RingfenceKey.read("alice-key", file).key_id == "alice-key"


def test_a_sealed_key_needs_its_password_and_other_keys_are_refused() -> None:
    sealed = pem(PAIR, b"open sesame")
    RingfenceKey.from_pem("alice-key", sealed, b"open sesame")
    other = pem(rsa.generate_private_key(65537, 2048))
    for text, password in [(sealed, None), (sealed, b"wrong"), (other, None), (b"none", None)]:
        with pytest.raises(KeyTextError) as refusal:
            RingfenceKey.from_pem("alice-key", text, password)
        assert refusal.value.__cause__ is None
    with pytest.raises(KeyTextError):
        RingfenceKey('a"b', PAIR)
    for seconds in (0, 61):
        with pytest.raises(KeyTextError):
            RingfenceKey("alice-key", PAIR, window_seconds=seconds)


def test_no_key_shows_itself() -> None:
    assert repr(KEY) == "RingfenceKey('alice-key')"
    assert re.fullmatch(r"<.*RingfenceAuth object at 0x[0-9a-f]+>", repr(HttpxAuth(KEY)))


def test_the_clock_is_the_systems_unless_told_otherwise() -> None:
    said = KEY.sign("GET", "https://gate/")["Signature-Input"]
    created = re.search(r"created=(\d+)", said)
    assert created is not None
    assert abs(int(created[1]) - time.time()) < 5
