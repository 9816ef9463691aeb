"""What a passkey's PRF releases opens the seal, and nothing that is kept does."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from demo.stage import ringfence
from ringfence import config as configuration
from ringfence.api.pages.listening import tls_of
from ringfence.api.releasing import SUITE, info_of
from ringfence.api.seal import named
from ringfence.api.seal_page import SealPage
from ringfence.cli.vault_passkey import opened_on_page, passkey_kek
from ringfence.config.folder import Folder
from ringfence.errors import FileError, SealError
from ringfence.identity.factor import Passkey, RelyingParty
from ringfence.identity.factor.statement import challenge_for
from ringfence.identity.opened import key_files, opened_state
from ringfence.identity.seal.folder import open_folder, rewrap
from ringfence.identity.seal.memory import wipe
from ringfence.identity.seal.passkey import (
    PasskeyKek,
    Way,
    make,
    new_recovery,
    new_way,
    open_again,
    ways_of,
)
from ringfence.identity.seal.unlock import Unlock
from tests.authenticator import RP, SITE, UP, Authenticator, b64
from tests.browser import Browser, token_of

PARTY = RelyingParty(RP, (SITE,))
ASKED = b"c" * 32
PAGES = """
admin:
  pages:
    listen: "127.0.0.1:18444"
    origin: "https://localhost:18444"
    rp_id: localhost
    tls: {certificate: tls/server.pem, key: tls/server.key}
"""
PHRASE = "correct horse battery staple"


def enrolled(device: Authenticator, label: str = "laptop") -> Passkey:
    """Enrol a device that has a PRF."""
    made = PARTY.enrolled("ann", label, device.create(ASKED), ASKED, 7)
    return replace(made, prf=True)


def released(device: Authenticator, way: Way) -> bytearray:
    """Return what the page derives of what the PRF evaluates to."""
    info = b"ringfence/prf-kek/v1" + len(RP).to_bytes(2, "big") + RP.encode()
    info += way.passkey.credential_id
    derive = HKDF(SHA256(), 32, way.salt, info)
    return bytearray(derive.derive(device.prf(way.input)))


@pytest.fixture(scope="module")
def phrase(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the recovery passphrase."""
    path = tmp_path_factory.mktemp("phrase") / "phrase"
    path.write_text(f"{PHRASE}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


@pytest.fixture
def kek(device: Authenticator, phrase: Path) -> PasskeyKek:
    """Return a key that the device opens."""
    way = new_way(enrolled(device), RP)
    return make(way, released(device, way), new_recovery(Unlock(phrase)))


def opens(kek: PasskeyKek, other: PasskeyKek) -> bool:
    """Tell whether two are the same key."""
    secret = bytearray(b"s" * 32)
    return other.unwrap(kek.wrap(secret, b"about"), b"about") == secret


def through(device: Authenticator) -> Callable[[list[Way]], bytearray]:
    """Return what opens a seal as the page does, with one device."""

    def page(ways: list[Way]) -> bytearray:
        for way in ways:
            if way.passkey.credential_id == device.credential_id:
                return way.open(released(device, way))
        raise SealError("not there")

    return page


def test_the_prf_is_the_standard_s() -> None:
    # W3C Web Authentication Level 3, test vectors of the PRF extension.
    secret = "437e065e723a98b2f08f39d8baf7c53ecb3c363c5e5104bdaaf5d5ca2e028154"
    output = "3c33e07d202c3b029cc21f1722767021bf27d595933b3d2b6a1b9d5dddc77fae"
    device = Authenticator(secret=bytes.fromhex(secret))
    assert device.prf(b"WebAuthn PRF test vectors\x02").hex() == output


def test_the_passkey_and_the_passphrase_open_it(
    kek: PasskeyKek, device: Authenticator, phrase: Path
) -> None:
    described = json.loads(json.dumps(kek.describe()))
    assert opens(kek, open_again(described, Unlock(page=through(device))))
    assert opens(kek, open_again(described, Unlock(phrase, page=through(Authenticator()))))
    assert named(described) == "passkey (ann: laptop) or recovery passphrase"


def test_another_device_and_another_passphrase_do_not(
    kek: PasskeyKek, device: Authenticator, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("incorrect horse battery")
    wrong.chmod(0o600)
    other = replace(device, secret=b"o" * 32)
    for unlock in (Unlock(page=through(other)), Unlock(wrong)):
        with pytest.raises(SealError) as refusal:
            open_again(kek.describe(), unlock)
        assert refusal.value.code == "seal_wrong_key"


def test_nothing_that_is_kept_opens_it(kek: PasskeyKek) -> None:
    [way] = ways_of(kek.describe())
    kept = [way.input, way.salt, way.wrapped[:32], way.passkey.public_key[:32], bytes(32)]
    for guess in kept:
        with pytest.raises(SealError):
            way.open(bytearray(guess.ljust(32, b"\0")))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("operator", "bob"),
        ("label", "other"),
        ("public_key", "AAAA"),
        ("backup_eligible", True),
        ("credential_id", base64.b64encode(bytes(32)).decode()),
    ],
)
def test_what_a_wrapping_is_for_cannot_be_changed(
    kek: PasskeyKek, device: Authenticator, field: str, value: Any
) -> None:
    [way] = ways_of(kek.describe())
    key = released(device, way)
    kek.describe()["passkeys"][0][field] = value
    [changed] = ways_of(kek.describe())
    with pytest.raises(SealError):
        changed.open(key)


