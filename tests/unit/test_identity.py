"""Credentials: what may become of them, what is kept of them, and where their secrets come from."""

from __future__ import annotations

import hashlib
import hmac
import stat
import string
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ringfence.config.folder import write_private
from ringfence.errors import (
    KeyExistsError,
    KeyMissingError,
    KeyTextError,
    StoreError,
)
from ringfence.identity import Credential, MasterKey, Store
from ringfence.identity.credential import (
    read_allow,
    read_key_id,
    read_scopes,
)
from ringfence.identity.keypair import PAIRED, make_pair, public_pem, read_public_key
from ringfence.identity.principal import read_name

MADE = Credential(
    key_id="key-0001",
    account="alice",
    algorithm="hmac-sha256",
    scopes=("read", "trade"),
    allow=("127.0.0.0/8", "2001:db8::/32"),
    state="active",
    created_us=1,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return Store.create(tmp_path / "state.db")


def test_a_credential_comes_back_as_it_was_kept(store: Store, tmp_path: Path) -> None:
    key = replace(MADE, key_id="key-0002", expires_us=7, public_key=b"\x00\xff", native=True)
    store.add(MADE, "ann")
    store.add(key, "ann")
    assert Store(tmp_path / "state.db").all() == [MADE, key]


def test_an_id_is_used_once(store: Store) -> None:
    store.add(MADE, "ann")
    with pytest.raises(KeyExistsError):
        store.add(replace(MADE, account="mallory"), "ann")
    assert store.one(MADE.key_id).account == "alice"


def test_an_unknown_id_is_named(store: Store) -> None:
    with pytest.raises(KeyMissingError, match="nobody"):
        store.step("nobody", "deactivate", "ann", "", 1)


def test_the_store_is_for_its_owner_only(store: Store, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "state.db").stat().st_mode) == 0o600


def test_a_missing_or_damaged_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no"):
        Store(tmp_path / "none.db")
    (tmp_path / "bad.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StoreError, match="failed"):
        Store(tmp_path / "bad.db")


def test_a_store_is_not_laid_over_another(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot create"):
        Store.create(tmp_path / "state.db")


def test_a_secret_is_rfc_5869_of_the_master_key() -> None:
    # Computed apart from this code, by HMAC alone: extract with 32 zero bytes, expand four times.
    master = bytes(range(32))
    extracted = hmac.digest(bytes(32), master, hashlib.sha256)
    stream, block = b"", b""
    for count in range(1, 5):
        info = b"ringfence/hmac/v1/key-0001/3" + bytes([count])
        block = hmac.digest(extracted, block + info, hashlib.sha256)
        stream += block
    letters = string.ascii_letters + string.digits
    expected = "".join(letters[byte % 62] for byte in stream if byte < 248)[:64]
    assert MasterKey(master).secret("key-0001", 3) == expected


def test_secrets_differ_by_id_generation_and_master_key() -> None:
    one, other = MasterKey(bytes(32)), MasterKey(b"\x01" * 32)
    secrets = {
        *(one.secret(name, generation) for name in "ab" for generation in (1, 2)),
        other.secret("a", 1),
    }
    assert len(secrets) == 5


def test_what_the_ledger_lacks_is_kept_until_it_is_recorded(store: Store) -> None:
    made = store.add(MADE, "ann", "for the desk")
    _, suspended = store.step(MADE.key_id, "suspend", "bob", "leaked", 9)
    assert suspended
    assert store.unrecorded() == [made, suspended]
    store.mark_recorded([made.serial])
    assert store.unrecorded() == [suspended]
    assert [change.who for change in store.history(MADE.key_id)] == ["ann", "bob"]


def test_many_credentials_are_kept_together_or_not_at_all(store: Store) -> None:
    with pytest.raises(KeyExistsError):
        store.add_all([MADE, replace(MADE, key_id="key-0002"), MADE], "ann")
    assert store.all() == []


def test_no_secret_is_in_the_store_or_in_what_is_shown(store: Store, tmp_path: Path) -> None:
    master = MasterKey(bytes(32))
    secret = master.secret(MADE.key_id, MADE.generation)
    store.add(MADE, "ann")
    assert secret not in str(MADE.shown()) + repr(MADE) + repr(master)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in content


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "00" * 33, "é"])
def test_a_damaged_master_key_is_refused(tmp_path: Path, content: str) -> None:
    write_private(tmp_path / "master.key", content.encode())
    with pytest.raises(StoreError, match="master key"):
        MasterKey.read(tmp_path / "master.key")


