"""A folder sealed under a key that this machine does not hold: in a token, or behind a service.

The token is SoftHSM2, through its own PKCS#11 driver. The service is a small one here that answers
as Vault's transit engine does, and really encrypts; a real Vault is not to be had as a package.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ringfence.errors import SealError
from ringfence.identity.seal.kek import Kek, make_kek, reach_kek
from ringfence.identity.seal.unlock import Unlock

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
UTIL = shutil.which("softhsm2-util")
KEY = bytearray(range(32))
TOKEN, PIN = secrets.token_urlsafe(16), secrets.token_urlsafe(9)

needs_token = pytest.mark.skipif(
    UTIL is None or not MODULE.exists(), reason="SoftHSM2 (Debian: softhsm2) is not installed"
)


def given(path: Path, text: str) -> Unlock:
    path.write_text(text)
    path.chmod(0o600)
    return Unlock(path)


def holds(kek: Kek, again: Kek, other: Kek) -> None:
    """Check what every key encryption key has to do."""
    wrapped = kek.wrap(KEY, b"about")
    assert bytes(KEY) not in wrapped and wrapped != kek.wrap(KEY, b"about")
    assert again.unwrap(wrapped, b"about") == KEY
    spoiled = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    for where, sealed, about in (
        (again, wrapped, b"other"),
        (again, spoiled, b"about"),
        (again, b"", b"about"),
        (other, wrapped, b"about"),
    ):
        with pytest.raises(SealError) as refusal:
            where.unwrap(sealed, about)
        assert refusal.value.code == "seal_wrong_key"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Lay a token of SoftHSM2 in a folder of its own; yield the URI of a key in it."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(folder / "conf")
    assert UTIL is not None
    words = ["--init-token", "--free", "--label", "gate", "--pin", PIN, "--so-pin", PIN]
    subprocess.run([UTIL, *words], check=True, capture_output=True)
    yield f"pkcs11:token=gate;object=kek?module-path={MODULE}"
    os.environ.pop("SOFTHSM2_CONF")
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


@needs_token
def test_a_token_wraps_with_a_key_that_never_leaves_it(token: str, tmp_path: Path) -> None:
    import pkcs11

    pin = given(tmp_path / "pin", PIN)
    made, other = make_kek(token, pin), make_kek(token.replace("=kek", "=other"), pin)
    assert made.describe() == {"kind": "pkcs11", "uri": token}
    again = reach_kek(made.describe(), pin)
    holds(made, again, other)
    wrapped = made.wrap(KEY, b"about")
    for one in (made, other, again):
        one.close()
    later = reach_kek({"kind": "pkcs11", "uri": token}, pin)
    assert later.unwrap(wrapped, b"about") == KEY
    later.close()
    with pkcs11.lib(str(MODULE)).get_token(token_label="gate").open(user_pin=PIN) as session:
        found = session.get_key(label="kek")
        assert found[pkcs11.Attribute.SENSITIVE] and not found[pkcs11.Attribute.EXTRACTABLE]
        with pytest.raises(pkcs11.exceptions.AttributeSensitive):
            found[pkcs11.Attribute.VALUE]


@needs_token
def test_a_token_that_is_not_as_it_was_is_named(token: str, tmp_path: Path) -> None:
    pin, wrong = given(tmp_path / "pin", PIN), given(tmp_path / "wrong", PIN + "x")
    for uri, unlock, code in (
        (token.replace("gate", "gone"), pin, "seal_locked"),
        (token.replace("=kek", "=none"), pin, "seal_locked"),
        (token, wrong, "seal_wrong_key"),
    ):
        with pytest.raises(SealError) as refusal:
            reach_kek({"kind": "pkcs11", "uri": uri}, unlock)
        assert refusal.value.code == code
        assert PIN not in str(refusal.value)


class Transit(BaseHTTPRequestHandler):
    """What Vault's transit engine answers to encrypt and decrypt, with AES-256-GCM."""

    keys: dict[str, AESGCM]

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _, _, mount, verb, name = self.path.split("/")
        if self.headers["X-Vault-Token"] != TOKEN:
            self.answer(403, {"errors": ["permission denied"]})
            return
        assert mount == "transit"
        about = base64.b64decode(sent["associated_data"])
        if verb == "encrypt":
            nonce = os.urandom(12)
            key = self.keys.setdefault(name, AESGCM(os.urandom(32)))
            raw = nonce + key.encrypt(nonce, base64.b64decode(sent["plaintext"]), about)
            text = "vault:v1:" + base64.b64encode(raw).decode()
            self.answer(200, {"data": {"ciphertext": text, "key_version": 1}})
            return
        try:
            raw = base64.b64decode(sent["ciphertext"].removeprefix("vault:v1:"), validate=True)
            plain = self.keys[name].decrypt(raw[:12], raw[12:], about)
        except (InvalidTag, ValueError, KeyError):
            said = "cipher: message authentication failed"
            self.answer(400, {"errors": [said]})
            return
        self.answer(200, {"data": {"plaintext": base64.b64encode(plain).decode()}})

    def answer(self, status: int, content: dict[str, Any]) -> None:
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """Run the service; yield the URL of its mount."""
    Transit.keys = {}
    server = HTTPServer(("127.0.0.1", 0), Transit)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/transit"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_wraps_with_a_key_that_never_leaves_it(service: str, tmp_path: Path) -> None:
    right = given(tmp_path / "token", TOKEN + "\n")
    made, other = (make_kek(f"transit:{service}/{name}", right) for name in ("one", "other"))
    other.wrap(KEY, b"about")
    assert made.describe() == {"kind": "transit", "url": f"{service}/one"}
    holds(made, reach_kek(made.describe(), right), other)
    wrapped = made.wrap(KEY, b"about")
    made.close()
    wrong = reach_kek(made.describe(), given(tmp_path / "wrong", "wrong"))
    with pytest.raises(SealError, match="refuses to decrypt: 403") as refusal:
        wrong.unwrap(wrapped, b"about")
    assert refusal.value.code == "seal_locked"