@pytest.mark.parametrize("damage", [{}, {"passkeys": [{}]}, {"passkeys": 3, "rp_id": RP}])
def test_a_description_that_is_none_is_damage(damage: dict[str, Any]) -> None:
    with pytest.raises(SealError) as refusal:
        ways_of(damage)
    assert refusal.value.code == "seal_damaged"


def test_a_second_passkey_opens_the_same_key_and_none_twice(
    kek: PasskeyKek, device: Authenticator, phrase: Path
) -> None:
    other = Authenticator()
    way = new_way(enrolled(other, "blue"), RP)
    both = kek.with_way(way, released(other, way))
    for one in (device, other):
        assert opens(kek, open_again(both.describe(), Unlock(page=through(one))))
    assert opens(kek, open_again(both.describe(), Unlock(phrase)))
    elsewhere = new_way(enrolled(Authenticator()), "other.example")
    for refused in (way, elsewhere):
        with pytest.raises(SealError):
            both.with_way(refused, released(other, refused))


def test_a_folder_is_sealed_opened_by_either_and_moved_on(
    tmp_path: Path, device: Authenticator, kek: PasskeyKek, phrase: Path
) -> None:
    state = tmp_path / "state"
    ringfence("init", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", str(state))
    config = state / "ringfence.yaml"
    config.write_text(config.read_text() + PAGES)
    folder, loaded = Folder(state), configuration.load(config)
    pages = loaded.config.admin.pages
    assert pages is not None
    # The page is what opens the folder: its own key cannot be in it.
    with pytest.raises(SealError, match="lies in the folder"):
        passkey_kek(loaded, None, Unlock(phrase))
    rewrap(folder, None, kek, key_files(loaded))
    with pytest.raises(SealError, match="TLS key is sealed"):
        opened_on_page(loaded, ways_of(kek.describe()))
    with pytest.raises(FileError):
        tls_of(pages, loaded.path)
    for unlock in (Unlock(page=through(device)), Unlock(phrase)):
        with opened_state(loaded, unlock) as opened:
            assert len(opened.files) == 3
            # A gateway's pages have it, once the folder is open.
            assert tls_of(pages, opened.lies) is not None
    with pytest.raises(SealError):
        open_folder(folder, Unlock(page=through(Authenticator()))).__enter__()
    other = Authenticator()
    way = new_way(enrolled(other, "blue"), RP)
    with open_folder(folder, Unlock(page=through(device))) as opening:
        assert opening is not None and isinstance(opening.kek, PasskeyKek)
        rewrap(folder, opening, opening.kek.with_way(way, released(other, way)), [])
    with open_folder(folder, Unlock(page=through(other))) as opening:
        assert opening is not None and len(opening.book.slots) == 1
    shutil.rmtree(state)


class Page:
    """The page of one command, as a browser with a device in software uses it."""

    def __init__(self, device: Authenticator) -> None:
        self.device = device
        self.way = new_way(enrolled(device), RP)
        self.taken: list[bytes] = []
        self.page = SealPage(PARTY, "seal.open", "ann", "gw1", [self.way], self.take)
        self.browser = Browser(_site(self.page))
        self.recipient: EllipticCurvePublicKey | None = None
        self.info: bytes | None = None

    def take(self, _way: Way, key: bytearray) -> str:
        self.taken.append(bytes(key))
        return "it is open"

    def use(self, **instead: Any) -> dict[str, Any]:
        """Do what the page does; `instead` are fields of the answer."""
        token = token_of(self.page.opened["link"])
        begun = self.browser.post("/begin", token=token)[1]
        if "statement" not in begun:
            return begun
        text = begun["statement"].encode()
        point = base64.b64decode(json.loads(text)["recipient"])
        theirs = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
        key = bytes(released(self.device, self.way))
        sealed = SUITE.encrypt(key, self.recipient or theirs, self.info or info_of(text))
        answer = {**self.device.get(challenge_for(text)), "sealed": b64(sealed), **instead}
        found: dict[str, Any] = self.browser.post("/finish", token=token, answer=answer)[1]
        return found


def _site(page: SealPage) -> Any:
    from ringfence.api.pages import Site

    return Site(page, SITE)


def test_what_is_released_comes_to_the_command_once(device: Authenticator) -> None:
    page = Page(device)
    assert page.use() == {"said": "it is open"}
    assert page.taken == [bytes(released(device, page.way))]
    assert page.page.wait(0)
    assert page.use()["code"] == "link_unknown"


def foreign(page: Page) -> None:
    page.recipient = generate_private_key(SECP256R1()).public_key()


def elsewhere(page: Page) -> None:
    page.info = info_of(b"{}")


def unverified(page: Page) -> None:
    page.device.flags = UP


def of_another(page: Page) -> None:
    page.device.credential_id = bytes(32)


def embedded(page: Page) -> None:
    page.device.client = {"crossOrigin": True}


@pytest.mark.parametrize("meddle", [foreign, elsewhere, unverified, of_another, embedded])
def test_what_is_sealed_to_another_or_not_verified_is_refused(
    device: Authenticator, meddle: Callable[[Page], None]
) -> None:
    page = Page(device)
    meddle(page)
    wanted = "passkey_missing" if meddle is of_another else "passkey_refused"
    assert page.use()["code"] == wanted
    assert page.taken == [] and not page.page.wait(0)


@pytest.mark.parametrize("sealed", [None, 3, "", "AAAA", "%", "A" * 513])
def test_what_is_no_key_is_refused(device: Authenticator, sealed: Any) -> None:
    page = Page(device)
    assert page.use(sealed=sealed)["code"] == "passkey_refused"
    assert page.taken == []


def test_a_key_that_does_not_open_is_told_on_the_page(device: Authenticator) -> None:
    page = Page(device)

    def wrong(way: Way, key: bytearray) -> str:
        way.open(key)
        return ""

    page.page._take = wrong
    assert page.use()["code"] == "seal_wrong_key"
    assert not page.page.wait(0)


def test_bytes_are_wiped_and_those_that_all_share_are_not() -> None:
    secret = bytes(bytearray(b"secret of somebody"))
    wipe(secret)
    assert secret == bytes(18)
    wipe(b"a")
    assert bytes([97]) == b"a"