def test_a_master_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    write_private(path, b"00" * 32 + b"\n")
    assert MasterKey.read(path).secret("a", 1) == MasterKey(bytes(32)).secret("a", 1)
    path.chmod(0o640)
    with pytest.raises(StoreError) as refused:
        MasterKey.read(path)
    assert refused.value.hint == f"chmod 600 {path}"


def test_an_empty_allowlist_is_refused_not_read_as_everybody() -> None:
    with pytest.raises(KeyTextError):
        read_allow([], ["read"])
    with pytest.raises(KeyTextError):
        read_scopes([])


@pytest.mark.parametrize("text", ["127.0.0.1/8", "1.2.3", "x", "", "10.0.0.0/33", "::1/129"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(KeyTextError):
        read_allow([text], ["read"])


def test_everybody_is_allowed_by_the_word_only_and_never_to_withdraw() -> None:
    assert read_allow(["any"], ["read"]) == ("any",)
    for words, scopes in ((["0.0.0.0/0"], ["read"]), (["::/0"], ["read"]), (["any"], ["withdraw"])):
        with pytest.raises(KeyTextError):
            read_allow(words, scopes)


def test_a_made_pair_reads_back_as_its_algorithm() -> None:
    for algorithm in PAIRED:
        private, public = make_pair(algorithm)
        named, material = read_public_key(public)
        assert named == algorithm
        assert public_pem(algorithm, material).encode() == public
        with pytest.raises(KeyTextError, match="private"):
            read_public_key(private)


def test_a_wallet_is_named_by_its_address_and_nothing_else() -> None:
    address = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    algorithm, material = read_public_key(f" {address}\n".encode())
    assert (algorithm, public_pem(algorithm, material)) == ("secp256k1-eip712", address.lower())
    for bad in ("0x", address[:-1], address + "0", "0x" + "1" * 64, "0x" + "g" * 40):
        with pytest.raises(KeyTextError, match="address"):
            read_public_key(bad.encode())


def test_networks_and_scopes_are_kept_once() -> None:
    assert read_allow(["10.0.0.1", "10.0.0.1/32", "2001:DB8::/32"], ["read"]) == (
        "10.0.0.1/32",
        "2001:db8::/32",
    )
    assert read_scopes(["trade", "read", "trade"]) == ("read", "trade")


@given(st.text())
def test_any_text_is_a_name_or_refused(text: str) -> None:
    for read in (read_name, read_key_id):
        try:
            assert read(text).isascii()
        except KeyTextError as refused:
            assert refused.hint


def test_public_keys_are_told_apart_and_weak_ones_refused() -> None:
    def pem(key: Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    algorithm, material = read_public_key(pem(Ed25519PrivateKey.generate()))
    assert (algorithm, len(material)) == ("ed25519", 32)
    assert read_public_key(pem(rsa.generate_private_key(65537, 2048)))[0] == "rsa-pkcs1-sha256"
    algorithm, material = read_public_key(pem(ec.generate_private_key(ec.SECP256R1())))
    assert (algorithm, len(material), material[0]) == ("ecdsa-p256-sha256", 65, 4)
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505  that is the point
    other_curve = pem(ec.generate_private_key(ec.SECP256K1()))
    for bad in (pem(weak), other_curve, b"", b"-----BEGIN"):
        with pytest.raises(KeyTextError):
            read_public_key(bad)
