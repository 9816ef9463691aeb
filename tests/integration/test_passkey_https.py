"""The pages over TLS, in a real browser: enrolled, approved, and refused where it is not ours."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ringfence.api.pages.listening import listening, tls_of
from ringfence.config.certificate import Issued, issue
from ringfence.config.model import Approval
from ringfence.config.pages import Pages, PagesTls
from tests import chromium
from tests.admin import ADMIN, SECURITY, Gateway
from tests.chromium import Browser

HOST, OTHER, DOMAIN = "gw.ringfence.test", "other.ringfence.test", "ringfence.test"
RULE = Approval(need=1, roles=("security",), scopes=("withdraw",))
WIDE: dict[str, Any] = {"account": "desk", "scopes": ["withdraw"], "allow": ["10.0.0.1"]}


@pytest.fixture(scope="module")
def issued() -> Issued:
    """Return the certificate that the browser trusts."""
    return issue(f"{HOST}:443")


@pytest.fixture(scope="module")
def browser(issued: Issued) -> Iterator[Browser]:
    """Yield a Chromium that trusts this certificate's key, and no authority that is ours."""
    if (why := chromium.missing()) is not None:
        pytest.skip(why)
    key = x509.load_pem_x509_certificate(issued.certificate).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    names = f"MAP {HOST} 127.0.0.1, MAP {OTHER} 127.0.0.1"
    with chromium.browsing(
        f"--ignore-certificate-errors-spki-list={digest}", f"--host-resolver-rules={names}"
    ) as found:
        yield found


@contextmanager
def shown(folder: Path, issued: Issued) -> Iterator[Gateway]:
    """Yield a gateway whose pages are at HOST, with this certificate."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "page.pem").write_bytes(issued.certificate)
    (folder / "page.key").write_bytes(issued.key)
    pages = Pages(
        listen=f"127.0.0.1:{port}",
        origin=f"https://{HOST}:{port}",
        rp_id=DOMAIN,
        tls=PagesTls(certificate="page.pem", key="page.key"),
    )
    made = Gateway(folder, rules={"key.create": RULE}, origin=pages.origin, rp_id=DOMAIN)
    with listening(made.passkeys, pages, tls_of(pages, lambda name: str(folder / name))):
        yield made


def link(gateway: Gateway, path: str, uid: int, body: Any = None) -> str:
    """Return the link that a command opens."""
    opened: str = gateway.post(path, body, uid).json()["link"]
    return opened


def test_a_passkey_is_enrolled_and_approves_over_https(
    browser: Browser, issued: Issued, tmp_path: Path
) -> None:
    with shown(tmp_path, issued) as gateway, browser.tab() as tab:
        gateway.enrol()
        assert gateway.post("/mfa/security/reset").status_code == 200
        tab.open(link(gateway, "/mfa/passkeys", SECURITY, {"label": "blue"}))
        assert tab.press() == "The passkey blue of security is in force."
        assert tab.value("location.protocol") == "https:" and tab.value("isSecureContext")
        gateway.aged(10, "passkey", "admin")
        assert gateway.post("/keys", WIDE, ADMIN).json()["code"] == "approval_required"
        [asked] = gateway.get("/approvals")
        place = f"/approvals/{asked['id']}/passkey"
        # The passkey is good for the whole domain; the gateway takes it from its own origin alone.
        elsewhere = link(gateway, place, SECURITY).replace(HOST, OTHER)
        tab.do("Page.navigate", url=elsewhere)
        tab.until("document.body?.innerText.includes('page_origin')")
        assert gateway.get("/approvals")[0]["standing"] == "open"
        tab.open(link(gateway, place, SECURITY))
        assert tab.press() == f"The request {asked['id']} is approved."


def test_a_browser_refuses_a_certificate_that_it_does_not_trust(
    browser: Browser, tmp_path: Path
) -> None:
    with shown(tmp_path, issue(f"{HOST}:443")) as gateway, browser.tab() as tab:
        gateway.enrol()
        gateway.post("/mfa/security/reset")
        found = tab.do(
            "Page.navigate", url=link(gateway, "/mfa/passkeys", SECURITY, {"label": "blue"})
        )
        assert found["errorText"] == "net::ERR_CERT_AUTHORITY_INVALID"
        assert gateway.get("/mfa", SECURITY)["passkeys"] == []


def test_nothing_is_shown_without_tls(browser: Browser, issued: Issued, tmp_path: Path) -> None:
    with shown(tmp_path, issued) as gateway, browser.tab() as tab:
        gateway.enrol()
        gateway.post("/mfa/security/reset")
        plain = link(gateway, "/mfa/passkeys", SECURITY, {"label": "blue"})
        assert "errorText" in tab.do("Page.navigate", url=plain.replace("https:", "http:"))