def test_a_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    kek = make_kek("transit:http://127.0.0.1:1/transit/one", given(tmp_path / "token", TOKEN))
    with pytest.raises(SealError, match=r"127\.0\.0\.1:1 cannot be reached") as refusal:
        kek.wrap(KEY, b"about")
    assert refusal.value.code == "seal_locked" and TOKEN not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://vault.example:8200/transit/one",
        "https://vault.example:8200/transit",
        "https://user@vault.example/transit/one",
        "https://vault.example/transit/one?x",
        "https://vault.example/transit/../one/x y",
        "ftp://127.0.0.1/transit/one",
    ],
)
def test_a_url_that_would_show_the_token_or_names_no_key_is_refused(url: str) -> None:
    with pytest.raises(SealError):
        make_kek(f"transit:{url}", Unlock(Path("/none")))


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:token=gate;object=kek",
        "pkcs11:token=gate;object=kek?module-path=/x.so&pin-value=1234",
        "pkcs11:token=gate;token=other;object=kek?module-path=/x.so",
        "pkcs11:token=;object=kek?module-path=/x.so",
        "pkcs11:token=gate;object=kek;id=1?module-path=/x.so",
    ],
)
def test_a_uri_that_does_not_name_one_key_or_holds_a_pin_is_refused(uri: str) -> None:
    with pytest.raises(SealError) as refusal:
        make_kek(uri, Unlock(Path("/none")))
    assert "1234" not in str(refusal.value)


def test_a_module_that_others_may_write_is_not_loaded(tmp_path: Path) -> None:
    module = tmp_path / "module.so"
    for mode, said in ((0o777, "others may write"), (None, "there is no PKCS#11 module")):
        module.touch()
        module.unlink() if mode is None else module.chmod(mode)
        with pytest.raises(SealError, match=said) as refusal:
            make_kek(f"pkcs11:token=a;object=b?module-path={module}", Unlock(Path("/none")))
        assert refusal.value.code == "seal_locked"


def test_what_seals_nothing_is_refused() -> None:
    with pytest.raises(SealError, match="is nothing that seals"):
        make_kek("tpm:0", Unlock())
    for described in ({}, {"kind": "tpm"}, {"kind": "file"}, {"kind": ["file"]}):
        with pytest.raises(SealError) as refusal:
            reach_kek(described, Unlock())
        assert refusal.value.code == "seal_damaged"
